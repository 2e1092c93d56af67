package folder

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/scenes"
)

// put writes a small text file below root.
func put(t *testing.T, root, name, text string) {
	t.Helper()
	datatest.Write(t, filepath.Join(root, filepath.FromSlash(name)), text)
}

// picture writes a PNG image of 8×6 pixels.
func picture(t *testing.T, root, name string) {
	t.Helper()
	put(t, root, name, "")
	f, err := os.Create(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, image.NewNRGBA(image.Rect(0, 0, 8, 6))); err != nil {
		t.Fatal(err)
	}
}

// small is a folder with three images in subfolders and one mask.
func small(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"images/a/b.png", "images/a/c.PNG", "images/d.png", "images/.hidden.png", "images/.trash/x.png"} {
		picture(t, root, name)
	}
	put(t, root, "images/readme.txt", "not an image")
	put(t, root, "classes.txt", "background\ncat\nhot dog\n\n")
	m := data.NewLabelMap(8, 6)
	m.Set(1, 1, 2)
	if err := data.WriteLabelMap(filepath.Join(root, "masks/a/b.png"), m); err != nil {
		t.Fatal(err)
	}
	return root
}

func open(t *testing.T, root string, opts Options) *Dataset {
	t.Helper()
	d, err := Open(root, opts, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLayout(t *testing.T) {
	root := small(t)
	put(t, root, "splits/train.txt", "a/c\nd.png\n")
	put(t, root, "splits/test.txt", "./a/b.png\r\n")
	d := open(t, root, Options{})
	for split, want := range map[string][]string{
		"all": {"a/b", "a/c", "d"}, "train": {"a/c", "d"}, "test": {"a/b"},
	} {
		if got, err := d.IDs(split); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", split, got, err, want)
		}
	}
	if !slices.Equal(d.Splits(), []string{"all", "test", "train"}) {
		t.Errorf("splits %v", d.Splits())
	}
	if _, err := d.IDs("val"); !errors.As(err, new(*data.SplitError)) || !strings.Contains(err.Error(), "all, test, train") {
		t.Errorf("unknown split: %v", err)
	}
	s, err := d.Load("a/b", data.WantAll)
	if err != nil {
		t.Fatal(err)
	}
	if s.Image.Rect.Dx() != 8 || s.Truth.At(1, 1) != 2 || s.Weak.Tags != nil {
		t.Errorf("sample %v, %v, %+v", s.Image.Rect, s.Truth.Size(), s.Weak)
	}
	if _, err := d.Load("d", data.WantTruth); !errors.Is(err, data.ErrNoTruth) {
		t.Errorf("no mask: %v", err)
	}
	if _, err := d.Load("../../etc/passwd", data.WantImage); err == nil || !strings.Contains(err.Error(), "no image") {
		t.Errorf("foreign id: %v", err)
	}
	if d.ImagePath("a/c") != filepath.Join(root, "images/a/c.PNG") || d.ImagePath("zz") != "" {
		t.Errorf("paths %q, %q", d.ImagePath("a/c"), d.ImagePath("zz"))
	}
}

func TestRootItselfHoldsTheImages(t *testing.T) {
	root := t.TempDir()
	picture(t, root, "x.png")
	picture(t, root, "masks/x.png")
	d := open(t, root, Options{Names: []string{"background", "cat"}})
	if ids, _ := d.IDs("all"); !slices.Equal(ids, []string{"x"}) {
		t.Errorf("ids %v: masks are no images", ids)
	}
}

func TestSeededSplit(t *testing.T) {
	root := t.TempDir()
	for i := range 50 {
		picture(t, root, "images/"+string(rune('a'+i%26))+strings.Repeat("x", i/26)+".png")
	}
	opts := Options{Names: []string{"background", "cat"}, ValFraction: 0.3}
	lists := map[int64][]string{}
	for _, seed := range []int64{1, 1, 2} {
		d, err := Open(root, opts, seed)
		if err != nil {
			t.Fatal(err)
		}
		train, _ := d.IDs("train")
		val, _ := d.IDs("val")
		all, _ := d.IDs("all")
		if len(val) != 15 || !slices.Equal(slices.Sorted(slices.Values(slices.Concat(train, val))), all) {
			t.Errorf("seed %d: %d + %d images", seed, len(train), len(val))
		}
		if old, again := lists[seed]; again && !slices.Equal(old, val) {
			t.Errorf("seed %d gives two splits", seed)
		}
		lists[seed] = val
	}
	if slices.Equal(lists[1], lists[2]) {
		t.Error("the seed changes nothing")
	}
}

func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name       string
		file, text string
		opts       Options
		want       []string
	}{
		{"split", "splits/train.txt", "d\n\nmissing\n", Options{}, []string{"train.txt:3", "missing"}},
		{"split twice", "splits/train.txt", "d\nd.png\n", Options{}, []string{"train.txt:2", "line 1"}},
		{"split taken", "splits/val.txt", "d\n", Options{ValFraction: 0.5}, []string{"val.txt", "val_fraction"}},
		{"fraction", "x", "", Options{ValFraction: 1.5}, []string{"val_fraction = 1.5", "between 0 and 1"}},
		{"no background", "classes.txt", "cat\ndog\n", Options{}, []string{"classes.txt", `"cat"`, "background"}},
		{"class twice", "classes.txt", "background\ncat\ncat\n", Options{}, []string{"classes.txt", `both called "cat"`}},
		{"no classes", "x", "", Options{Classes: "names.txt"}, []string{"names.txt", "one per line"}},
		{"escape", "x", "", Options{Images: "../elsewhere"}, []string{"images", "leaves its folder"}},
		{"no folder", "x", "", Options{Masks: "truth"}, []string{`masks = "truth"`}},
		{"a file", "x", "", Options{Masks: "x"}, []string{`masks = "x"`, "is a file"}},
		{"no labels", "x", "", Options{Labels: []string{"l.csv"}}, []string{"l.csv"}},
		{"labels of what", "l.xls", "", Options{Labels: []string{"l.xls"}}, []string{"l.xls", ".csv and .json"}},
		{"same id", "images/d.jpg", "", Options{}, []string{"d.jpg", "d.png", `same id "d"`}},
		{"bad row", "labels.csv", "image,tags\nd,cat\na/b,cow\n", Options{}, []string{"labels.csv:3", `"cow"`, "cat, hot dog"}},
		{"unknown image", "tags.csv", "image,tags\nq,cat\n", Options{}, []string{"tags.csv:2", `"q"`, "skip_unknown"}},
		{"two files", "tags.csv", "image,tags\nd,cat\n", Options{Labels: []string{"tags.csv", "tags.csv"}}, []string{"tags.csv", `"d" has tags`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := small(t)
			put(t, root, tc.file, tc.text)
			_, err := Open(root, tc.opts, 1)
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("error %v lacks %q", err, want)
				}
			}
		})
	}
	if _, err := Open("", Options{}, 1); err == nil {
		t.Error("no root passes")
	}
	if _, err := Open(t.TempDir(), Options{}, 1); err == nil || !strings.Contains(err.Error(), "no image") {
		t.Errorf("empty folder: %v", err)
	}
}

// TestByteOrderMark: label files as Windows writes them.
func TestByteOrderMark(t *testing.T) {
	for name, text := range map[string]string{
		"labels.json": "\ufeff{\"d\": {\"tags\": [1]}}\r\n", "tags.csv": "\ufeffimage,tags\r\nd,1\r\n",
	} {
		root := small(t)
		put(t, root, name, text)
		d, err := Open(root, Options{Labels: []string{name}}, 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s, err := d.Load("d", data.WantWeak); err != nil || !slices.Equal(s.Weak.Tags, []int{1}) {
			t.Errorf("%s: %+v (%v)", name, s, err)
		}
	}
}

// TestOnlyFiles: what has an image's name and is no file is no image.
func TestOnlyFiles(t *testing.T) {
	root := small(t)
	want, err := List(filepath.Join(root, "images"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "images/folder.jpg"), 0o755); err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("unix", filepath.Join(root, "images/s.jpg")); err == nil { // stands for a pipe, too
		defer l.Close()
	}
	if got, err := List(filepath.Join(root, "images")); err != nil || len(got) != len(want) {
		t.Errorf("%d images (%v), want %d", len(got), err, len(want))
	}
}

// TestUnread: pictures of other types, and masks that are no PNG, are told.
func TestUnread(t *testing.T) {
	root := small(t)
	d, err := Open(root, Options{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if lines, err := d.Unread(); err != nil || len(lines) != 0 {
		t.Errorf("%q (%v) of a folder where everything is read", lines, err)
	}
	for _, name := range []string{"images/IMG_1.HEIC", "images/deep/er/x.webp", "images/notes.txt", "images/.hidden/y.gif", "masks/d.jpg", "masks/e.TIF", "masks/f.npy"} {
		put(t, root, name, "")
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(root, "images", "more")); err != nil {
		t.Fatal(err)
	}
	lines, err := d.Unread()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		filepath.Join(root, "images") + ": links to folders are not followed: more (name a folder that is one itself, by data.options.images or masks)",
		filepath.Join(root, "images") + ": files that are left out, as only JPEG, PNG, WebP, TIFF and BMP are read: IMG_1.HEIC",
		filepath.Join(root, "masks") + ": files that are left out, as only PNG are read: d.jpg, e.TIF, f.npy",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got %q, want %q", lines, want)
	}
}

func TestOpenByKind(t *testing.T) {
	root := small(t)
	d, err := data.Open("folder", data.Options{Root: root, Extra: map[string]any{"names": []string{"background", "x"}}})
	if err != nil || d.Name() != "folder" || d.Classes().Index("x") != 1 {
		t.Errorf("%v, %v", d, err)
	}
	_, err = data.Open("folder", data.Options{Root: root, Extra: map[string]any{"mask": "m"}})
	if err == nil || !strings.Contains(err.Error(), "masks") {
		t.Errorf("misspelt key: %v", err)
	}
}

// TestLabelsComeWithTheSample also checks that callers get copies, that a form
// without a file stays nil, and that tags follow from the other forms.
func TestLabelsComeWithTheSample(t *testing.T) {
	root := small(t)
	put(t, root, "boxes.csv", "image,class,x0,y0,x1,y1\na/b.png,hot dog,1,2,3.5,4\na/b,1,0,0,1,1\nd,,,,,\n")
	put(t, root, "labels.json", `{"a/b": {"points": [{"class": 0, "x": 7, "y": 5}]}, "a/c.PNG": {"tags": ["cat"]}}`)
	d := open(t, root, Options{})
	for kind, ok := range map[data.WeakKind]bool{data.WeakTags: true, data.WeakPoints: true, data.WeakBoxes: true, data.WeakScribbles: false, data.WeakNone: true} {
		if err := d.WeakSource(kind); (err == nil) != ok {
			t.Errorf("%s: %v", kind, err)
		}
	}
	want := map[string]data.WeakLabels{
		"a/b": {Tags: []int{1, 2}, Points: []data.Point{{X: 7, Y: 5}}, Boxes: []data.Box{{X0: 1, Y0: 2, X1: 3.5, Y1: 4, Class: 2}, {X1: 1, Y1: 1, Class: 1}}},
		"a/c": {Tags: []int{1}},
		"d":   {Tags: []int{}, Boxes: []data.Box{}},
	}
	for range 2 {
		for id, w := range want {
			s, err := d.Load(id, data.WantWeak)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(w, s.Weak); diff != "" {
				t.Errorf("%s: %s", id, diff)
			}
			for i := range s.Weak.Tags {
				s.Weak.Tags[i] = 99
			}
		}
	}
}

// TestRoundTripScenes writes the generated set as a folder in both formats and
// reads it back.
func TestRoundTripScenes(t *testing.T) {
	dir := t.TempDir()
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val = 6, 2
	if err := scenes.Write(t.Context(), filepath.Join(dir, "scenes"), cfg, nil); err != nil {
		t.Fatal(err)
	}
	src, err := scenes.Open(filepath.Join(dir, "scenes"))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := src.IDs("trainval")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"csv", "json"} {
		root := filepath.Join(dir, format)
		var records []Record
		for i, id := range ids {
			s, err := src.Load(id, data.WantTruth|data.WantWeak)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				s.Weak.Points = []data.Point{} // an image that holds nothing
			}
			if i == 1 && format == "csv" {
				s.Weak.Scribbles = nil // a form that is not available
			}
			s.Weak.Boxes[0].X0 += 0.1
			s.Weak.Boxes[0].Difficult = true
			name := "sub folder/" + id
			records = append(records, Record{ID: name, W: s.Truth.W, H: s.Truth.H, Weak: s.Weak})
			raw, err := os.ReadFile(src.ImagePath(id))
			if err != nil {
				t.Fatal(err)
			}
			put(t, root, "images/"+name+".jpg", string(raw))
			if err := data.WriteLabelMap(filepath.Join(root, "masks", name+".png"), s.Truth); err != nil {
				t.Fatal(err)
			}
		}
		put(t, root, "classes.txt", strings.Join(src.Classes().Names, "\n"))
		if format == "csv" {
			_, err = WriteCSV(root, records, src.Classes())
		} else {
			err = WriteJSON(filepath.Join(root, "labels.json"), records, src.Classes())
		}
		if err != nil {
			t.Fatal(err)
		}
		d := open(t, root, Options{})
		for i, r := range records {
			want, err := src.Load(ids[i], data.WantImage|data.WantTruth)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Load(r.ID, data.WantAll)
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != r.ID || !bytes.Equal(got.Image.Pix, want.Image.Pix) || !bytes.Equal(got.Truth.Pix, want.Truth.Pix) {
				t.Errorf("%s %s: image or mask changed", format, r.ID)
			}
			if diff := cmp.Diff(r.Weak, got.Weak); diff != "" {
				t.Errorf("%s %s: %s", format, r.ID, diff)
			}
		}
	}
}
