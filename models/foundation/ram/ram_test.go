package ram

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/datatest"
	"wsss/data/imageproc"
	"wsss/models/foundation"
)

var voc = strings.Fields("background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa train tvmonitor")

func published(t *testing.T) *List {
	t.Helper()
	l, err := LoadList(datatest.Path(t, "taglists", "ram_tag_list.txt"), datatest.Path(t, "taglists", "ram_tag_list_threshold.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func coco(t *testing.T) []string {
	names := make([]string, 81)
	for i := range names {
		names[i] = fmt.Sprint("class", i)
	}
	i := 2
	for n := range aliasesCOCO {
		if n != "person" {
			names[i] = n
			i++
		}
	}
	names[1], names[80] = "person", "toothbrush"
	return names
}

// TestPublishedList checks the counts of docs/sources.md §5.1.
func TestPublishedList(t *testing.T) {
	l := published(t)
	count := map[float32]int{}
	for _, v := range l.Thresholds {
		count[v]++
	}
	at := func(name string) float32 { return l.Thresholds[slices.Index(l.Names, name)] }
	if len(l.Names) != 4585 || count[0.65] != 3414 || count[0.80] != 735 || count[1] != 10 || at("person") != 0.86 || at("television") != 0.90 || at("plane") != 0.90 {
		t.Errorf("%d tags, %d at 0.65, %d at 0.8, %d at 1", len(l.Names), count[0.65], count[0.80], count[1])
	}
}

// TestSurveyFalseMatches reproduces docs/sources.md §2.3.
func TestSurveyFalseMatches(t *testing.T) {
	l := published(t)
	m, ok := Survey(voc)
	if !ok {
		t.Fatal("VOC is unknown")
	}
	for tag, want := range map[string]string{
		"bush": "bus", "business": "bus", "carpet": "car", "train car": "car", "education": "cat", "cowboy": "cow", "card": "car", "horse cart": "car", "vegetable": "diningtable", "tablet": "diningtable", "stable": "diningtable",
		"sheepdog": "dog", "german shepherd": "person", "mango": "person", "planet": "aeroplane", "eggplant": "aeroplane", "hot dog": "dog",
	} {
		if !slices.Contains(l.Names, tag) {
			t.Errorf("%s is no tag", tag)
		}
		got := m.Classes([]Tag{{Name: tag, Score: 1}})
		if tag == "eggplant" { // "plane" is not in it: it ends as a potted plant
			want = "pottedplant"
		}
		if len(got) != 1 || voc[got[0].Class] != want {
			t.Errorf("%s: %v, want %s", tag, got, want)
		}
	}
	if got := m.Classes([]Tag{{Name: "motorcycle"}}); len(got) != 0 {
		t.Errorf("motorcycle: %v; the survey loses it", got)
	}
	names := coco(t)
	c, ok := Survey(names)
	if !ok {
		t.Fatal("COCO is unknown")
	}
	var hot []string
	for _, f := range c.Classes([]Tag{{Name: "hot dog"}, {Name: "miniskirt"}, {Name: "beard"}}) {
		hot = append(hot, names[f.Class])
	}
	slices.Sort(hot)
	if fmt.Sprint(hot) != "[bear dog hot dog skis]" {
		t.Errorf("COCO: %v", hot)
	}
}

func TestAliasesAreTags(t *testing.T) {
	l := published(t)
	for _, table := range []map[string][]string{aliasesVOC, aliasesCOCO} {
		for class, words := range table {
			for _, w := range words {
				if !slices.ContainsFunc(l.Names, func(n string) bool { return strings.EqualFold(n, w) }) {
					t.Errorf("%s: %q is no tag of RAM", class, w)
				}
			}
		}
	}
}

func TestAliases(t *testing.T) {
	m := Aliases(voc)
	got := m.Classes([]Tag{{"education", 1}, {"motorcycle", 0.7}, {"man", 0.8}, {"baby", 0.9}, {"bush", 1}, {"Border collie", 1}, {"dinning table", 1}})
	var text []string
	for _, f := range got {
		text = append(text, fmt.Sprintf("%s by %s %v", voc[f.Class], f.Tag, f.Score))
	}
	want := "diningtable by dinning table 1, dog by Border collie 1, motorbike by motorcycle 0.7, person by man 0.9"
	if strings.Join(text, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(text, ", "), want)
	}
	own := Aliases([]string{"background", "mug", "star"})
	if got := own.Classes([]Tag{{"star", 1}, {"background", 1}, {"mugs", 1}}); len(got) != 1 || got[0].Class != 2 {
		t.Errorf("own classes: %v", got)
	}
	if _, ok := Survey([]string{"background", "mug"}); ok {
		t.Error("the survey knows no mugs")
	}
}

type fake struct {
	dims   []int
	values []float32
	seen   []int
}

func (f *fake) Inputs() []foundation.Port {
	return []foundation.Port{{Name: "image", DType: dtypes.Float32, Dims: []int{1, 3, 8, 8}}}
}
func (f *fake) Outputs() []foundation.Port {
	return []foundation.Port{{Name: "size", Dims: []int{}}, {Name: "tags", DType: dtypes.Float32, Dims: f.dims}}
}
func (f *fake) Run(_ context.Context, in map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	f.seen = in["image"].Shape().Dimensions
	return map[string]*tensors.Tensor{want[0]: tensors.FromFlatDataAndDimensions(f.values, 1, len(f.values))}, nil
}

func TestTags(t *testing.T) {
	list := &List{[]string{"a", "b", "c"}, []float32{0.5, 0.8, 0.5}}
	for want, values := range map[string][]float32{"[{a 0.7310586}]": {1, 1, -1}, "[{a 1} {c 1}]": {1, 0, 1}} {
		s := &fake{dims: []int{-1, 3}, values: values}
		m, err := New(s, list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Tags(context.Background(), imageproc.NewRGB(30, 20))
		if err != nil || fmt.Sprint(got) != want || fmt.Sprint(s.seen) != "[1 3 8 8]" {
			t.Errorf("%v %v, want %s; image %v", got, err, want, s.seen)
		}
	}
	if _, err := New(&fake{dims: []int{1, 7}}, list); err == nil || !strings.Contains(err.Error(), "3 tags") {
		t.Errorf("a model of another list: %v", err)
	}
}

func TestLoadListFaults(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "f.txt")
		datatest.Write(t, path, text)
		return path
	}
	for want, files := range map[string][2]string{"equally many": {"a\nb\n", "0.5\n"}, "line 2": {"a\nb\n", "0.5\n1.5\n"}} {
		if _, err := LoadList(write(files[0]), write(files[1])); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func FuzzLoadList(f *testing.F) {
	f.Add("a\nb\n", "0.5\n0.6\n")
	f.Add("", "nan")
	f.Add("a", "1e400\n")
	dir := f.TempDir() // one per process: folders are slow to make
	f.Fuzz(func(t *testing.T, names, thresholds string) {
		for name, text := range map[string]string{"n": names, "t": thresholds} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Skip("the fuzzed file cannot be written here: ", err)
			}
		}
		l, err := LoadList(filepath.Join(dir, "n"), filepath.Join(dir, "t"))
		if err != nil {
			return
		}
		if _, err := l.Decide(make([]float32, len(l.Names))); err != nil || len(l.Names) != len(l.Thresholds) {
			t.Fatalf("%d tags, %d thresholds, %v", len(l.Names), len(l.Thresholds), err)
		}
	})
}
