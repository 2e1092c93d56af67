package retrieve

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/checkpoints/safetensors"
	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/gen"
	"wsss/gen/gentest"
	_ "wsss/gen/grabcut"
	"wsss/models/backend/backendtest"
	"wsss/models/nearest"
	. "wsss/models/onnximport/onnxtest"
)

var fruit = data.Classes{Names: []string{"background", "apple", "leaf", "sky"}}

type m = map[string]any

// split is a dataset of painted photos with labels.
type split struct {
	*gentest.Split
	labels string // folder of label maps
	masks  string // folder of proposals, as label maps
}

// block is a square of a class in a photo, in its colour.
type block struct {
	class int
	at    image.Rectangle
}

var (
	left, right = image.Rect(4, 8, 20, 24), image.Rect(28, 8, 44, 24)
	tints       = []color.NRGBA{{30, 30, 30, 255}, {220, 40, 40, 255}, {40, 220, 40, 255}, {40, 60, 220, 255}}
)

func newSplit(t *testing.T) *split {
	t.Helper()
	dir := t.TempDir()
	return &split{Split: gentest.NewSplit(fruit), labels: filepath.Join(dir, "labels"), masks: filepath.Join(dir, "masks")}
}

// add paints a photo. labels are the classes that the label map gives the
// blocks, which may be wrong.
func (s *split) add(t *testing.T, id string, blocks []block, labels ...int) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 48, 32))
	label, masks := data.NewLabelMap(48, 32), data.NewLabelMap(48, 32)
	tags := []int{}
	for y := range 32 {
		for x := range 48 {
			c := tints[0]
			for i, b := range blocks {
				if image.Pt(x, y).In(b.at) {
					c = tints[b.class]
					c.R += uint8(5 * (len(s.Order) % 3))
					label.Pix[y*48+x], masks.Pix[y*48+x] = uint8(labels[i]), uint8(i+1)
				}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	for _, l := range labels {
		if l > 0 && !slices.Contains(tags, l) {
			tags = append(tags, l)
		}
	}
	s.Add(&data.Sample{ID: id, Image: img, Weak: data.WeakLabels{Tags: tags}})
	for dir, what := range map[string]*data.LabelMap{s.labels: label, s.masks: masks} {
		if err := errors.Join(os.MkdirAll(dir, 0o755), data.WriteLabelMap(filepath.Join(dir, id+".png"), what)); err != nil {
			t.Fatal(err)
		}
	}
}

// options of the method on a split.
func (s *split) options(t *testing.T, more m) m {
	o := m{"features": m{"network": MeanColours(t), "norm": "unit"}, "proposals": []m{{"labels": s.masks}}, "from": m{"labels": s.labels}, "min_area": 16, "erode": 2}
	for k, v := range more {
		o[k] = v
		if v == nil {
			delete(o, k)
		}
	}
	return o
}

func open(t *testing.T, weak data.WeakKind, o m) (gen.Method, error) {
	t.Helper()
	return gen.New(gen.Env{Backend: backendtest.One(t), Classes: fruit, Weak: weak, Gen: configs.Gen{Method: "retrieve", Weak: string(weak), Options: o}})
}

func learnt(t *testing.T, ds data.Dataset, weak data.WeakKind, dir string, o m) *method {
	t.Helper()
	got, err := open(t, weak, o)
	if err != nil {
		t.Fatal(err)
	}
	ids, _ := ds.IDs("")
	if err := gen.Learn(t.Context(), got, gen.Lesson{Dataset: ds, IDs: ids, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	return got.(*method)
}

// said is what a method makes of a photo: class, left edge and who vouched.
func said(t *testing.T, g gen.Method, s *data.Sample) string {
	t.Helper()
	masks, err := g.Generate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(masks, func(a, b gen.Mask) int { return a.Bits.Bounds().Min.X - b.Bits.Bounds().Min.X })
	var out []string
	for _, mask := range masks {
		by := ""
		for _, v := range mask.VouchedBy {
			by += v.Photo
			if v.Corrected {
				by += "!"
			}
		}
		out = append(out, fmt.Sprintf("%s at %d by %s", fruit.Name(mask.Class), mask.Bits.Bounds().Min.X, by))
	}
	return strings.Join(out, "; ")
}

// orchard is four photos of apples and leaves.
func orchard(t *testing.T) *split {
	s := newSplit(t)
	s.add(t, "a", []block{{1, left}, {2, right}}, 1, 2)
	s.add(t, "b", []block{{1, right}}, 1)
	s.add(t, "c", []block{{2, left}}, 2)
	s.add(t, "d", []block{{2, left}, {1, right}}, 2, 1)
	return s
}

// TestRetrieve: photos are named by the regions of others, with tags and
// without; what looks like background is left out, and tags limit the classes.
func TestRetrieve(t *testing.T) {
	s := orchard(t)
	s.add(t, "e", []block{{1, left}, {0, right}}, 1, 0)
	for weak, want := range map[data.WeakKind][]string{
		data.WeakNone: {"apple at 4 by deb; leaf at 28 by dc", "apple at 28 by eda", "leaf at 4 by ad", "leaf at 4 by ac; apple at 28 by aeb", "apple at 4 by adb"},
		data.WeakTags: {"apple at 4 by deb; leaf at 28 by dc", "apple at 28 by eda", "leaf at 4 by ad", "leaf at 4 by ac; apple at 28 by aeb", "apple at 4 by adb"},
	} {
		g := learnt(t, s, weak, t.TempDir(), s.options(t, m{"empty": "allow", "k": 3}))
		for i, id := range s.Order {
			got := said(t, g, s.Samples[id])
			for _, n := range strings.Split(got, "; ") {
				if strings.Contains(strings.SplitAfter(n, " by ")[1], id) {
					t.Errorf("%s: %s: it vouches for itself", id, got)
				}
			}
			strip := func(text string) string {
				var out []string
				for _, n := range strings.Split(text, "; ") {
					out = append(out, strings.Split(n, " by ")[0])
				}
				return strings.Join(out, "; ")
			}
			if strip(got) != strip(want[i]) {
				t.Errorf("%s from %s: %s, want %s", id, weak, got, want[i])
			}
		}
		if weak == data.WeakTags {
			one := *s.Samples["a"]
			one.Weak.Tags = []int{2}
			if got := said(t, g, &one); !strings.Contains(got, "leaf at 28") || strings.Contains(got, "apple") {
				t.Errorf("tagged leaf: %s", got)
			}
			one.Weak.Tags = []int{}
			if got := said(t, g, &one); got != "" {
				t.Errorf("tagged nothing: %s", got)
			}
			one.Weak.Tags = nil
			if _, err := g.Generate(t.Context(), &one); !errors.Is(err, gen.ErrUnlabelled) {
				t.Errorf("not tagged: %v", err)
			}
		}
		if w := strings.Join(g.Warnings(), "; "); !strings.Contains(w, "no region of sky") {
			t.Errorf("warnings: %q", w)
		}
	}
}

// TestPredictor: a bank that a run has made labels photos without labels, under
// any config that names it, and other networks and classes are refused.
func TestPredictor(t *testing.T) {
	s := orchard(t)
	bank := filepath.Join(t.TempDir(), "bank.safetensors")
	learnt(t, s, data.WeakTags, t.TempDir(), s.options(t, m{"bank": bank}))
	raw, err := os.ReadFile(bank)
	if err != nil {
		t.Fatal(err)
	}
	new := newSplit(t)
	new.add(t, "new", []block{{2, right}}, 2)
	for _, more := range []m{{"from": nil}, {"from": m{"method": "grabcut"}}} { // grabcut needs labels, which there are none of
		more["bank"], more["proposals"] = bank, []m{{"labels": new.masks}}
		g, err := open(t, data.WeakNone, s.options(t, more))
		if err != nil {
			t.Fatal(err)
		}
		if got := said(t, g, new.Samples["new"]); !strings.HasPrefix(got, "leaf at 28") {
			t.Errorf("%s", got)
		}
	}
	learnt(t, s, data.WeakTags, t.TempDir(), s.options(t, m{"bank": bank}))
	if again, err := os.ReadFile(bank); err != nil || string(again) != string(raw) {
		t.Errorf("the same split makes another bank (%v)", err)
	}
	for name, c := range map[string]struct {
		more m
		want string
	}{
		"another size":   {m{"features": m{"network": MeanColours(t), "norm": "unit", "side": 96}}, "another network or size"},
		"another file":   {m{"bank": filepath.Join(s.labels, "a.png")}, "a.png"},
		"no bank":        {m{"bank": bank + "x"}, "there is no file"},
		"nothing at all": {m{"bank": ""}, "from and bank are missing"},
	} {
		o := s.options(t, m{"from": nil, "bank": bank})
		for k, v := range c.more {
			o[k] = v
		}
		if _, err := open(t, data.WeakNone, o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if g, err := open(t, data.WeakTags, s.options(t, nil)); err != nil {
		t.Error(err)
	} else if _, err := g.Generate(t.Context(), s.Samples["a"]); err == nil || !strings.Contains(err.Error(), "gen.options.bank") {
		t.Errorf("without a bank: %v", err)
	}
}

// TestClean: a region whose neighbours are of another class leaves the bank, and
// one that a person accepted stays and changes what others are named.
func TestClean(t *testing.T) {
	s := orchard(t)
	s.add(t, "e", []block{{1, left}}, 2) // an apple that is labelled leaf
	ids := func(b *bank, left bool) (list []string) {
		for _, r := range b.rows {
			if r.excluded == left && r.class != 0 {
				list = append(list, fmt.Sprintf("%s of %s", fruit.Name(r.class), b.photos[r.photo].ID))
			}
		}
		return list
	}
	g := learnt(t, s, data.WeakNone, t.TempDir(), s.options(t, m{"empty": "allow"}))
	if got := fmt.Sprint(ids(g.bank, true)); got != "[leaf of e]" {
		t.Errorf("left the bank: %s", got)
	}
	g = learnt(t, s, data.WeakNone, t.TempDir(), s.options(t, m{"empty": "allow", "clean": "none"}))
	if got := ids(g.bank, true); len(got) != 0 {
		t.Errorf("clean = none: %v", got)
	}
	// A person says that the apples are sky: the label of a similar one changes.
	dir, folder := t.TempDir(), &corrections.Folder{Dir: t.TempDir(), Classes: fruit}
	ds := corrections.Wrap(s, folder, corrections.Options{})
	before := said(t, learnt(t, ds, data.WeakNone, dir, s.options(t, m{"empty": "allow", "k": 1})), s.Samples["b"])
	raw := filepath.Join(dir, "retrieve-*.safetensors")
	files, _ := filepath.Glob(raw)
	first, _ := os.ReadFile(files[0])
	for _, id := range []string{"a", "d", "e"} {
		label, err := data.ReadLabelMap(filepath.Join(s.labels, id+".png"))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range label.Pix {
			if v == 1 || id == "e" && v == 2 {
				label.Pix[i] = 3
			}
		}
		c := &corrections.Correction{W: 48, H: 32}
		c.Accept(label)
		if _, _, err := folder.Update(t.Context(), id, 48, 32, nil, func(to *corrections.Correction) error { *to = *c; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	g = learnt(t, ds, data.WeakNone, dir, s.options(t, m{"empty": "allow", "k": 1}))
	after := said(t, g, s.Samples["b"])
	second, _ := os.ReadFile(files[0])
	if !strings.HasPrefix(before, "apple") || !strings.HasPrefix(after, "sky") || !strings.Contains(after, "!") || string(first) == string(second) {
		t.Errorf("before: %s, after: %s, a new bank: %v", before, after, string(first) != string(second))
	}
}

// TestErrors: each says what is wrong with which photo, class or key.
func TestErrors(t *testing.T) {
	s := orchard(t)
	learn := func(o m) error {
		g, err := open(t, data.WeakTags, s.options(t, o))
		if err == nil {
			err = gen.Learn(t.Context(), g, gen.Lesson{Dataset: s, IDs: s.Order, Dir: t.TempDir()})
		}
		if err == nil {
			lone := *s.Samples["a"]
			lone.ID = "lone"
			_, err = g.Generate(t.Context(), &lone)
		}
		return err
	}
	for _, c := range []struct {
		more m
		want string
	}{
		{nil, "photo lone has no proposals"},
		{m{"proposals": nil}, "proposals is missing"},
		{m{"proposals": []m{{}}}, "[gen.options.proposals.0] allowed is exactly one"},
		{m{"proposals": []m{{"masks": "nowhere"}}}, "nowhere"},
		{m{"proposals": []m{{"method": "retriever"}}}, "retriever"},
		{m{"min_area": 300}, "no region of apple, leaf"},
		{m{"min_area": 3000}, "no region of 4 photos"},
		{m{"k": 0}, "k = 0"},
		{m{"vote": "majority"}, "similarity, count"},
		{m{"overlap": "mean"}, "votes, best"},
		{m{"clean": "all"}, "neighbours, centre, none"},
		{m{"nms": 2.0}, "nms = 2"},
		{m{"features": m{}}, "[gen.options.features]"},
		{m{"from": m{"labels": "nowhere"}}, "nowhere"},
		{m{"nonsense": 1}, "nonsense"},
	} {
		if err := learn(c.more); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.more, err, c.want)
		}
	}
	if err := learn(m{"proposals": []m{{"method": "grabcut"}}}); err != nil {
		t.Errorf("grabcut, which is given a tag: %v", err)
	}
	if err := learn(m{"proposals": []m{{"method": "import", "options": m{"method": "grabcut"}}}}); err != nil {
		t.Errorf("grabcut behind another method, which is given a tag: %v", err)
	}
}

// TestCleanByTags: classes that a photo's tags rule out do not vote on its regions,
// and a region of such a class leaves the bank.
func TestCleanByTags(t *testing.T) {
	const apple, leaf = 1, 2
	b := &bank{names: fruit.Names, index: nearest.New(3)}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		b.photos = append(b.photos, photo{ID: id, Pixels: id, Key: id})
	}
	add := func(class, photo int, v ...float32) {
		b.rows = append(b.rows, row{class: class, photo: photo, area: 100})
		b.index.Add(v)
	}
	for i := range b.photos {
		add(0, i, 0, 0, 1)
	}
	add(apple, 0, 1, 0, 0)
	add(apple, 1, 1, 0, 0)
	add(leaf, 2, 0.8, 0.6, 0) // more like an apple than like the other leaf
	add(leaf, 3, 0, 1, 0)
	add(leaf, 4, 0, 1, 0)
	b.finish()
	o := defaults()
	for want, allowed := range map[string]map[string][]int{
		"[leaf of c]":            nil,
		"[]":                     {"a": {apple}, "b": {apple}, "c": {leaf}, "d": {leaf}},
		"[leaf of c leaf of d]":  {"c": {apple, leaf}, "d": {}}, // d has no leaf
		"[apple of b leaf of c]": {"b": {leaf}},
	} {
		if err := b.clean(t.Context(), o, allowed); err != nil {
			t.Fatal(err)
		}
		list := []string{}
		for _, r := range b.rows {
			if r.excluded {
				list = append(list, fmt.Sprintf("%s of %s", fruit.Name(r.class), b.photos[r.photo].ID))
			}
		}
		if got := fmt.Sprint(list); got != want {
			t.Errorf("%v: %s left the bank, want %s", allowed, got, want)
		}
	}
}

// TestBalance: a class with few regions in the bank is not outvoted by one with many
// that are hardly less similar; the photo's own regions do not count.
func TestBalance(t *testing.T) {
	b := &bank{names: fruit.Names, index: nearest.New(2)}
	for i := range 9 {
		b.photos = append(b.photos, photo{ID: fmt.Sprint(i), Pixels: fmt.Sprint(i), Key: fmt.Sprint(i)})
		b.rows = append(b.rows, row{class: 0, photo: i})
		b.index.Add([]float32{0.8, 0.6})
	}
	for _, p := range []int{0, 1} {
		b.rows = append(b.rows, row{class: 1, photo: p})
		b.index.Add([]float32{1, 0})
	}
	b.finish()
	o := defaults()
	for balance, want := range map[bool]int{true: 1, false: 0} {
		o.Balance, o.Vote = balance, voteCount
		got, err := b.name(t.Context(), o, [][]float32{{1, 0}}, []int{1}, []int{8})
		if err != nil || got[0].class != want {
			t.Errorf("balance = %v: %+v, %v", balance, got, err)
		}
	}
	if n := b.votersBut([]int{0, 0, 8}); n[0] != 7 || n[1] != 1 {
		t.Errorf("voters %v", n)
	}
}

// TestCast: a pixel is of the class that most of what covers it votes for, a small
// mask more than a large one; nothing is where nothing covers, and crumbs stay with
// the largest piece.
func TestCast(t *testing.T) {
	const w, h = 12, 4
	mask := func(r ...image.Rectangle) data.RLE {
		bits := make([]uint8, w*h)
		for _, r := range r {
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for x := r.Min.X; x < r.Max.X; x++ {
					bits[y*w+x] = 1
				}
			}
		}
		return data.EncodeRLE(bits, w, h)
	}
	b := &bank{names: fruit.Names, rows: []row{{class: 1, photo: 0}, {class: 2, photo: 1}}, photos: []photo{{ID: "x"}, {ID: "y"}}}
	near := []nearest.Neighbour{{Row: 0, Similarity: 0.9}, {Row: 1, Similarity: 0.8}}
	masks := []data.RLE{mask(image.Rect(0, 0, 10, 4)), mask(image.Rect(0, 0, 4, 4)), mask(image.Rect(6, 0, 8, 4)), mask(image.Rect(11, 0, 12, 1))}
	named := []verdict{
		{shares: map[int]float32{1: 0.9, 2: 0.1}, near: near}, {shares: map[int]float32{0: 1}, near: near},
		{shares: map[int]float32{2: 0.7, 1: 0.3}, near: near}, {shares: map[int]float32{1: 1}, near: near[:1]},
	}
	got := b.cast(3, masks, named)
	text := ""
	for _, m := range got {
		text += fmt.Sprintf("%s of %d at %v by %s; ", fruit.Name(m.Class), m.Bits.Area(), m.Bits.Bounds().Min, m.VouchedBy[0].Photo)
	}
	// Columns 0 to 3 are background, 6 and 7 leaf, 4, 5, 8 and 9 apple; the pixel at
	// the right is a crumb.
	if text != "apple of 9 at (4,0) by x; apple of 8 at (8,0) by x; leaf of 8 at (6,0) by y; " {
		t.Errorf("%s", text)
	}
	if got := b.cast(3, nil, nil); got != nil {
		t.Errorf("without proposals: %v", got)
	}
}

// TestLeaveOneOut: the photo's own regions vote only where that is asked for,
// which is said.
func TestLeaveOneOut(t *testing.T) {
	s := newSplit(t)
	s.add(t, "a", []block{{1, left}}, 1)
	s.add(t, "b", []block{{2, left}}, 2)
	g := learnt(t, s, data.WeakNone, t.TempDir(), s.options(t, m{"empty": "allow", "k": 1}))
	if got := said(t, g, s.Samples["a"]); strings.Contains(got, "apple") {
		t.Errorf("the only apple vouches for itself: %s", got)
	}
	g = learnt(t, s, data.WeakNone, t.TempDir(), s.options(t, m{"empty": "allow", "k": 1, "leave_one_out": false}))
	if got := said(t, g, s.Samples["a"]); !strings.HasPrefix(got, "apple at 4 by a") {
		t.Errorf("%s", got)
	}
	if w := strings.Join(g.Warnings(), "; "); !strings.Contains(w, "no test") {
		t.Errorf("warnings: %q", w)
	}
}

// TestErode keeps what OpenCV does at the border of an image.
func TestErode(t *testing.T) {
	bits := []uint8{
		1, 1, 1, 0, 0,
		1, 1, 1, 1, 0,
		1, 1, 1, 1, 1,
	}
	want := "[1 1 0 0 0 1 1 0 0 0 1 1 1 0 0]"
	if got := fmt.Sprint(erode(bits, 5, 3, 1)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// FuzzBank: a file that is no bank is refused, and a bank that is read is whole.
func FuzzBank(f *testing.F) {
	b := &bank{names: []string{"background", "apple"}, network: "n", photos: []photo{{ID: "a"}, {ID: "b"}}, rows: []row{{class: 0}, {class: 1, photo: 1, area: 9, confirmed: true}}}
	b.index = nearest.New(2)
	b.index.Add([]float32{1, 0})
	b.index.Add([]float32{0, 1})
	path := filepath.Join(f.TempDir(), "bank")
	if err := writeBank(path, b); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)-3])
	f.Add([]byte(strings.Replace(string(raw), `"regions"`, `"regiont"`, 1)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := safetensors.NewReader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		got, err := parseBank(r, "n", b.names)
		if err != nil {
			return
		}
		if got.index.Len() != len(got.rows) || got.starts[len(got.starts)-1] != len(got.rows) {
			t.Errorf("%d features of %d regions", got.index.Len(), len(got.rows))
		}
		for _, r := range got.rows {
			_ = got.photos[r.photo].ID + got.names[r.class]
		}
	})
}
