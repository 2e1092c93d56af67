package validate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/folder"
	"wsss/data/scenes"

	_ "wsss/data/all"
)

// build makes a folder of images of 8×6 pixels with one fault each.
func build(t *testing.T) *folder.Dataset {
	t.Helper()
	root := t.TempDir()
	put := func(name string, raw []byte) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var photo bytes.Buffer
	if err := png.Encode(&photo, image.NewNRGBA(image.Rect(0, 0, 8, 6))); err != nil {
		t.Fatal(err)
	}
	mask := func(id string, w, h int, paint func(x, y int) uint8) {
		m := data.NewLabelMap(w, h)
		for i := range m.Pix {
			m.Pix[i] = paint(i%w, i/w)
		}
		var buf bytes.Buffer
		if err := data.EncodeLabelMap(&buf, m); err != nil {
			t.Fatal(err)
		}
		put("masks/"+id+".png", buf.Bytes())
	}
	cat := func(x, y int) uint8 {
		if x < 2 {
			return 1
		}
		return 0
	}
	for _, id := range []string{"good", "nomask", "turned", "size", "value", "void", "binary", "empty", "brokenmask", "tags", "points", "boxes"} {
		put("images/"+id+".png", photo.Bytes())
		mask(id, 8, 6, cat)
	}
	if err := os.Remove(filepath.Join(root, "masks/nomask.png")); err != nil {
		t.Fatal(err)
	}
	put("images/cut.png", photo.Bytes()[:photo.Len()-20])
	put("images/nothing.png", nil)
	put("masks/brokenmask.png", []byte("no PNG"))
	mask("turned", 6, 8, cat)
	mask("size", 8, 5, cat)
	mask("cut", 8, 6, cat)
	mask("nothing", 8, 6, cat)
	mask("value", 8, 6, func(x, y int) uint8 {
		if y == 2 && x > 2 {
			return uint8(x + 37)
		}
		return 0
	})
	mask("void", 8, 6, func(x, y int) uint8 { return data.Ignore })
	mask("binary", 8, 6, func(x, y int) uint8 { return 255 * cat(x, y) })
	mask("empty", 8, 6, func(x, y int) uint8 { return 0 })
	put("classes.txt", []byte("background\ncat\ndog\n"))
	put("tags.csv", []byte("image,tags\ngood,cat\ntags,dog\n"))
	put("points.csv", []byte("image,class,x,y\ngood,cat,1,1\npoints,cat,8,0\npoints,dog,0,0\n"))
	put("boxes.csv", []byte("image,class,x0,y0,x1,y1\ngood,cat,0,0,2.5,6\nboxes,cat,0,0,12,6\nboxes,cat,9,0,12,6\n"))
	put("scribbles.csv", []byte("image,class,scribble\ngood,cat,0 0;1 5\npoints,cat,0 0;3 6;9 9\n"))
	d, err := folder.Open(root, folder.Options{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFindsEveryFault(t *testing.T) {
	d := build(t)
	total := 0
	r, err := Run(t.Context(), d, "all", Options{}, func(done, n int) { total = n })
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		id    string
		level Level
		kind  string
		text  []string
	}{
		{"binary", Warning, "mask-empty", []string{"binary.png", "class 1 has the value 1"}},
		{"boxes", Warning, "box-clipped", []string{"box 1 (cat) (0,0)-(12,6)", "8×6"}},
		{"boxes", Error, "box-outside", []string{"box 2 (cat) (9,0)-(12,6)", "8×6"}},
		{"brokenmask", Error, "mask", []string{"brokenmask.png", "not a PNG"}},
		{"cut", Error, "image", []string{"cut.png"}},
		{"empty", Warning, "mask-empty", []string{"empty.png", "no object"}},
		{"nothing", Error, "image", []string{"nothing.png", "the file is empty"}},
		{"points", Error, "point-outside", []string{"point 1 (cat) at (8,0)"}},
		{"points", Error, "scribble-outside", []string{"scribble 1 (cat)", "(3,6)"}},
		{"points", Warning, "tags-mask", []string{"tagged but not in the mask: dog"}},
		{"points", Warning, "point-mask", []string{"point 2 (dog) at (0,0) lies on cat"}},
		{"size", Error, "mask-size", []string{"size.png is 8×5, its image 8×6"}},
		{"tags", Warning, "tags-mask", []string{"tagged but not in the mask: dog; in the mask but not tagged: cat"}},
		{"turned", Error, "mask-size", []string{"turned.png is 6×8", "EXIF"}},
		{"value", Error, "mask-value", []string{"value.png", "pixel (3,2) has value 40", "5 such pixels", "40×1, 41×1"}},
		{"void", Error, "mask-void", []string{"void.png", "every pixel"}},
		{"nomask", Warning, "mask-missing", []string{"nomask.png"}},
	}
	for i, f := range r.Findings {
		if i >= len(want) {
			t.Errorf("unexpected %+v", f)
			continue
		}
		w := want[i]
		if f.ID != w.id || f.Level != w.level || f.Kind != w.kind {
			t.Errorf("finding %d is %+v, want %s %s %s", i, f, w.id, w.level, w.kind)
		}
		for _, text := range w.text {
			if !strings.Contains(f.Message, text) {
				t.Errorf("%s: message %q lacks %q", w.id, f.Message, text)
			}
		}
	}
	if len(r.Findings) != len(want) || r.Errors != 10 || r.Warnings != 7 || r.ByKind["mask-size"] != 2 {
		t.Errorf("%d findings, %d errors, %d warnings, %v", len(r.Findings), r.Errors, r.Warnings, r.ByKind)
	}
	if total != 14 || r.Samples != 14 || r.Images != 12 || r.Masks != 12 || r.Boxes != 2 || r.Points != 2 || r.Scribbles != 2 {
		t.Errorf("counts %+v", r)
	}
	catCount := ClassCount{Class: 1, Name: "cat", Pixels: 6*12 + 16 + 10, Images: 8, Tags: 3, Points: 2, Scribbles: 2, Boxes: 3}
	if diff := cmp.Diff(catCount, r.Classes[1]); diff != "" {
		t.Error(diff)
	}
}

// TestWarnsOfNames: photos whose name says another format, and those that are
// not read.
func TestWarnsOfNames(t *testing.T) {
	root := t.TempDir()
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"images/iphone.HEIC": "", "classes.txt": "background\ncat\n", "images/plain.JPG": photo.String(), "images/other.png": photo.String(),
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(raw), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := folder.Open(root, folder.Options{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), d, "all", Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.ByKind["file-type"] != 1 || r.ByKind["image-name"] != 1 || r.Images != 2 || r.Errors != 0 {
		t.Errorf("findings %+v", r.Findings)
	}
	for _, f := range r.Findings {
		if f.Kind == "image-name" && (f.ID != "other" || !strings.Contains(f.Message, "other.png: a JPEG named .png")) {
			t.Errorf("finding %+v", f)
		}
	}
}

func TestSameForAnyNumberOfWorkers(t *testing.T) {
	d := build(t)
	var first *Report
	for _, workers := range []int{1, 2, 7, 50} {
		r, err := Run(t.Context(), d, "all", Options{Workers: workers}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = r
		}
		if diff := cmp.Diff(first, r); diff != "" {
			t.Errorf("%d workers: %s", workers, diff)
		}
	}
}

func TestOptions(t *testing.T) {
	d := build(t)
	r, err := Run(t.Context(), d, "all", Options{RequireMasks: true, SkipImages: true, MaxFindings: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) != 3 || r.ByKind["image"] != 0 || r.ByKind["mask-size"] != 0 || r.ByKind["mask-missing"] != 1 {
		t.Errorf("%d findings kept, kinds %v", len(r.Findings), r.ByKind)
	}
	// Without images, the mask tells the size.
	if r.ByKind["box-outside"] != 1 || r.Errors != 7 {
		t.Errorf("%d errors, kinds %v", r.Errors, r.ByKind)
	}
	if _, err := Run(t.Context(), d, "none", Options{}, nil); err == nil {
		t.Error("unknown split passes")
	}
}

// TestAlikeClasses: a class in two spellings is told, and a list that is taken for
// a class.
func TestAlikeClasses(t *testing.T) {
	for names, want := range map[string]string{
		"cat dog":         "",
		"cat Cat":         `classes "cat" and "Cat": are they one`,
		"hot-dog hot_dog": `classes "hot-dog" and "hot_dog": are they one`,
		"cat dog,cat":     `class "dog,cat" holds the name of class "cat"`,
		"cat big,red":     "",
	} {
		r := &Report{ByKind: map[string]int{}}
		for i, name := range append([]string{"background"}, strings.Fields(names)...) {
			r.Classes = append(r.Classes, ClassCount{Class: i, Name: name})
		}
		r.alike(Options{MaxFindings: 9})
		switch {
		case want == "" && len(r.Findings) > 0, want != "" && len(r.Findings) != 1:
			t.Errorf("%s: %v", names, r.Findings)
		case want != "" && (!strings.HasPrefix(r.Findings[0].Message, want) || r.Findings[0].Level != Warning):
			t.Errorf("%s: %v, want %q", names, r.Findings, want)
		}
	}
}

// TestUnlearntClasses: a class of the table that no label of the split is of is named,
// for the form of label that is learnt from.
func TestUnlearntClasses(t *testing.T) {
	d := build(t)
	for _, tt := range []struct {
		opts Options
		want string
	}{
		{Options{Need: data.WeakBoxes}, "split all: no boxes of dog: 1 class with nothing to learn from"},
		{Options{Need: data.WeakExemplars}, "no exemplars of dog"},
		{Options{Need: data.WeakTags}, ""},
		{Options{Need: data.WeakTags, Truth: true}, "no masks of dog"},
		{Options{Need: data.WeakNone}, ""},
		{Options{}, ""},
	} {
		r, err := Run(t.Context(), d, "all", tt.opts, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range r.Findings {
			if f.Kind == "class-unlabelled" {
				got = f.Message
			}
		}
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%+v: %q, want %q", tt.opts, got, tt.want)
		}
	}
}

// odd is a dataset whose labels no loader of ours would give.
type odd struct {
	ids  []string
	weak data.WeakLabels
}

func (o odd) Name() string                 { return "odd" }
func (o odd) Classes() data.Classes        { return data.Classes{Names: []string{"background", "cat"}} }
func (o odd) Splits() []string             { return []string{"all"} }
func (o odd) IDs(string) ([]string, error) { return o.ids, nil }
func (o odd) ImagePath(id string) string   { return id }
func (o odd) Load(id string, want data.Want) (*data.Sample, error) {
	s := &data.Sample{ID: id, Weak: o.weak}
	if want&data.WantTruth != 0 {
		return nil, fmt.Errorf("%s: %w", id, data.ErrNoTruth)
	}
	if want&data.WantImage != 0 {
		s.Image = image.NewNRGBA(image.Rect(0, 0, 4, 4))
	}
	return s, nil
}

func TestOddLabels(t *testing.T) {
	o := odd{ids: []string{"a", "a"}, weak: data.WeakLabels{
		Tags: []int{0}, Points: []data.Point{{Class: 2}}, Scribbles: []data.Scribble{{Class: -1}},
		Boxes: []data.Box{{Class: 7, X1: 1, Y1: 1}, {Class: 1}, {Class: 1, X0: -1, Y0: -1, X1: 5, Y1: 5}},
	}}
	r, err := Run(t.Context(), o, "all", Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"tag-class": 2, "point-class": 2, "scribble-class": 2, "scribble-empty": 2, "box-class": 2, "box-empty": 2, "duplicate": 1}
	if diff := cmp.Diff(want, r.ByKind); diff != "" {
		t.Error(diff)
	}
	r, err = Run(t.Context(), odd{}, "all", Options{}, nil)
	if err != nil || r.ByKind["empty"] != 1 {
		t.Errorf("no images: %v, %v", r, err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	_, err := Run(ctx, odd{ids: ids}, "all", Options{Workers: 4}, func(done, total int) {
		if done == 20 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestScenesAreClean(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val = 12, 4
	if err := scenes.Write(t.Context(), dir, cfg, nil); err != nil {
		t.Fatal(err)
	}
	d, err := scenes.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), d, "trainval", Options{RequireMasks: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) > 0 || r.Samples != 16 || r.Masks != 16 {
		t.Errorf("%d samples, findings %+v", r.Samples, r.Findings)
	}
}

// A folder of VOC's layout with classes of its own, opened with VOC's: what is
// skipped is told.
func TestNamesOutsideTheClasses(t *testing.T) {
	root := t.TempDir()
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.Classes = 4, 1, 2
	if err := scenes.Write(t.Context(), root, cfg, nil); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		options map[string]any
		want    int
	}{
		{map[string]any{"classes": []any{"ball", "star"}}, 0},
		{map[string]any{"classes": []any{"ball", "moon"}}, 1},
	} {
		d, err := data.Open("voc", data.Options{Root: root, Extra: tc.options})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Run(t.Context(), d, "train", Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.ByKind["unknown-class"]; (got > 0) != (tc.want > 0) {
			t.Errorf("%v: %d warnings of unknown classes (%v)", tc.options, got, r.Findings)
		}
	}
}

// TestRealPhotos checks small extracts of VOC and COCO. That of COCO comes
// with annotations of val images, but not with the images.
func TestRealPhotos(t *testing.T) {
	for _, tc := range []struct {
		kind, dir, split string
		options          map[string]any
		samples, missing int
	}{
		{"voc", "voc_mini", "train_aug", map[string]any{"boxes": "masks", "points": "masks", "scribbles": "masks", "tags": "masks"}, 11, 0},
		{"voc", "voc_mini", "val", nil, 10, 0},
		{"coco", "tiny_coco", "train2017", nil, 49, 0},
		{"coco", "tiny_coco", "val2017", nil, 48, 48},
	} {
		t.Run(tc.kind+" "+tc.split, func(t *testing.T) {
			d, err := data.Open(tc.kind, data.Options{Root: datatest.Path(t, tc.dir), Extra: tc.options})
			if err != nil {
				t.Fatal(err)
			}
			r, err := Run(t.Context(), d, tc.split, Options{RequireMasks: true}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Samples != tc.samples || r.Images != tc.samples-tc.missing || r.Masks != tc.samples || r.ByKind["image"] != tc.missing || r.Errors != tc.missing {
				t.Errorf("%d samples, %d images, %d masks, %v", r.Samples, r.Images, r.Masks, r.ByKind)
			}
			// COCO's later annotations cover a spoon and a bowl wholly.
			if want := map[bool]int{true: 2}[tc.split == "train2017"]; r.ByKind["tags-mask"] != want || r.Warnings != want {
				t.Errorf("warnings %v, want %d tags-mask", r.ByKind, want)
			}
		})
	}
}
