package export

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wsss/data"
)

var testClasses = data.Classes{Names: []string{"background", "cat", "hot dog", "a \"b\" & c: d"}}

// polygonMap draws polygons on an empty map.
func polygonMap(w, h int, classes []int, rings [][][2]float64) *data.LabelMap {
	m := data.NewLabelMap(w, h)
	for i, ring := range rings {
		fill(m, ring, uint8(classes[i]))
	}
	return m
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// readCOCO reads coco.json back to label maps by file name.
func readCOCO(t *testing.T, dir string) map[string]*data.LabelMap {
	t.Helper()
	var f struct {
		Images      []cocoImage
		Annotations []cocoAnnotation
		Categories  []cocoCategory
	}
	readJSON(t, filepath.Join(dir, "coco.json"), &f)
	for i, name := range testClasses.Names[1:] {
		if f.Categories[i].ID != i+1 || f.Categories[i].Name != name {
			t.Errorf("category %+v, want %d %q", f.Categories[i], i+1, name)
		}
	}
	out, byID := map[string]*data.LabelMap{}, map[int]*data.LabelMap{}
	for _, im := range f.Images {
		m := data.NewLabelMap(im.Width, im.Height)
		if byID[im.ID] != nil {
			t.Errorf("image id %d twice", im.ID)
		}
		out[im.File], byID[im.ID] = m, m
	}
	for i, a := range f.Annotations {
		m := byID[a.ImageID]
		code, err := data.ParseCOCOString(a.Mask.Counts, a.Mask.Size[1], a.Mask.Size[0])
		if err != nil {
			t.Fatal(err)
		}
		b := code.Bounds()
		if a.ID != i+1 || a.Area != code.Area() || a.BBox != [4]int{b.Min.X, b.Min.Y, b.Dx(), b.Dy()} || a.Crowd != 0 {
			t.Errorf("annotation %+v: area %d, bounds %v", a, code.Area(), b)
		}
		for k, in := range code.Decode() {
			if in != 0 {
				m.Pix[k] = uint8(a.Category)
			}
		}
	}
	return out
}

func readYOLO(t *testing.T, path string, w, h int) *data.LabelMap {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var classes []int
	var rings [][][2]float64
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		var v []float64
		for _, f := range fields[1:] {
			x, err := strconv.ParseFloat(f, 64)
			if err != nil || x < 0 || x > 1 {
				t.Fatalf("%s: %q", path, f)
			}
			v = append(v, x)
		}
		c, err := strconv.Atoi(fields[0])
		if err != nil || len(v) < 6 || len(v)%2 != 0 {
			t.Fatalf("%s: %q", path, line)
		}
		var ring [][2]float64
		for i := 0; i < len(v); i += 2 {
			ring = append(ring, [2]float64{v[i] * float64(w), v[i+1] * float64(h)})
		}
		classes, rings = append(classes, c+1), append(rings, ring)
	}
	return polygonMap(w, h, classes, rings)
}

func readLabelme(t *testing.T, path string) (*data.LabelMap, string) {
	t.Helper()
	var f labelmeFile
	readJSON(t, path, &f)
	var classes []int
	var rings [][][2]float64
	for _, s := range f.Shapes {
		var ring [][2]float64
		for _, p := range s.Points {
			ring = append(ring, [2]float64{float64(p[0]), float64(p[1])})
		}
		classes, rings = append(classes, testClasses.Index(s.Label)), append(rings, ring)
	}
	return polygonMap(f.Width, f.Height, classes, rings), f.Path
}

func readCVAT(t *testing.T, dir string) map[string]*data.LabelMap {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "cvat.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Version string      `xml:"version"`
		Labels  []cvatLabel `xml:"meta>task>labels>label"`
		Images  []cvatImage `xml:"image"`
	}
	if err := xml.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	if f.Version != "1.1" || len(f.Labels) != 3 || f.Labels[2].Name != testClasses.Names[3] || f.Labels[0].Color != "#800000" {
		t.Errorf("version %q labels %+v", f.Version, f.Labels)
	}
	out := map[string]*data.LabelMap{}
	for i, im := range f.Images {
		if im.ID != i {
			t.Errorf("image %d has id %d", i, im.ID)
		}
		var classes []int
		var rings [][][2]float64
		for _, p := range im.Polygons {
			var ring [][2]float64
			for pair := range strings.SplitSeq(p.Points, ";") {
				var x, y float64
				if _, err := fmt.Sscanf(pair, "%f,%f", &x, &y); err != nil {
					t.Fatalf("point %q: %v", pair, err)
				}
				ring = append(ring, [2]float64{x, y})
			}
			classes, rings = append(classes, testClasses.Index(p.Label)), append(rings, ring)
		}
		out[im.Name] = polygonMap(im.Width, im.Height, classes, rings)
	}
	return out
}

// sample is a prediction and its image.
type sample struct {
	id    string
	img   *image.NRGBA
	label *data.LabelMap
}

func samples() []sample {
	var out []sample
	for i, id := range []string{"a", "sub folder/b", "sub folder/deep/c", "empty", "void"} {
		m := random(uint64(i), 61+7*i, 43, 4, 3)
		if id == "empty" {
			m = data.NewLabelMap(20, 10)
		}
		if id == "void" {
			m = parse("***", "***")
		}
		out = append(out, sample{id, image.NewNRGBA(image.Rect(0, 0, m.W, m.H)), m})
	}
	return out
}

func addAll(t *testing.T, w Writer, list []sample) {
	t.Helper()
	for _, s := range list {
		if err := w.Add(s.id, s.img, s.label); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, format, dir string) Writer {
	t.Helper()
	w, err := Open(format, dir, testClasses)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	list := samples()
	for _, format := range Formats() {
		w := open(t, format, dir)
		addAll(t, w, list)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	coco, cvat := readCOCO(t, dir), readCVAT(t, dir)
	if len(coco) != len(list) || len(cvat) != len(list) {
		t.Errorf("coco has %d images, cvat %d, want %d", len(coco), len(cvat), len(list))
	}
	for _, s := range list {
		want := withoutVoid(s.label)
		same := func(format string, got *data.LabelMap) {
			t.Helper()
			if got == nil || got.Size() != want.Size() || !slices.Equal(got.Pix, want.Pix) {
				t.Errorf("%s: %s changes the labels", s.id, format)
			}
		}
		same("coco", coco[s.id+".jpg"])
		same("cvat", cvat[s.id+".jpg"])
		same("yolo", readYOLO(t, filepath.Join(dir, "yolo/labels", s.id+".txt"), want.W, want.H))
		labelme, file := readLabelme(t, filepath.Join(dir, "labelme", s.id+".json"))
		same("labelme", labelme)
		if file != filepath.Base(s.id)+".jpg" {
			t.Errorf("labelme points at %q", file)
		}
		got, err := data.ReadLabelMap(filepath.Join(dir, s.id+".png"))
		if err != nil || !slices.Equal(got.Pix, s.label.Pix) {
			t.Errorf("%s: png changes the labels, void included: %v", s.id, err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "yolo/data.yaml"))
	if err != nil || !strings.Contains(string(raw), "nc: 3\n") || !strings.Contains(string(raw), `  2: "a \"b\" \u0026 c: d"`) {
		t.Errorf("data.yaml: %v\n%s", err, raw)
	}
}

func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		out[filepath.ToSlash(name)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestResume stops a run in the middle of a write, goes on in another order
// and from several goroutines, and expects the bytes of an undisturbed run.
func TestResume(t *testing.T) {
	list := samples()
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) {
			whole, stopped := t.TempDir(), t.TempDir()
			w := open(t, format, whole)
			addAll(t, w, list)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			w = open(t, format, stopped)
			wrong := sample{list[0].id, list[0].img, data.NewLabelMap(list[0].label.W, list[0].label.H)}
			addAll(t, w, []sample{wrong, list[1]}) // and no Close: the run was killed
			tear(t, stopped)
			w = open(t, format, stopped)
			var wg sync.WaitGroup
			for _, s := range slices.Backward(list) {
				if s.id == list[1].id {
					continue // done before the run was killed
				}
				wg.Go(func() {
					if err := w.Add(s.id, s.img, s.label); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tree(t, whole), tree(t, stopped)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// tear appends half a line to the logs in a folder.
func tear(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, ".*.parts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		raw, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(raw), "\n")
		if err := os.WriteFile(log, append(raw, lines[1][:len(lines[1])/2]...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFaults(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open("gif", dir, testClasses); err == nil || !strings.Contains(err.Error(), "png, overlay, coco") {
		t.Errorf("unknown format: %v", err)
	}
	if _, err := OpenWith("png", dir, testClasses, Options{Opacity: 2}); err == nil {
		t.Error("opacity 2 passes")
	}
	if _, err := OpenWith("yolo", dir, testClasses, Options{Tolerance: -1}); err == nil {
		t.Error("tolerance -1 passes")
	}
	good := parse("1.", ".2")
	for _, format := range Formats() {
		if Describe(format) == "" {
			t.Errorf("%s is not described", format)
		}
		w := open(t, format, dir)
		for name, err := range map[string]error{
			"wrong size": w.Add("a", image.NewNRGBA(image.Rect(0, 0, 3, 3)), good),
			"value 4":    w.Add("a", image.NewNRGBA(image.Rect(0, 0, 1, 1)), parse("4")),
		} {
			if err == nil {
				t.Errorf("%s: %s passes", format, name)
			}
		}
		if err := w.Add("../../a", image.NewNRGBA(image.Rect(0, 0, 2, 2)), good); err == nil {
			t.Errorf("%s: an id leaves the folder", format)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("%s: a second Close: %v", format, err)
		}
	}
	_, err := Open("coco", dir, data.Classes{Names: []string{"background", "dog"}})
	if err == nil || !strings.Contains(err.Error(), "other classes") {
		t.Errorf("other classes: %v", err)
	}
	if err := open(t, "overlay", dir).Add("a", nil, good); err == nil {
		t.Error("an overlay without image passes")
	}
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	w, err := OpenWith("coco", dir, testClasses, Options{MinArea: 2, FileName: func(id string) string { return "photos/" + id + ".png" }})
	if err != nil {
		t.Fatal(err)
	}
	addAll(t, w, []sample{{"x", nil, parse("11.2", "....")}})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := readCOCO(t, dir)["photos/x.png"]
	if got == nil || !slices.Equal(got.Pix, parse("11..", "....").Pix) {
		t.Errorf("%v", got)
	}
}

func TestOverlay(t *testing.T) {
	dir := t.TempDir()
	img := image.NewNRGBA(image.Rect(0, 0, 32, 24))
	for i := range img.Pix {
		img.Pix[i] = 100
	}
	m := data.NewLabelMap(32, 24)
	for y := 4; y < 20; y++ {
		for x := 8; x < 24; x++ {
			m.Set(x, y, 2) // (0, 128, 0)
		}
	}
	over := Overlay(img, m, 0.5)
	for at, want := range map[image.Point][4]uint8{
		{X: 0, Y: 0}: {100, 100, 100, 255}, {X: 16, Y: 12}: {50, 114, 50, 255}, {X: 8, Y: 12}: {0, 128, 0, 255},
	} {
		c := over.NRGBAAt(at.X, at.Y)
		if got := [4]uint8{c.R, c.G, c.B, c.A}; got != want {
			t.Errorf("pixel %v is %v, want %v", at, got, want)
		}
	}
	if img.Pix[img.PixOffset(16, 12)] != 100 {
		t.Error("the image itself was painted over")
	}
	w := open(t, "overlay", dir)
	addAll(t, w, []sample{{"a/b", img, m}})
	f, err := os.Open(filepath.Join(dir, "overlay/a/b.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := jpeg.Decode(f); err != nil || got.Bounds().Size() != img.Rect.Size() {
		t.Errorf("%v, %v", got, err)
	}
}
