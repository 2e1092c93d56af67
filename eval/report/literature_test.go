package report

import (
	"cmp"
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/eval"
)

func TestQuoted(t *testing.T) {
	row := func(dataset, split string, kind eval.Kind, own string) Row {
		return Row{Result: &eval.Result{Name: "own", Dataset: dataset, Split: split, Kind: kind, MIoU: 0.5, PerSecond: 2, Classes: classesLike(dataset)}, Published: own}
	}
	for _, c := range []struct {
		row     Row
		repeats []string
		want    string
	}{
		{row("voc", "val", eval.KindNetwork, ""), nil, ""}, // from what labels, nobody says
		{row("voc", "val", eval.KindNetwork, "chen2023 1 54"), nil, "72.7"},
		{row("voc", "val", eval.KindBound, ""), nil, "75.3"},
		{row("VOC", "test", eval.KindZeroShot, "chen2023 1 55"), nil, "73.8"},
		{row("coco", "val2014", eval.KindNetwork, "chen2023 1 54"), nil, "50.8"},
		{row("voc", "train", eval.KindPseudo, ""), nil, ""},
		{row("voc", "val", eval.KindNetwork, ""), []string{"box2024 1 1", "box2024 1 17"}, "76.9"},
		{row("voc", "val", eval.KindBound, ""), []string{"box2024 1 17", "box2024 1 1"}, "79.5"},
		{row("voc", "val", eval.KindNetwork, ""), []string{"box2024 1 1"}, "79.5"},
		{row("voc", "val", eval.KindAgainst, "box2024 1 3"), []string{"box2024 1 17"}, "64.3"},
		{row("voc", "val", eval.KindAgainst, ""), nil, ""},
		{row("scenes", "val", eval.KindNetwork, ""), nil, ""},
		{row("voc", "train_aug", eval.KindNetwork, ""), nil, ""},
	} {
		if got := quoted(c.row, c.repeats); got.Text != c.want {
			t.Errorf("%s %s %s repeating %v: %q, want %q", c.row.Dataset, c.row.Split, c.row.Kind, c.repeats, got.Text, c.want)
		}
	}
	p, err := newPage(t.Context(), &Report{Rows: []Row{row("voc", "val", eval.KindNetwork, "chen2023 1 54")}, HourlyPrice: 3.6}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var page, text strings.Builder
	if err := errors.Join(htmlPage(&page, p), markdown(&text, p)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<td class="n published" title="SAM (text input): chen2023, table 1, row 54">72.7</td>`, "price of 1,000", `<td class="n">0.5</td>`} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("page lacks %q", want)
		}
	}
	for _, want := range []string{"| 50.0 | _72.7_ | ", " 2 | 0.5 |", "_Published_: what a paper reports"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("Markdown lacks %q:\n%s", want, text.String())
		}
	}
}

// classesLike are those of the papers' data sets.
func classesLike(dataset string) []string {
	return append([]string{"background"}, papersClasses[strings.ToLower(dataset)]...)
}

// TestOwnClasses: a folder in VOC's layout with classes of its own is not VOC.
func TestOwnClasses(t *testing.T) {
	r := Row{Result: &eval.Result{Dataset: "voc", Split: "val", Kind: eval.KindBound, MIoU: 0.5, Classes: []string{"background", "bolt"}}}
	if got := quoted(r, nil); got.Text != "" {
		t.Errorf("bolts are set beside %s", got.Source)
	}
	if got := literatureOf([]Row{r}); len(got) != 0 {
		t.Errorf("bolts stand in %q", got[0].Title)
	}
}

// TestQuotedClasses: beside a row that repeats the survey's stand its numbers of
// classes, and beside others none.
func TestQuotedClasses(t *testing.T) {
	r := Row{Result: &eval.Result{Name: "own", Dataset: "voc", Split: "train", Kind: eval.KindPseudo, MIoU: 0.5, Images: 1464, Classes: classesLike("voc")}}
	for range r.Classes {
		r.IoU = append(r.IoU, 0.5)
	}
	if got := classTables([]Row{r}, nil); len(got) != 1 || len(got[0].Names) != 1 {
		t.Errorf("%d columns for a row of no paper", len(got[0].Names))
	}
	got := classTables([]Row{r}, []string{"chen2023 1 54"})[0]
	if len(got.Names) != 2 || got.Names[1] != "SAM (text input), published (chen2023, table 1, row 54)" {
		t.Fatalf("columns %v", got.Names)
	}
	for i, want := range map[int]string{0: "–", 1: "96.8", 20: "88.9", 21: "86.4"} {
		if text := got.Classes[i].IoU[1].Percent(); text != want && i != 0 {
			t.Errorf("%s: %s, want %s", got.Classes[i].Name, text, want)
		} else if i == 0 && got.Classes[i].IoU[1].Valid() {
			t.Errorf("the background has %s, and the paper prints none", text)
		}
	}
}

func TestLiterature(t *testing.T) {
	row := func(dataset, split string, kind eval.Kind, miou float64) Row {
		return Row{Result: &eval.Result{Name: "own", Dataset: dataset, Split: split, Kind: kind, MIoU: eval.Value(miou), Images: 1449, Classes: classesLike(dataset)}}
	}
	if got := literatureOf([]Row{row("scenes", "val", eval.KindNetwork, 0.7), row("voc", "val", eval.KindPseudo, 0.7), row("voc", "val", eval.KindNetwork, math.NaN())}); len(got) != 0 {
		t.Errorf("%d tables for results that no paper has", len(got))
	}
	got := literatureOf([]Row{row("voc", "train", eval.KindPseudo, 0.75), row("voc", "val", eval.KindNetwork, 0.727), row("voc", "test", eval.KindNetwork, 0.1), row("coco", "val2014", eval.KindZeroShot, 0.5)})
	if len(got) != 3 {
		t.Fatalf("%d tables, want pseudo-labels and networks on VOC and networks on COCO", len(got))
	}
	pseudo, networks := got[0], got[1]
	if len(pseudo.Rows) != 1+34+10+10 {
		t.Errorf("%d rows of pseudo-labels", len(pseudo.Rows))
	}
	if !slices.IsSortedFunc(networks.Rows, func(a, b litRow) int { return cmp.Compare(b.best(), a.best()) }) {
		t.Error("rows are not sorted")
	}
	at := slices.IndexFunc(networks.Rows, func(r litRow) bool { return r.Own && r.Cells[0].Text == "72.7" })
	// Behind 72.8, before or beside 72.7 and 72.6.
	if at < 0 || networks.Rows[at-1].best() < 72.7 || networks.Rows[at+1].best() > 72.7 {
		t.Errorf("the network stands at %d", at)
	}
	if last := networks.Rows[len(networks.Rows)-1]; !last.Own || last.Cells[0].value != -1 || last.Cells[1].Text != "10.0" {
		t.Errorf("last row %+v, want the own test score", last)
	}
	doubted := 0
	for _, r := range pseudo.Rows {
		if r.Cells[0].Doubt != "" {
			doubted++
			if r.Own && !strings.Contains(r.Cells[0].Doubt, "of 1449 images; papers score 1464") {
				t.Errorf("own number doubted: %+v", r)
			}
		}
	}
	if doubted != 9 {
		t.Errorf("%d doubted numbers, want 8 of papers and one of a part of train", doubted)
	}
	var b strings.Builder
	if err := htmlPage(&b, &page{Literature: got}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`class="doubt" title="equals the COCO val figure`, "<b>72.7</b>", "chen2023, table 1, row 54"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("page lacks %q", want)
		}
	}
}

// TestCheckPublished: a name that no paper has is refused with its key, and the
// configs that come with wsss hold none.
func TestCheckPublished(t *testing.T) {
	for key, e := range map[string]configs.Eval{
		"eval.published = ":            {Published: []string{"box2024 1 17", "box2024 1 99"}},
		"eval.against[1].published = ": {Against: []configs.Against{{}, {Published: "box2024 1 99"}}},
		"eval.network[0].published = ": {Network: []configs.Network{{Published: "box2024 1 99"}}},
	} {
		if err := CheckPublished(e); err == nil || !strings.HasPrefix(err.Error(), key+`"box2024 1 99"`) {
			t.Errorf("%s: error %v", key, err)
		}
	}
	n := 0
	err := filepath.WalkDir("../../configs", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".toml" {
			return err
		}
		n++
		cfg, err := configs.Load(path, nil)
		if err == nil {
			err = CheckPublished(cfg.Eval)
		}
		if err != nil {
			t.Error(path, err)
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d configs, %v", n, err)
	}
}
