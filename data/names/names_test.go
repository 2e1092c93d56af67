package names

import (
	"path/filepath"
	"testing"

	"wsss/data/datatest"
)

func TestClean(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		outside    bool
	}{
		{"a.jpg", "a.jpg", false},
		{" train/a.jpg ", "train/a.jpg", false},
		{`images\a.jpg`, "images/a.jpg", false},
		{"./x//a.jpg", "x/a.jpg", false},
		{"x/../a.jpg", "a.jpg", false},
		{"/home/me/a.jpg", "a.jpg", true},
		{`C:\photos\a.jpg`, "a.jpg", true},
		{"../../a.jpg", "a.jpg", true},
		{"https://example.org/x/a.jpg", "a.jpg", true},
		{"", "", false},
		{"..", "", true},
		{"/", "", true},
		{".", "", false},
		{"a\x00.jpg", "", false},
	} {
		if got, outside := Clean(tc.name); got != tc.want || outside != tc.outside {
			t.Errorf("%q: %q, outside %v: want %q, %v", tc.name, got, outside, tc.want, tc.outside)
		}
	}
	for name, want := range map[string]string{"x/a.JPG": "x/a", "a.jpg.png": "a.jpg", "a.txt": "a.txt", ".jpg": ".jpg", "x/.png": "x/.png", "a.b.WebP": "a.b"} {
		if got := TrimExtension(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestFinder(t *testing.T) {
	root := t.TempDir()
	nfd := "Ku\u0308che" // as macOS writes Küche
	for _, name := range []string{"IMG_1.JPG", "Sub/b.Png", nfd + ".jpeg", "c_mask.PNG", "d.jpg.png", "e-mask.png", "f.PNG", "g_mask.png", "x.jpg/y"} {
		path := filepath.Join(root, name)
		datatest.Write(t, path, "")
	}
	var f Finder
	at := func(name string) string { return filepath.Join(root, name) }
	for id, want := range map[string]string{
		"IMG_1": at("IMG_1.JPG"), "img_1": at("IMG_1.JPG"), "sub/B": at("Sub/b.Png"), "K\u00fcche": at(nfd + ".jpeg"), "none": "", "no/where": "", "x": "",
	} {
		if got := f.Image(root, id); got != want {
			t.Errorf("image %q: %q, want %q", id, got, want)
		}
	}
	if got := f.File(root, "img_1.jpg"); got != at("IMG_1.JPG") {
		t.Errorf("file %q", got)
	}
	taken := func(id string) bool { return id == "g_mask" }
	for id, want := range map[string]string{"c": at("c_mask.PNG"), "d": at("d.jpg.png"), "e": at("e-mask.png"), "f": at("f.PNG"), "g": "", "g_mask": at("g_mask.png")} {
		if got := f.Mask(root, id, id+".jpg", taken); got != want {
			t.Errorf("mask of %q: %q, want %q", id, got, want)
		}
	}
	for name, want := range map[string]string{"a_mask": "a", "x/a.jpg": "x/a", "a_labels": "a", "a": "", "_mask": "", "x/_mask": ""} {
		if got := MaskOf(name); got != want {
			t.Errorf("MaskOf(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add(`..\..\a.jpg`)
	f.Fuzz(func(t *testing.T, name string) {
		clean, _ := Clean(name)
		if clean != "" && !filepath.IsLocal(clean) {
			t.Errorf("%q became %q, which leaves its folder", name, clean)
		}
	})
}
