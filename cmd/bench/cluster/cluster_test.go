package cluster

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wsss/data/datatest"
)

// TestAccessLog: labels that the server was sent are counted as the log grows, also
// where its last line is not whole yet.
func TestAccessLog(t *testing.T) {
	const head, tail = "campaign labels [30/November/2026:18:27:50 +0000] 127.0.0.1 campaign 5N6T317WD7EKLPFX s3_", " 200 - 0 0 0 0 - aws-sdk-go-v2/1.46.0\n"
	a := accessLog{path: filepath.Join(t.TempDir(), "access.log"), seen: map[string]map[string]bool{}, made: map[string]int{}}
	text := "log starts 2026-11-30\n" + head + "ListObjectsV2 - /labels?list-type=2" + tail +
		head + "PutObject run/gen/a.png /labels/run/gen/a.png" + tail +
		head + "PutObject run/gen/a.json /labels/run/gen/a.json" + tail +
		head + "GetObject run/gen/a.png /labels/run/gen/a.png" + tail +
		head + "PutObject run/gen/b/c.png /labels/run/gen/b/c.png" + tail +
		head + "PutObject run/gen/a.png /labels/run/gen/a.png" + tail
	for _, end := range []int{0, 60, 400, 401, len(text) - 1, len(text)} {
		datatest.Write(t, a.path, text[:end])
		if err := a.read(); err != nil {
			t.Fatal(err)
		}
	}
	if a.requests != 6 || a.made["run"] != 3 || len(a.seen["run"]) != 2 {
		t.Errorf("%d requests, %d labels, %v", a.requests, a.made["run"], a.seen)
	}
}

// TestSchedule: kills are spread over all images.
func TestSchedule(t *testing.T) {
	at := schedule(rand.New(rand.NewPCG(1, 1)), 100, 100_000)
	if len(at) != 100 || !slices.IsSorted(at) || at[0] > 1000 || at[99] < 98_000 || at[99] >= 99_000 {
		t.Error(at)
	}
	for q := range 4 {
		if n := len(slices.DeleteFunc(slices.Clone(at), func(i int) bool { return i/25_000 != q })); n < 24 || n > 26 {
			t.Errorf("quarter %d: %d kills", q, n)
		}
	}
}

// TestLights: more photos of the scenes, each another one, with the scenes' boxes.
func TestLights(t *testing.T) {
	dir := t.TempDir()
	gray := image.NewGray(image.Rect(0, 0, 16, 16))
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, gray, nil); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"images/a.jpg": photo.Bytes(), "images/b.jpg": photo.Bytes(), "boxes.csv": []byte("image,class\na,cat\na,dog\nb,cat\n")} {
		datatest.Write(t, filepath.Join(dir, name), string(raw))
	}
	if err := addLights(t.Context(), dir, 5); err != nil {
		t.Fatal(err)
	}
	boxes, err := os.ReadFile(filepath.Join(dir, "boxes.csv"))
	if want := "image,class\na,cat\na,dog\nb,cat\na_1,cat\na_1,dog\nb_1,cat\na_2,cat\na_2,dog\n"; err != nil || string(boxes) != want {
		t.Errorf("%s, %v", boxes, err)
	}
	seen := map[string]bool{}
	for _, name := range []string{"a", "a_1", "a_2", "b_1"} {
		raw, err := os.ReadFile(filepath.Join(dir, "images", name+".jpg"))
		if err != nil || seen[string(raw)] {
			t.Errorf("%s: like another one, or %v", name, err)
		}
		seen[string(raw)] = true
	}
}
