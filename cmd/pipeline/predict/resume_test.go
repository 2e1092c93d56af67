package predict

import (
	"context"
	"errors"
	"image"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/crash"
	"wsss/eval/export"
	"wsss/models/tiles"
)

// counting labels as blank does, counts, and calls off after so many images.
type counting struct {
	blank
	calls int
	after int // 0 = never
	stop  func()
}

func (c *counting) Predict(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	if c.calls++; c.calls == c.after {
		c.stop()
	}
	return c.blank.Predict(ctx, img)
}

// TestGoesOn: a stopped call goes on with the images that are
// left, those whose photo has changed and those whose label is gone; one about
// something else, or after a finished one, begins anew.
func TestGoesOn(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	var images []Photo
	for _, id := range []string{"a", "b", "c", "d", "e", "sub/f\n"} {
		path := filepath.Join(dir, filepath.Base(id)+".png")
		writeBlack(t, path)
		images = append(images, Photo{Path: path, ID: id})
	}
	formats := []string{"png"}
	predict := func(about string, after int) int {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := &counting{after: after, stop: cancel}
		l := &labelling{predictor: c, photos: images, cut: tiles.For(2), slots: make(chan struct{}, 1), refining: make(chan struct{}, 1)}
		if err := l.resume(Output{Dir: out, Formats: formats}, about); err != nil {
			t.Fatal(err)
		}
		w, err := export.Open("png", out, data.Classes{Names: []string{"background", "red"}})
		if err != nil {
			t.Fatal(err)
		}
		l.writers = []export.Writer{w}
		err = l.run(ctx, func(int, int) {})
		l.done.close(err == nil)
		if after == 0 && err != nil || err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		return c.calls
	}
	predict("one", 4) // the last may be written or not
	first := 0
	for _, in := range images {
		if files.Exists(filepath.Join(out, in.ID+".png")) {
			first++
		}
	}
	if first < 3 || first > 4 {
		t.Fatalf("%d images are labelled before the stop", first)
	}
	os.WriteFile(filepath.Join(out, ".tmp-left-behind"), nil, 0o644)
	later := time.Now().Add(time.Hour)
	if err := errors.Join(os.Remove(filepath.Join(out, "a.png")), os.Chtimes(images[1].Path, later, later)); err != nil {
		t.Fatal(err)
	}
	if n := predict("one", 0); n != len(images)-first+2 {
		t.Errorf("%d images are labelled after a stop at %d, want %d", n, first, len(images)-first+2)
	}
	for _, in := range images {
		if !files.Exists(filepath.Join(out, in.ID+".png")) {
			t.Errorf("%q has no label", in.ID)
		}
	}
	if entries, _ := filepath.Glob(filepath.Join(out, ".*")); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
	if n := predict("one", 3); n > 3 {
		t.Errorf("%d images before the stop", n)
	}
	if n := predict("two", 0); n != len(images) {
		t.Errorf("with other options %d images are labelled, want all", n)
	}
	if n := predict("two", 0); n != len(images) {
		t.Errorf("after a finished call %d images are labelled, want all", n)
	}
	// The tables are made of one call's images, so all are labelled again.
	formats = []string{"png", " csv"}
	if predict("two", 4); predict("two", 0) != len(images) {
		t.Error("tables would lack the images of the stopped call")
	}
}

// TestDecodePanics: a panic while the labels beside a photo are read costs that photo.
func TestDecodePanics(t *testing.T) {
	free := func(int64) func() { return func() {} }
	next := decodeAhead(t.Context(), []Photo{{ID: "a", Path: "a.png"}}, func(Photo) string { panic("labels") }, free)
	d := <-next
	d.release()
	var p *crash.Panic
	if !errors.As(d.err, &p) {
		t.Errorf("%v, want a panic", d.err)
	}
}
