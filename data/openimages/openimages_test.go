package openimages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
)

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	datatest.Write(t, path, text)
	return path
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTable(t *testing.T) {
	for kind, want := range map[string]int{"voc": 20, "coco": 80} {
		l, err := newLabels(kind, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(l.classes) != want {
			t.Errorf("%s: %d classes, want %d", kind, len(l.classes), want)
		}
		for c, class := range l.classes {
			if len(l.is[c]) == 0 {
				t.Errorf("%s: class %q means no label", kind, class.Name)
			}
		}
	}
	words := map[string]string{}
	voc, _ := Classes("voc")
	for _, c := range voc {
		words[c.Name] = c.Word
	}
	for name, want := range map[string]string{"motorbike": "motor bikes", "tvmonitor": "television", "pottedplant": "potted plant", "person": "person"} {
		if words[name] != want {
			t.Errorf("%s is called %q, want %q", name, words[name], want)
		}
	}
	if _, err := Classes("ade"); err == nil || !strings.Contains(err.Error(), "voc, coco") {
		t.Errorf("unknown kind: %v", err)
	}
}

func TestDescriptions(t *testing.T) {
	dir := t.TempDir()
	good := write(t, dir, "class-descriptions.csv", "LabelName,DisplayName\n"+namesCSV+"/m/x,\"Comma, name\"\n")
	if _, err := newLabels("coco", good); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"other meaning": strings.Replace(namesCSV, ",Person", ",Dragon", 1),
		"not a table":   "hello\n",
		"no identifier": "Person,/m/01g317\n",
	} {
		path := write(t, dir, "bad.csv", text)
		if _, err := newLabels("voc", path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHierarchy uses a part of the official tree, and one with a label more.
func TestHierarchy(t *testing.T) {
	const tree = `{"LabelName":"/m/0bl9f","Subcategory":[{"LabelName":"/m/01g317","Subcategory":[{"LabelName":"/m/04yx4"}%s]}]}`
	dir := t.TempDir()
	if err := checkHierarchy("voc", write(t, dir, "h.json", fmt.Sprintf(tree, ""))); err != nil {
		t.Error(err)
	}
	err := checkHierarchy("voc", write(t, dir, "h.json", fmt.Sprintf(tree, `,{"LabelName":"/m/0zzz"}`)))
	if err == nil || !strings.Contains(err.Error(), "/m/0zzz") {
		t.Errorf("a label that the mapping lacks: %v", err)
	}
	if path := os.Getenv("OPENIMAGES_HIERARCHY"); path != "" {
		for _, kind := range Kinds {
			if err := checkHierarchy(kind, path); err != nil {
				t.Error(err)
			}
		}
	}
}

// say runs classify on verdicts by label name.
func say(t *testing.T, kind string, said map[string]verdict) (positive, negative []string) {
	t.Helper()
	l, err := newLabels(kind, "")
	if err != nil {
		t.Fatal(err)
	}
	v := make([]verdict, len(l.ids))
	for name, x := range said {
		i, ok := l.byName[name]
		if !ok {
			t.Fatalf("no label %q", name)
		}
		v[i] = x
	}
	p, n := l.classify(v)
	for _, c := range p {
		positive = append(positive, l.classes[c-1].Name)
	}
	for _, c := range n {
		negative = append(negative, l.classes[c-1].Name)
	}
	return positive, negative
}

func TestClassify(t *testing.T) {
	type said = map[string]verdict
	for _, c := range []struct {
		name          string
		said          said
		person, tv    string // +, −, or nothing
		also, without string // classes that must or must not be negative
	}{
		{name: "a man is a person", said: said{"Man": present}, person: "+"},
		{name: "no man may still be a woman", said: said{"Man": absent}},
		{name: "no person", said: said{"Person": absent}, person: "-"},
		{name: "no person, yet a man", said: said{"Person": absent, "Man": present}, person: "+"},
		{name: "both said", said: said{"Person": disputed}},
		{name: "a face is no whole person, but doubts the absence", said: said{"Person": absent, "Human face": present}},
		{name: "no animal, no bird", said: said{"Animal": absent}, also: "bird cat cow dog horse sheep", without: "person"},
		{name: "no television, monitors unknown", said: said{"Television": absent}},
		{name: "neither", said: said{"Television": absent, "Computer monitor": absent}, tv: "-"},
		{name: "a monitor", said: said{"Television": absent, "Computer monitor": present}, tv: "+"},
		{name: "no table", said: said{"Table": absent}, also: "diningtable"},
		{name: "some table", said: said{"Table": present, "Kitchen & dining room table": absent}, without: "diningtable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, n := say(t, "voc", c.said)
			for class, want := range map[string]string{"person": c.person, "tvmonitor": c.tv} {
				got := ""
				if slices.Contains(p, class) {
					got += "+"
				}
				if slices.Contains(n, class) {
					got += "-"
				}
				if got != want {
					t.Errorf("%s: %q, want %q", class, got, want)
				}
			}
			for _, class := range strings.Fields(c.also) {
				if !slices.Contains(n, class) {
					t.Errorf("%s is not negative (%v)", class, n)
				}
			}
			for _, class := range strings.Fields(c.without) {
				if slices.Contains(n, class) {
					t.Errorf("%s is negative", class)
				}
			}
		})
	}
}

const (
	labelHead = "ImageID,Source,LabelName,Confidence\n"
	boxHead   = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)

// files are three images: a man with a car that has a box, a cat that is no
// dog, and an image where nothing but absence is known.
func csvs(t testing.TB, dir string) (labels, boxes string) {
	labels = write(t, dir, "train-annotations-human-imagelabels.csv", labelHead+
		"f000000000000001,verification,/m/01yrx,1\n"+
		"000000000000000a,verification,/m/04yx4,1\n"+
		"f000000000000001,crowdsource-verification,/m/0bt9lr,0\r\n"+
		"\n"+
		"7000000000000002,verification,/m/01g317,0\n"+
		"7000000000000002,verification,/m/0unknown,1\n")
	boxes = write(t, dir, "train-annotations-bbox.csv", boxHead+
		"000000000000000a,xclick,/m/0k4j,1,0.25,0.5,0.1,0.9,0,0,1,0,-1\n"+
		"000000000000000a,xclick,/m/01yrx,1,0,1,0,1,0,0,0,1,0\n")
	return labels, boxes
}

func TestBuild(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	labels, boxes := csvs(t, dir)
	opt := Options{Classes: "voc", Split: "train", Labels: []string{labels}, Boxes: []string{boxes}, Sampling: Sampling{Negatives: 9}}
	m, err := Build(context.Background(), out, opt)
	if err != nil {
		t.Fatal(err)
	}
	if m.Images != 3 || m.Boxes != 1 || m.Positive[14] != 1 || m.Negative[11] != 1 || m.Sources[0].Kept != 4 {
		t.Errorf("manifest %+v", m)
	}
	want := "ImageID,Positive,Negative\n000000000000000a,car;person,\n7000000000000002,,person\nf000000000000001,cat,dog\n"
	if got := read(t, out, "train.labels.csv"); got != want {
		t.Errorf("labels\n%s\nwant\n%s", got, want)
	}
	if got, want := read(t, out, "train.images.txt"), "train/000000000000000a\ntrain/7000000000000002\ntrain/f000000000000001\n"; got != want {
		t.Errorf("list %q", got)
	}
	if got := read(t, out, "train.boxes.csv"); !strings.HasSuffix(got, "000000000000000a,car,0.25,0.1,0.5,0.9,1,0\n") || strings.Count(got, "\n") != 2 {
		t.Errorf("boxes %q", got)
	}
	if entries, _ := os.ReadDir(out); len(entries) != 4 {
		t.Errorf("left in the folder: %v", entries)
	}
	again, err := Build(context.Background(), out, opt)
	if err != nil || !again.Unchanged {
		t.Errorf("second call: %+v, %v", again, err)
	}
	opt.Sampling.Negatives = 0
	if m, err = Build(context.Background(), out, opt); err != nil || m.Unchanged || m.Images != 2 {
		t.Errorf("without negatives: %+v, %v", m, err)
	}
	opt.Depictions = true
	if m, err = Build(context.Background(), out, opt); err != nil || m.Boxes != 2 {
		t.Errorf("with depictions: %+v, %v", m, err)
	}
}

func TestMalformedRows(t *testing.T) {
	good := "000000000000000a,v,/m/04yx4,1\n"
	goodBox := "000000000000000a,x,/m/0k4j,1,0.25,0.5,0.1,0.9,0,0,1,0,0\n"
	for _, c := range []struct{ name, head, row, want string }{
		{"fields", labelHead, "000000000000000a,v,/m/04yx4\n", "3 fields"},
		{"short id", labelHead, "00a,v,/m/04yx4,1\n", "ImageID"},
		{"id of other letters", labelHead, "00000000000000zz,v,/m/04yx4,1\n", "ImageID"},
		{"machine label", labelHead, "000000000000000a,machine,/m/04yx4,0.8\n", "confidence"},
		{"label", labelHead, "000000000000000a,v,Man,1\n", "LabelName"},
		{"quotes", labelHead, "000000000000000a,\"v,/m/04yx4,1\n", "quotes"},
		{"long line", labelHead, strings.Repeat("x", 3*maxLine) + "\n", "longer than"},
		{"corner", boxHead, "000000000000000a,x,/m/0k4j,1,0.25,1.5,0.1,0.9,0,0,1,0,0\n", "XMax"},
		{"not a number", boxHead, "000000000000000a,x,/m/0k4j,1,NaN,0.5,0.1,0.9,0,0,1,0,0\n", "XMin"},
		{"order", boxHead, "000000000000000a,x,/m/0k4j,1,0.5,0.25,0.1,0.9,0,0,1,0,0\n", "minima"},
		{"flag", boxHead, "000000000000000a,x,/m/0k4j,1,0.25,0.5,0.1,0.9,yes,0,1,0,0\n", "flag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			ok := good
			if c.head == boxHead {
				ok = goodBox
			}
			path := write(t, dir, "in.csv", c.head+ok+c.row+ok)
			opt := Options{Classes: "voc", Split: "train", Labels: []string{path}}
			_, err := Build(context.Background(), t.TempDir(), opt)
			var row *RowError
			if !errors.As(err, &row) || row.Line != 3 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("error %v", err)
			}
			opt.SkipBad = true
			m, err := Build(context.Background(), t.TempDir(), opt)
			if err != nil || m.Images != 1 || m.Bad() != 1 || !strings.Contains(m.Sources[0].First[0], "in.csv: line 3: ") || m.Sources[0].Kept != 2 {
				t.Fatalf("skipped: %+v, %v", m, err)
			}
		})
	}
	for name, head := range map[string]string{"empty": "", "no header": good, "half a header": "ImageID,LabelName,Confidence,XMin\n"} {
		path := write(t, t.TempDir(), "in.csv", head)
		_, err := Build(context.Background(), t.TempDir(), Options{Classes: "voc", Split: "train", Labels: []string{path}, SkipBad: true})
		if err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// generate writes a label file of n rows in a fixed disorder.
func generate(t testing.TB, dir string, n int) string {
	t.Helper()
	l, err := newLabels("voc", "")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(labelHead)
	for i := range n {
		id := uint64(i/3+1) * 0x9e3779b97f4a7c15
		fmt.Fprintf(&b, "%016x,verification,%s,%d\n", id, l.ids[(i*7+i/50)%len(l.ids)], i%4/3)
	}
	return write(t, dir, "labels.csv", b.String())
}

// TestResume stops a scan at many places; the result has the same bytes.
func TestResume(t *testing.T) {
	defer func(old int64) { checkpointEvery = old }(checkpointEvery)
	checkpointEvery = 100 << 10
	dir := t.TempDir()
	opt := Options{Classes: "voc", Split: "train", Labels: []string{generate(t, dir, 60_000)}, Sampling: Sampling{PerClass: 50, Negatives: 20, Seed: 3}}
	whole := t.TempDir()
	if _, err := Build(context.Background(), whole, opt); err != nil {
		t.Fatal(err)
	}
	parts := t.TempDir()
	stops := 0
	for {
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		opt.Progress = func(int, int) {
			if calls++; calls == 3 {
				cancel()
			}
		}
		_, err := Build(ctx, parts, opt)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		// What a kill in the middle of a write leaves must not count.
		f, err := os.OpenFile(filepath.Join(parts, "train.scan", bucketName(markBuckets, 5)), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.WriteString("half a record of a killed scan")
		f.Close()
		if stops++; stops > 50 {
			t.Fatal("no progress from call to call")
		}
	}
	if stops < 2 {
		t.Fatalf("stopped %d times: the test tests nothing", stops)
	}
	for _, name := range []string{"train.labels.csv", "train.images.txt", "train.boxes.csv", "train.json"} {
		if read(t, whole, name) != read(t, parts, name) {
			t.Errorf("%s differs after %d stops", name, stops)
		}
	}
}

func TestSampling(t *testing.T) {
	dir := t.TempDir()
	labels := generate(t, dir, 30_000)
	build := func(s Sampling) (*Manifest, string) {
		out := t.TempDir()
		m, err := Build(context.Background(), out, Options{Classes: "voc", Split: "train", Labels: []string{labels}, Sampling: s})
		if err != nil {
			t.Fatal(err)
		}
		return m, read(t, out, "train.images.txt")
	}
	all, _ := build(Sampling{})
	balanced, list := build(Sampling{PerClass: 20, Seed: 1})
	for c, n := range balanced.Positive {
		if n < min(20, all.Positive[c]) {
			t.Errorf("class %d has %d images of %d", c+1, n, all.Positive[c])
		}
	}
	if slices.Max(balanced.Positive) > 3*slices.Min(balanced.Positive) {
		t.Errorf("not balanced: %v of %v", balanced.Positive, all.Positive)
	}
	if _, other := build(Sampling{PerClass: 20, Seed: 2}); other == list {
		t.Error("another seed, the same images")
	}
	if m, _ := build(Sampling{Limit: 100}); m.Images != 100 {
		t.Errorf("limit 100: %d images", m.Images)
	}
	if m, _ := build(Sampling{Limit: 100, Negatives: 30}); m.Images != 130 {
		t.Errorf("with 30 negatives: %d images", m.Images)
	}
	for _, bad := range []Sampling{{Limit: 1, PerClass: 1}, {Limit: -1}} {
		if bad.check() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestDataset(t *testing.T) {
	dir, out, images := t.TempDir(), t.TempDir(), t.TempDir()
	labels, boxes := csvs(t, dir)
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, image.NewGray(image.Rect(0, 0, 40, 20)), nil); err != nil {
		t.Fatal(err)
	}
	write(t, images, "000000000000000a.jpg", jpg.String())
	write(t, images, "train/f000000000000001.jpg", jpg.String())
	opt := Options{Classes: "voc", Split: "train", Labels: []string{labels}, Boxes: []string{boxes}, Sampling: Sampling{Negatives: 9}}
	if _, err := Build(context.Background(), out, opt); err != nil {
		t.Fatal(err)
	}
	open := func(extra map[string]any) (data.Dataset, error) {
		return data.Open("openimages", data.Options{Root: out, Extra: extra})
	}
	if _, err := open(map[string]any{"images": images, "missing": "error"}); err == nil || !strings.Contains(err.Error(), "7000000000000002") {
		t.Errorf("a missing image: %v", err)
	}
	if _, err := open(nil); err == nil || !strings.Contains(err.Error(), "no image of split train") {
		t.Errorf("no images at all: %v", err)
	}
	ds, err := open(map[string]any{"images": images})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ds.IDs("val"); !errors.As(err, new(*data.SplitError)) || !strings.HasSuffix(err.Error(), "allowed are train") {
		t.Error(err)
	}
	ids, err := ds.IDs("train")
	if err != nil || !reflect.DeepEqual(ids, []string{"000000000000000a", "f000000000000001"}) {
		t.Fatalf("ids %v, %v", ids, err)
	}
	s, err := ds.Load(ids[0], data.WantImage|data.WantWeak)
	if err != nil {
		t.Fatal(err)
	}
	want := data.WeakLabels{Tags: []int{7, 15}, Boxes: []data.Box{{X0: 10, Y0: 2, X1: 20, Y1: 18, Class: 7, Crowd: true}}}
	if !reflect.DeepEqual(s.Weak, want) || s.Image.Rect.Dx() != 40 {
		t.Errorf("weak labels %+v, want %+v", s.Weak, want)
	}
	p, n, err := ds.(*Dataset).Labels(ids[1])
	if err != nil || !reflect.DeepEqual(p, []int{8}) || !reflect.DeepEqual(n, []int{12}) {
		t.Errorf("labels %v %v, %v", p, n, err)
	}
	if _, err := ds.Load(ids[0], data.WantTruth); !errors.Is(err, data.ErrNoTruth) {
		t.Errorf("masks: %v", err)
	}
	opt.Images = images
	if m, err := Build(context.Background(), t.TempDir(), opt); err != nil || m.Images != 2 || m.Missing != 1 {
		t.Errorf("only what is there: %+v, %v", m, err)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(labelHead + "000000000000000a,verification,/m/04yx4,1\n")
	f.Add(boxHead + "000000000000000a,x,/m/0k4j,1,0.25,0.5,0.1,0.9,0,0,1,0,-1\n")
	f.Add(labelHead + "\"000000000000000a\",v,/m/04yx4,1\r\n,\n\"")
	f.Add("ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		path := write(t, dir, "in.csv", text)
		m, err := Build(context.Background(), dir, Options{Classes: "coco", Split: "train", Labels: []string{path}, SkipBad: true, Sampling: Sampling{Negatives: 9}})
		if err != nil {
			return
		}
		if lines := strings.Count(read(t, dir, "train.images.txt"), "\n"); lines != m.Images {
			t.Errorf("%d images listed, %d counted", lines, m.Images)
		}
	})
}

func FuzzClassFiles(f *testing.F) {
	f.Add(namesCSV)
	f.Add("LabelName,DisplayName\n/m/x,\"Comma, name\"\n")
	f.Add(`{"LabelName":"/m/0bl9f","Subcategory":[{"LabelName":"/m/01g317","Subcategory":[{"LabelName":"/m/04yx4"}]}]}`)
	dir := f.TempDir() // one per process: folders are slow to make
	f.Fuzz(func(t *testing.T, text string) {
		names, err := readDescriptions(strings.NewReader(text))
		for id := range names {
			if err == nil && !strings.HasPrefix(id, "/") {
				t.Errorf("identifier %q", id)
			}
		}
		if err := checkHierarchy("voc", write(t, dir, "h.json", text)); err != nil && !strings.Contains(err.Error(), "h.json") {
			t.Errorf("%v does not name the file", err)
		}
	})
}
