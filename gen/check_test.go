package gen

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/folder"
)

// TestCheckFinished: a second gen on as many finished images as VOC's train_aug
// has compares each with its photo, labels and PNG, and makes none again.
//
// WSSS_VERIFY=1 go test ./gen -run CheckFinished -v
func TestCheckFinished(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") != "1" {
		t.Skip("labels 10,582 tiny images, up to a minute: set WSSS_VERIFY=1")
	}
	const n = 10582
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "images"), 0o755); err != nil {
		t.Fatal(err)
	}
	var csv strings.Builder
	csv.WriteString("image,class,x0,y0,x1,y1\n")
	for i := range n {
		f, err := os.Create(filepath.Join(root, "images", fmt.Sprintf("im%05d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, image.NewNRGBA(image.Rect(0, 0, 20, 12))); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&csv, "im%05d,a,1,1,%d,9\n", i, 4+i%12)
	}
	for name, text := range map[string]string{"labels.csv": csv.String(), "classes.txt": "background\na\nb\n"} {
		datatest.Write(t, filepath.Join(root, name), text)
	}
	out := filepath.Join(root, "out")
	begin := func() (Summary, time.Duration) {
		start := time.Now()
		ds, err := folder.Open(root, folder.Options{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		o, m := fakeRun(out, 0)
		m.set = nil
		o.Dataset, o.Split, o.Weak = ds, folder.SplitAll, data.WeakBoxes
		o.Hashes = files.OpenHashes(filepath.Join(root, files.HashesName))
		sum := mustRun(t, o)
		if err := o.Hashes.Save(); err != nil {
			t.Fatal(err)
		}
		return sum, time.Since(start)
	}
	sum, made := begin()
	if sum.Generated != n {
		t.Fatalf("made %d labels", sum.Generated)
	}
	sum, checked := begin()
	if sum.Skipped != n || sum.Generated != 0 {
		t.Errorf("checked %d, made %d again", sum.Skipped, sum.Generated)
	}
	t.Logf("%d images: labelled in %v, checked in %v", n, made.Round(10*time.Millisecond), checked.Round(10*time.Millisecond))
	if checked > 30*time.Second {
		t.Errorf("the check took %v: allowed are seconds", checked)
	}
}
