package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wsss/data"
	"wsss/eval"
)

// fixture is a dataset of photos and masks on disk, with label folders of
// three rows.
type fixture struct {
	dir     string
	classes []string
	ids     []string
}

func (f *fixture) Name() string                 { return "shapes" }
func (f *fixture) Classes() data.Classes        { return data.Classes{Names: f.classes} }
func (f *fixture) Splits() []string             { return []string{"val"} }
func (f *fixture) IDs(string) ([]string, error) { return f.ids, nil }
func (f *fixture) ImagePath(id string) string   { return filepath.Join(f.dir, "photo", id+".jpg") }
func (f *fixture) Load(id string, want data.Want) (*data.Sample, error) {
	s := &data.Sample{ID: id}
	var err error
	if want&data.WantTruth != 0 {
		s.Truth, err = data.ReadLabelMap(filepath.Join(f.dir, "truth", id+".png"))
		if errors.Is(err, fs.ErrNotExist) {
			err = data.ErrNoTruth
		}
	}
	if err == nil && want&data.WantImage != 0 {
		s.Image, err = data.ReadImage(f.ImagePath(id))
	}
	return s, err
}

// newFixture draws n images of w×h: one disc of class 1 + i mod 3 each, void
// around it; row k of labels is the disc moved by k·i/n radii.
func newFixture(t testing.TB, n, w, h int) *fixture {
	t.Helper()
	f := &fixture{dir: t.TempDir(), classes: []string{"background", "aeroplane", "bicycle", "<b>bird</b>"}}
	for i := range n {
		id := fmt.Sprintf("2008_%06d", i)
		if i == 7 { // names of people's own photos
			id = "zoo/a b#7?%41ü"
		}
		f.ids = append(f.ids, id)
		class := uint8(1 + i%3)
		r := h / 4
		photo := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				// Harder to compress than VOC's photos, which take 40 kB at 500
				// pixels and 10 at 256.
				grain := uint8((x/4*2654435761 ^ y/4*40503 ^ i*977) >> 7 % 72)
				v := uint8(70+(x*x/7+y*y/5+i*31)%60) + grain
				photo.SetRGBA(x, y, color.RGBA{v, v, uint8(60 + x*80/w), 255})
			}
		}
		var buf bytes.Buffer
		if err := jpeg.Encode(&buf, photo, nil); err != nil {
			t.Fatal(err)
		}
		writeFile(t, f.ImagePath(id), buf.Bytes())
		for k, name := range []string{"truth", "gen", "network", "bound"} {
			m := data.NewLabelMap(w, h)
			cx, cy := w/2+[]int{0, 2, 1, 0}[k]*r*i/n/2, h/2
			for y := range h {
				for x := range w {
					switch d := (x-cx)*(x-cx) + (y-cy)*(y-cy); {
					case d < r*r:
						m.Set(x, y, class)
					case d < (r+2)*(r+2) && k == 0:
						m.Set(x, y, data.Ignore)
					}
				}
			}
			if err := data.WriteLabelMap(filepath.Join(f.dir, name, id+".png"), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

func writeFile(t testing.TB, path string, raw []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, raw, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// report scores the three folders.
func (f *fixture) report(t testing.TB) Report {
	t.Helper()
	r := Report{Title: "Shapes & <i>tests</i>", Dataset: f, Config: "name = \"</pre><script>alert(1)</script>\"",
		From: eval.Provenance{Command: "wsss run", ConfigHash: "c0ffee", Seed: 7, Versions: map[string]string{"wsss": "1"}},
		Look: []Look{{Split: "val", ID: f.ids[2], Score: 0.25, Why: "stability 0.4"}}}
	for name, kind := range map[string]eval.Kind{"gen": eval.KindPseudo, "network": eval.KindNetwork, "bound": eval.KindBound} {
		res, err := eval.Folder(context.Background(), f, "val", filepath.Join(f.dir, name), eval.Options{Name: name, Kind: kind, Boundary: name == "gen"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Seconds, res.PerSecond = 1, 100
		r.Rows = append(r.Rows, Row{Result: res, Labels: filepath.Join(f.dir, name)})
	}
	for i := range r.Rows {
		if r.Rows[i].Kind == eval.KindPseudo {
			r.Rows[i].Quality = map[string]float64{}
			for k, im := range r.Rows[i].PerImage {
				r.Rows[i].Quality[im.ID] = 0.9*float64(im.MIoU) + 0.02*float64(k%5)
			}
		}
	}
	for i := range r.Rows { // maps have no order
		for j := range r.Rows[:i] {
			if r.Rows[j].Name > r.Rows[i].Name {
				r.Rows[i], r.Rows[j] = r.Rows[j], r.Rows[i]
			}
		}
	}
	log := filepath.Join(f.dir, "log.jsonl")
	var b strings.Builder
	for s := range 500 {
		fmt.Fprintf(&b, "{\"step\":%d,\"loss\":%g,\"lr\":%g}\n", s, 3/(1+float64(s)/50), 0.01*(1-float64(s)/500))
	}
	writeFile(t, log, []byte(b.String()+"{\"step\":50"))
	r.Curves = []Curve{{Name: "network", Log: log}, {Name: "bound", Log: filepath.Join(f.dir, "absent.jsonl")}}
	return r
}

func TestWrite(t *testing.T) {
	f := newFixture(t, 9, 60, 40)
	r := f.report(t)
	dir := t.TempDir()
	last := 0
	if err := Write(context.Background(), dir, r, func(done, total int) {
		if last++; done != last || total != 9 {
			t.Errorf("progress %d of %d, want %d of 9", done, total, last)
		}
	}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, HTMLName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Shapes &amp; &lt;i&gt;tests&lt;/i&gt;", "&lt;b&gt;bird&lt;/b&gt;", "&lt;/pre&gt;&lt;script&gt;", "network / bound",
		"report_files/500/0-val/1-gen", "c0ffee", "<polyline", "stability 0.4", "rank correlation", "<circle", "only gen", r.Rows[0].MIoU.Percent(),
	} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("%s lacks %q", HTMLName, want)
		}
	}
	for _, never := range []string{"<b>bird", "<script>alert", "ZgotmplZ", "http://", "https://", f.dir} {
		if bytes.Contains(page, []byte(never)) {
			t.Errorf("%s contains %q", HTMLName, never)
		}
	}
	var doc Document
	raw, err := os.ReadFile(filepath.Join(dir, JSONName))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &doc); err != nil || len(doc.Results) != 3 || doc.Results[1].MIoU != r.Rows[1].MIoU || len(doc.Comparisons) != 3 {
		t.Errorf("%s does not hold the results: %v, %d comparisons", JSONName, err, len(doc.Comparisons))
	}
	text, err := os.ReadFile(filepath.Join(dir, MarkdownName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| network | network | val | 9 |", "&lt;b&gt;bird&lt;/b&gt;", "- **network / bound:"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s lacks %q", MarkdownName, want)
		}
	}

	// Again: the same bytes, and pictures are not made anew.
	before := snapshot(t, dir)
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	for path, b := range snapshot(t, dir) {
		if before[path].sum != b.sum {
			t.Errorf("%s differs after a second run", path)
		}
		if strings.Contains(path, FilesName) && !before[path].inode(b) {
			t.Errorf("%s was made again", path)
		}
	}
	if n := len(before); n != 3+9*5 {
		t.Errorf("%d files, want 3 and five pictures of 9 images", n)
	}

	// A changed label is drawn anew; its neighbours are not.
	id := f.ids[4]
	if err := data.WriteLabelMap(filepath.Join(f.dir, "gen", id+".png"), data.NewLabelMap(60, 40)); err != nil {
		t.Fatal(err)
	}
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for path, b := range snapshot(t, dir) {
		if before[path].sum != b.sum && strings.Contains(path, FilesName) {
			changed++
			if !strings.HasSuffix(path, id+".png") {
				t.Errorf("%s changed, only %s should", path, id)
			}
		}
	}
	if changed != 1 {
		t.Errorf("%d files changed, want the picture of one label", changed)
	}
}

// TestPrune: folders of earlier reports go, other people's stay.
func TestPrune(t *testing.T) {
	f := newFixture(t, 3, 40, 30)
	r := f.report(t)
	dir := t.TempDir()
	for _, old := range []string{"240/0-val/photo/x.jpg", "500/1-train/truth/x.png", "500/0-val/7-gone/x.png", "notes/x.txt", "500/0-val/mine/x.txt"} {
		writeFile(t, filepath.Join(dir, FilesName, filepath.FromSlash(old)), []byte("x"))
	}
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	var left []string
	for path := range snapshot(t, filepath.Join(dir, FilesName)) {
		if strings.HasPrefix(filepath.Base(path), "x.") {
			left = append(left, filepath.Base(filepath.Dir(path)))
		}
	}
	slices.Sort(left)
	if !slices.Equal(left, []string{"mine", "notes"}) {
		t.Errorf("left are the files in %v, want mine and notes", left)
	}
	if n := len(snapshot(t, dir)); n != 3+2+3*5 {
		t.Errorf("%d files, want 3, 2 foreign ones and five pictures of 3 images", n)
	}
}

type state struct {
	sum  string
	info fs.FileInfo
}

func (s state) inode(o state) bool { return s.info != nil && os.SameFile(s.info, o.info) }

func snapshot(t *testing.T, dir string) map[string]state {
	t.Helper()
	out := map[string]state{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, errRead := os.ReadFile(path)
		info, errInfo := d.Info()
		out[path] = state{string(raw), info}
		return errors.Join(errRead, errInfo)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWriteLimits(t *testing.T) {
	f := newFixture(t, 6, 40, 30)
	r := f.report(t)
	r.Overlays, r.Look = 2, nil
	dir := t.TempDir()
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	photos, _ := filepath.Glob(filepath.Join(dir, FilesName, "*", "*", "photo", "*.jpg"))
	// Every image has a quality score, so that all of them are to look at.
	if len(photos) != 6 {
		t.Errorf("pictures of %v, want the two worst images and those to look at first", photos)
	}
	dir = t.TempDir()
	r.Look = []Look{{Split: "val", ID: f.ids[1]}, {Split: "train", ID: f.ids[0]}}
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	photos, _ = filepath.Glob(filepath.Join(dir, FilesName, "*", "*", "photo", "*.jpg"))
	// The worst ones: discs move further from image to image.
	if len(photos) != 3 || filepath.Base(photos[0]) != f.ids[1]+".jpg" || filepath.Base(photos[1]) != f.ids[4]+".jpg" || filepath.Base(photos[2]) != f.ids[5]+".jpg" {
		t.Errorf("pictures of %v, want the two worst images and the one to look at first", photos)
	}
	if err := Write(context.Background(), dir, Report{}, nil); err == nil {
		t.Error("empty report: no error")
	}
	if err := Write(context.Background(), dir, Report{Rows: []Row{{}}}, nil); err == nil {
		t.Error("row without result: no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Write(ctx, dir, r, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	writeFile(t, f.ImagePath(f.ids[5]), []byte("broken"))
	if err := os.Chtimes(f.ImagePath(f.ids[5]), time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := Write(context.Background(), dir, r, nil); err == nil || !strings.Contains(err.Error(), f.ids[5]) {
		t.Errorf("broken photo: error %v does not name it", err)
	}
}

// TestWithoutTruth: own photos without masks still have their pictures, sorted
// by quality.
func TestWithoutTruth(t *testing.T) {
	f := newFixture(t, 5, 40, 30)
	if err := os.RemoveAll(filepath.Join(f.dir, "truth")); err != nil {
		t.Fatal(err)
	}
	quality := map[string]float64{}
	for i, id := range f.ids {
		quality[id] = float64((i*3)%5) / 10
	}
	r := Report{Dataset: f, Rows: []Row{{Result: eval.Unscored(f, "val", "labels", eval.KindPseudo, 5), Labels: filepath.Join(f.dir, "gen"), Shown: f.ids, Quality: quality}}}
	dir := t.TempDir()
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, HTMLName))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"5 images without true masks", "0 of 5", "val: labels", `"id":"` + f.ids[0] + `"`, `"truth":""`, `"c":[1]`} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("page lacks %q", want)
		}
	}
	for _, empty := range []string{`id="errors"`, `id="classes"`} {
		if bytes.Contains(page, []byte(empty)) {
			t.Errorf("page has the section %s, with nothing to show", empty)
		}
	}
	if a, b := bytes.Index(page, []byte(`"id":"`+f.ids[0])), bytes.Index(page, []byte(`"id":"`+f.ids[2])); a > b {
		t.Error("the image of lowest quality is not the first")
	}
	if pictures, _ := filepath.Glob(filepath.Join(dir, FilesName, "*", "*", "*", "*")); len(pictures) != 10 {
		t.Errorf("%d pictures, want a photo and a label of 5 images", len(pictures))
	}
	for _, name := range []string{JSONName, MarkdownName} {
		if raw, err := os.ReadFile(filepath.Join(dir, name)); err != nil || bytes.Contains(raw, []byte("NaN")) {
			t.Errorf("%s: %v, or it holds NaN", name, err)
		}
	}
}
