package report

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wsss/data"
	"wsss/eval"
	"wsss/eval/browsertest"
)

// Load of the fixture gives weak labels too: a box around each disc.
func (f *weakFixture) Load(id string, want data.Want) (*data.Sample, error) {
	s, err := f.fixture.Load(id, want)
	if err == nil && want&data.WantWeak != 0 {
		s.Weak = data.WeakLabels{Tags: []int{1}, Boxes: []data.Box{{X0: 25, Y0: 18, X1: 75, Y1: 56, Class: 1}}}
	}
	return s, err
}

type weakFixture struct{ *fixture }

func TestExamplesAndWords(t *testing.T) {
	f := newFixture(t, 30, 100, 75)
	r := f.report(t)
	r.Dataset = &weakFixture{f}
	dir := t.TempDir()
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, HTMLName))
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	if n := strings.Count(page, `<article class="example">`); n != 6 {
		t.Errorf("%d examples, want 6", n)
	}
	for _, want := range []string{
		"weak labels", `<svg class="weak"`, "<b>best</b>", "<b>median</b>", "<b>worst</b>",
		"Best: ", `<span class="chip">best</span>`, "has the highest mIoU on val", "of what the same network reaches on true masks", "fw IoU</b>:",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<b>bird</b>") {
		t.Error("a class's name is markup")
	}
}

func TestBestIsNoBound(t *testing.T) {
	row := func(kind eval.Kind, miou float64) Row {
		return Row{Result: &eval.Result{Kind: kind, MIoU: eval.Value(miou), Images: 5}}
	}
	for _, tt := range []struct {
		rows []Row
		want int
	}{
		{nil, -1},
		{[]Row{row(eval.KindPseudo, math.NaN())}, -1},
		{[]Row{row(eval.KindPseudo, .9), row(eval.KindNetwork, .6), row(eval.KindNetwork, .7), row(eval.KindBound, .8)}, 2},
		{[]Row{row(eval.KindPseudo, .9), row(eval.KindAgainst, .95)}, 1},
		{[]Row{row(eval.KindBound, .8)}, 0},
	} {
		if got := best(tt.rows); got != tt.want {
			t.Errorf("best of %d rows is %d, want %d", len(tt.rows), got, tt.want)
		}
	}
}

// unscored is a report of photos without true masks.
func unscored(t *testing.T, n int) (Report, *fixture) {
	f := newFixture(t, n, 100, 75)
	if err := os.RemoveAll(filepath.Join(f.dir, "truth")); err != nil {
		t.Fatal(err)
	}
	row := Row{Result: eval.Unscored(f, "val", "pseudo-labels", eval.KindPseudo, n), Labels: filepath.Join(f.dir, "gen"), Shown: f.ids, Quality: map[string]float64{}, Doubts: map[string]string{}}
	for i, id := range f.ids {
		row.Quality[id] = float64((i*7)%n) / float64(n)
		row.Doubts[id] = fmt.Sprintf("masks overlap (%.2f)", row.Quality[id])
	}
	return Report{Title: "mine", Dataset: f, Rows: []Row{row}}, f
}

func TestNothingScored(t *testing.T) {
	r, f := unscored(t, 12)
	dir := t.TempDir()
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, HTMLName))
	if err != nil {
		t.Fatal(err)
	}
	page, _, _ := strings.Cut(string(raw), "<script")
	for _, no := range []string{"<th class=\"n\">mIoU", "fw IoU", "pixel acc.", "images/s", "<h2>IoU per class", "<b>best</b>"} {
		if strings.Contains(page, no) {
			t.Errorf("without true masks the page has %q", no)
		}
	}
	for _, want := range []string{"ordered by doubt", "most doubtful", "masks overlap", "What would help"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	b := browsertest.Start(t)
	b.Open("file://" + filepath.Join(dir, HTMLName))
	b.Want("document.documentElement.dataset.ready > 0", "true")
	b.Want("document.querySelector('.card b').textContent", f.ids[0]) // of quality 0
	b.Want("['layer', 'min', 'split', 'other'].filter(id => document.getElementById(id).offsetWidth > 0).join()", "")
	b.Want("[...document.getElementById('order').options].filter(o => !o.hidden).map(o => o.value).join()", "quality,name")
	b.Want("document.querySelector('.card .why').textContent", "masks overlap (0.00)")
	if len(b.Errors) > 0 {
		t.Errorf("the page reports %v", b.Errors)
	}
}

// many is a page of n images and classes without any picture.
func many(t *testing.T, images, classes int) string {
	t.Helper()
	names, colours := []string{"background"}, []string{"#000000"}
	for c := 1; c < classes; c++ {
		names, colours = append(names, fmt.Sprintf("class %02d", c)), append(colours, hexColour(c))
	}
	res := &eval.Result{Name: "network", Kind: eval.KindNetwork, Dataset: "many", Split: "val", Classes: names, Images: images, MIoU: .5, PixelAcc: .6, MeanAcc: .55, FWIoU: .5}
	for c := range names {
		res.IoU = append(res.IoU, eval.Value(float64((c*37)%classes)/float64(classes)))
	}
	other := *res
	other.Name, other.Kind, other.MIoU = "pseudo-labels", eval.KindPseudo, .4
	r := Report{Title: "many", Rows: []Row{{Result: res}, {Result: &other}}}
	s := gallerySplit{Name: "val", Photos: "p", Truth: "t", Layers: []galleryLayer{{Name: "network", Kind: eval.KindNetwork, Files: "n"}, {Name: "pseudo-labels", Kind: eval.KindPseudo, Files: "g"}}}
	for i := range images {
		c := 1 + i%(classes-1)
		s.Images = append(s.Images, galleryImage{ID: fmt.Sprintf("photo %05d", i), W: 200, H: 150, Classes: []int{c}, truth: true,
			Scores: []imageScore{{i * 1000 / images, []int{0, 900, c, i * 1000 / images}}, {500, []int{0, 900, c, 500}}}})
	}
	p, err := newPage(context.Background(), &r, &gallery{Classes: names, Colours: colours, Splits: []gallerySplit{s}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), HTMLName)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := htmlPage(f, p); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

func TestManyInBrowser(t *testing.T) {
	b := browsertest.Start(t)
	url := many(t, 10_000, 81)
	start := time.Now()
	b.Open(url)
	b.Want("document.getElementById('count')?.textContent", "10000 of 10000 images")
	opened := time.Since(start)
	// 81 classes and their mean, several columns wide, in any order.
	b.Want("document.querySelectorAll('.classes li').length", "82")
	b.Want("new Set([...document.querySelectorAll('.classes li')].map(e => Math.round(e.getBoundingClientRect().left))).size > 1", "true")
	b.Eval("(() => { const s = document.querySelector('.classorder'); s.value = 0; s.onchange() })()", nil)
	b.Want("(v => v.every((x, i) => !i || v[i - 1] <= x))([...document.querySelectorAll('.classes li:not(.total) .meter:nth-of-type(2)')].map(e => +e.dataset.v))", "true")
	b.Want("document.querySelector('.classes li:last-child .cname').textContent", "mean")
	// Tables sort, by number and by name.
	b.Eval("document.querySelectorAll('#results th .sort')[4].click()", nil)
	b.Want("[...document.querySelectorAll('#results table.sortable tbody tr')].map(r => r.cells[4].textContent).join()", "50.0,40.0")
	b.Eval("document.querySelectorAll('#results th .sort')[4].click()", nil)
	b.Want("[...document.querySelectorAll('#results table.sortable tbody tr')].map(r => r.cells[4].textContent).join()", "40.0,50.0")
	// Filters answer at once.
	var ms float64
	b.Eval(`(() => { const e = document.getElementById('find'), t = performance.now();
		e.value = 'photo 099'; e.oninput(); document.body.offsetHeight; return performance.now() - t })()`, &ms)
	b.Want("document.getElementById('count').textContent", "100 of 10000 images")
	t.Logf("opened in %v, a filter took %.0f ms", opened.Round(time.Millisecond), ms)
	if opened > 5*time.Second || ms > 1000 {
		t.Errorf("10,000 images: opened in %v, a filter took %.0f ms", opened, ms)
	}
	if len(b.Errors) > 0 && !strings.Contains(b.Errors[0], "ERR_FILE_NOT_FOUND") {
		t.Errorf("the page reports %s", b.Errors[0])
	}
	// A narrow page needs no scrolling sideways.
	b.Size(390, 800)
	b.Want("document.documentElement.scrollWidth <= 390", "true")
	b.Want("document.querySelectorAll('.stat').length > 1 && new Set([...document.querySelectorAll('.stat')].map(e => Math.round(e.getBoundingClientRect().top))).size === 1", "true")
	b.Want("[...document.querySelectorAll('.example .tile')].every(e => e.offsetWidth >= 90)", "true")
	// On paper the bars keep their key, and say nothing of clicking.
	b.Size(740, 1050)
	b.Call("Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	b.Want("[...document.querySelectorAll('.order .key')].map(e => e.offsetWidth > 0).join() + getComputedStyle(document.querySelector('.order label')).display", "true,truenone")
	b.Want("getComputedStyle(document.querySelector('.hands')).display", "none")
	b.Want("new Set([...document.querySelectorAll('.classes li')].map(e => Math.round(e.getBoundingClientRect().left))).size", "3")
	b.Want("[...document.querySelectorAll('.card')].slice(-1).every(e => getComputedStyle(e).contentVisibility === 'visible')", "true")
	b.Want("document.documentElement.scrollWidth <= 740", "true")
}

// TestAxe asks axe-core what a person with a screen reader or a keyboard would
// run into.
func TestAxe(t *testing.T) {
	axe := browsertest.Axe(t)
	b := browsertest.Start(t)
	f := newFixture(t, 8, 100, 75)
	r := f.report(t)
	r.Dataset = &weakFixture{f}
	dir := t.TempDir()
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	plain, _ := unscored(t, 8)
	other := t.TempDir()
	if err := Write(context.Background(), other, plain, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, other} {
		for _, theme := range []string{"light", "dark"} {
			b.Open("file://" + filepath.Join(path, HTMLName))
			b.Want("document.documentElement.dataset.ready > 0", "true")
			b.Eval("document.documentElement.dataset.theme = '"+theme+"'", nil)
			for _, v := range b.Violations(axe) {
				t.Errorf("%s: %s", theme, v)
			}
		}
	}
	b.Open("file://" + filepath.Join(dir, HTMLName))
	b.Key("ArrowRight")
	b.Key("Enter")
	b.Want("document.getElementById('viewer').open", "true")
	for _, v := range b.Violations(axe) {
		t.Errorf("viewer: %s", v)
	}
}

func TestViewerZoom(t *testing.T) {
	b := browsertest.Start(t)
	f := newFixture(t, 4, 100, 75)
	r := f.report(t)
	r.Dataset = &weakFixture{f}
	dir := t.TempDir()
	if err := Write(context.Background(), dir, r, nil); err != nil {
		t.Fatal(err)
	}
	b.Open("file://" + filepath.Join(dir, HTMLName))
	b.Want("document.documentElement.dataset.ready > 0", "true")
	b.Key("ArrowRight")
	b.Key("Enter")
	b.Want("document.querySelectorAll('#vstage .pic').length", "5") // all pictures of the row at once
	b.Want("document.querySelectorAll('#vstage svg.weak').length", "1")
	b.Key("+")
	b.Want("new Set([...document.querySelectorAll('#vstage .photo')].map(e => e.style.transform)).size + document.querySelector('#vstage .photo').style.transform.slice(0, 10)", "1scale(1.5)")
	b.Key("-")
	b.Want("document.querySelector('#vstage .photo').style.transform", "")
	b.Eval("document.querySelector('#vstage .tile').onpointerenter()", nil)
	b.Want("document.querySelectorAll('#vstage .tile:first-child .hover').length", "1")
	b.Eval("document.querySelector('#vstage .tile').onpointerleave()", nil)
	b.Want("document.querySelectorAll('#vstage .tile:first-child .hover').length", "0")
}

func TestPayoff(t *testing.T) {
	list := []Payoff{
		{1, OrderGain, 0, .5, .4}, {1, OrderRandom, 0, .5, .4}, {2, OrderGain, 0, .6, .5}, {2, OrderRandom, 0, .6, .5},
		{1, OrderGain, 9, .9, .6}, {1, OrderRandom, 9, .7, .5}, {2, OrderGain, 9, .9, .6}, {2, OrderRandom, 9, .7, .5},
	}
	dir := t.TempDir()
	if got, err := ReadPayoffs(dir); got != nil || err != nil {
		t.Errorf("without a file: %v, %v", got, err)
	}
	raw, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, PayoffName), raw)
	got, err := ReadPayoffs(dir)
	if err != nil || len(got) != len(list) {
		t.Fatal(got, err)
	}
	v := payoffOf(got)
	if v.Seeds != 2 || len(v.Means) != 4 || math.Abs(v.Means[0].Network-.45) > 1e-9 || math.Abs(v.Means[0].NetworkDev-math.Sqrt(.005)) > 1e-9 {
		t.Errorf("%+v", v.Means)
	}
	if want := "+10.0 points of mIoU from a random one for the network and +20.0"; !strings.Contains(v.Text, want) {
		t.Errorf("%q lacks %q", v.Text, want)
	}
}

func TestTablesHaveBarsAndPictures(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, 5, 60, 40)
	for _, sub := range []string{"seed-1", "lr=1 %"} {
		if err := Write(context.Background(), filepath.Join(dir, sub), f.report(t), nil); err != nil {
			t.Fatal(err)
		}
	}
	page := func() string {
		raw, err := os.ReadFile(filepath.Join(dir, "table.html"))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	b := browsertest.Start(t)
	pictures := func(want string) {
		t.Helper()
		b.Call("Page.navigate", map[string]any{"url": "file://" + filepath.Join(dir, "table.html")}, nil)
		b.Want("document.readyState", "complete")
		b.Eval("document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })", nil)
		b.Want("[...document.querySelectorAll('img')].filter(i => i.complete && i.naturalWidth > 0).length + ' ' + document.querySelectorAll('article').length", want)
	}
	m := Methods{Title: "methods <b>", Seeds: []int64{1, 2}, Rows: []MethodRow{{Name: "boxes", MIoU: []eval.Value{.5, .7}}}}
	if err := WriteMethods(dir, m); err != nil {
		t.Fatal(err)
	}
	if text := page(); !strings.Contains(text, "--v:60.0") || !strings.Contains(text, `href="seed-1/report.html"`) || strings.Contains(text, "methods <b>") {
		t.Error("table of methods")
	}
	pictures("9 2") // photo and truth, three rows, four of them over the photo; nothing of the seed that is not there
	g := Grid{Title: "grid", Keys: []string{"lr"}, Columns: []string{"network", "bound"}, Rows: []GridRow{
		{Values: []string{"1"}, Scores: [][]eval.Value{{.4}, {}}, Report: "lr=1 %"}, {Values: []string{"2"}, Scores: [][]eval.Value{{eval.Value(math.NaN())}}}}}
	if err := WriteGrid(dir, g); err != nil {
		t.Fatal(err)
	}
	if text := page(); !strings.Contains(text, "--v:40.0") || !strings.Contains(text, "lr = 1") {
		t.Error("grid")
	}
	pictures("9 1")
}
