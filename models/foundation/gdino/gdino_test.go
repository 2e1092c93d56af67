package gdino

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/imageproc"
	"wsss/models/foundation"
	"wsss/models/foundation/tokenize"
)

type fixtures struct {
	Size  []struct{ In, Out [2]int }
	Masks []struct {
		IDs       []int32
		Mask      []int
		Positions []int64
	}
	Read []struct {
		IDs           []int32
		Logits, Boxes []float32
		Found         []struct {
			Score       float64
			Phrase, One string
			Box         [4]float64
		}
	}
	NMS []struct {
		Limit  float64
		Boxes  [][4]float32
		Scores []float32
		Keep   []int
	}
}

func load(t *testing.T) (f fixtures) {
	t.Helper()
	datatest.JSON(t, "testdata/fixtures.json", &f)
	return f
}

func words(t testing.TB) *tokenize.BERT {
	t.Helper()
	bert, err := tokenize.LoadBERT("testdata/vocab.txt")
	if err != nil {
		t.Fatal(err)
	}
	return bert
}

func TestSizeEqualsReference(t *testing.T) {
	for _, c := range load(t).Size {
		if w, h := DefaultOptions().size(c.In[0], c.In[1]); w != c.Out[0] || h != c.Out[1] {
			t.Errorf("%v: %d×%d, want %v", c.In, w, h, c.Out)
		}
	}
}

func TestPhrasesEqualReference(t *testing.T) {
	bert := words(t)
	for _, c := range load(t).Masks {
		mask, positions := Phrases(bert, c.IDs)
		got := make([]int, len(mask))
		for i, v := range mask {
			if v {
				got[i] = 1
			}
		}
		if !slices.Equal(got, c.Mask) || !slices.Equal(positions, c.Positions) {
			t.Errorf("%s: positions %v, want %v; mask %v", bert.Decode(c.IDs), positions, c.Positions, got)
		}
	}
}

// TestReadEqualsReference: the same boxes with the same phrases; scores within
// 1e-6, pixels within 1e-3.
func TestReadEqualsReference(t *testing.T) {
	bert := words(t)
	for _, c := range load(t).Read {
		o := DefaultOptions()
		o.BoxThreshold = 0.35
		width := len(c.IDs)
		caption := Caption{IDs: c.IDs, spans: spans{[]Class{{Index: 7}}, []int{1}, []int{2}}}
		got := o.read(bert, caption, c.Logits, c.Boxes, width, 320, 200)
		caption.classes[0].Threshold = 1
		if left := o.read(bert, caption, c.Logits, c.Boxes, width, 320, 200); len(left) != 0 {
			t.Errorf("%d boxes above a class threshold of 1", len(left))
		}
		caption.classes[0].Threshold = 0
		o.RemoveCombined = true
		one := o.read(bert, caption, c.Logits, c.Boxes, width, 320, 200)
		if len(got) != len(c.Found) {
			t.Fatalf("%d boxes, want %d", len(got), len(c.Found))
		}
		for i, want := range c.Found {
			g := got[i]
			if g.Phrase != want.Phrase || one[i].Phrase != want.One || math.Abs(float64(g.Score)-want.Score) > 1e-6 || g.Box.Class != 7 {
				t.Errorf("box %d: %+v, %q; want %+v", i, g, one[i].Phrase, want)
			}
			for k, v := range []float32{g.Box.X0, g.Box.Y0, g.Box.X1, g.Box.Y1} {
				if math.Abs(float64(v)-want.Box[k]) > 1e-3 {
					t.Errorf("box %d: %v, want %v", i, g.Box, want.Box)
				}
			}
		}
	}
}

func TestSuppressEqualsTorchvision(t *testing.T) {
	for _, c := range load(t).NMS {
		var list []Detection
		for i, b := range c.Boxes {
			list = append(list, Detection{Box: data.Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]}, Score: c.Scores[i], Phrase: fmt.Sprint(i)})
		}
		var got []string
		for _, d := range suppress(list, c.Limit, false) {
			got = append(got, d.Phrase)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.Keep) {
			t.Errorf("limit %v: kept %v, want %v", c.Limit, got, c.Keep)
		}
	}
	twins := []Detection{{Box: data.Box{X1: 5, Y1: 5, Class: 1}}, {Box: data.Box{X1: 5, Y1: 5, Class: 2}}}
	if len(suppress(twins, 0.5, false)) != 2 {
		t.Error("a box of another class was suppressed")
	}
	if len(suppress(twins, 0.5, true)) != 1 {
		t.Error("both boxes of two classes at one place stayed")
	}
}

func TestCaptions(t *testing.T) {
	bert := words(t)
	classes := []Class{{Index: 1, Phrase: " Cat. "}, {Index: 2, Phrase: "dining table"}, {Index: 3, Phrase: "monitor/tv"}}
	tests := []struct {
		limit    int
		perClass bool
		want     string
	}{
		{256, false, "[cat. dining table. monitor/tv.]"},
		{256, true, "[cat. dining table. monitor/tv.]"},
		{8, false, "[cat. dining table. monitor/tv.]"},
	}
	for i, tt := range tests {
		got, err := Captions(bert, classes, tt.limit, tt.perClass)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, c := range got {
			texts = append(texts, c.Text)
			if len(c.IDs) > tt.limit {
				t.Errorf("%d tokens, the limit is %d", len(c.IDs), tt.limit)
			}
			for k := range c.classes {
				if name := bert.Decode(c.IDs[c.from[k]:c.to[k]]); Normalise(c.classes[k].Phrase) != strings.ReplaceAll(name, " / ", "/") {
					t.Errorf("span of %q is %q", c.classes[k].Phrase, name)
				}
			}
		}
		if fmt.Sprint(texts) != tt.want || len(got) != []int{1, 3, 2}[i] {
			t.Errorf("%v: %d captions %v", tt, len(got), texts)
		}
	}
	for _, bad := range []string{"", " . ", strings.Repeat("cat ", 300)} {
		if _, err := Captions(bert, []Class{{Index: 1, Phrase: bad}}, 256, false); err == nil {
			t.Errorf("phrase %.10q passed", bad)
		}
	}
}

func TestCaptionWithBERT(t *testing.T) {
	bert, err := tokenize.LoadBERT(datatest.Path(t, "tokenizers", "bert-base-uncased-vocab.txt"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Captions(bert, []Class{{Index: 1, Phrase: "wild bird"}, {Index: 2, Phrase: "pottedplant"}}, 256, false)
	if err != nil {
		t.Fatal(err)
	}
	ids := got[0].IDs
	if ids[0] != 101 || ids[len(ids)-1] != 102 || ids[3] != 1012 || !slices.Equal(ids, bert.Tokenize("wild bird. pottedplant.", 256)) {
		t.Errorf("ids %v", ids)
	}
}

func TestAssign(t *testing.T) {
	bert := words(t)
	captions, err := Captions(bert, []Class{{Index: 1, Phrase: "dog"}, {Index: 2, Phrase: "hot dog"}, {Index: 3, Phrase: "cat"}}, 256, false)
	if err != nil {
		t.Fatal(err)
	}
	c := captions[0] // [CLS] dog . hot dog . cat . [SEP]
	logits := []float32{-9, -2, -9, 1, 0.5, -9, -9, -9, -9}
	boxes := []float32{0.5, 0.5, 1, 1}
	for assign, want := range map[Assign]int{BySpan: 2, ByExact: 2, BySubstring: 1} {
		o := DefaultOptions()
		o.PerClass, o.Assign = false, assign
		got := o.read(bert, c, logits, boxes, len(logits), 10, 10)
		if len(got) != 1 || got[0].Phrase != "hot dog" || got[0].Box.Class != want {
			t.Errorf("%s: %+v, want class %d", assign, got, want)
		}
	}
	o := DefaultOptions()
	o.PerClass, o.Assign = false, ByExact
	logits[3] = -9 // the phrase is now "dog" of "hot dog"
	if got := o.read(bert, c, logits, boxes, len(logits), 10, 10); len(got) != 1 || got[0].Box.Class != 1 {
		t.Errorf("exact: %+v", got)
	}
	logits[6] = 1 // "dog cat"
	if got := o.read(bert, c, logits, boxes, len(logits), 10, 10); len(got) != 0 {
		t.Errorf("a phrase of no class: %+v", got)
	}
}

// fake answers every caption with one box.
type fake struct {
	in, out []foundation.Port
	seen    []map[string]*tensors.Tensor
}

func (f *fake) Inputs() []foundation.Port  { return f.in }
func (f *fake) Outputs() []foundation.Port { return f.out }
func (f *fake) Run(_ context.Context, in map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	for _, p := range f.in {
		if in[p.Name] == nil || in[p.Name].DType() != p.DType {
			return nil, fmt.Errorf("input %s is %v", p.Name, in[p.Name])
		}
	}
	kept := map[string]*tensors.Tensor{} // the caller frees its own
	for name, t := range in {
		c, err := t.LocalClone()
		if err != nil {
			return nil, err
		}
		kept[name] = c
	}
	f.seen = append(f.seen, kept)
	logits := make([]float32, 256)
	for i := range logits {
		logits[i] = -9
	}
	logits[1] = 2
	return map[string]*tensors.Tensor{want[0]: tensors.FromFlatDataAndDimensions(logits, 1, 1, 256),
		want[1]: tensors.FromFlatDataAndDimensions([]float32{0.5, 0.5, 0.5, 0.5}, 1, 1, 4)}, nil
}

func port(name string, t dtypes.DType, dims ...int) foundation.Port {
	return foundation.Port{Name: name, DType: t, Dims: dims}
}

func TestDetectBothSignatures(t *testing.T) {
	const f32, i64, flag = dtypes.Float32, dtypes.Int64, dtypes.Bool
	native := &fake{out: []foundation.Port{{Name: "logits"}, {Name: "boxes"}}, in: []foundation.Port{
		port("img", f32, -1, 3, -1, -1), port("input_ids", i64, -1, -1), port("attention_mask", flag, -1, -1), port("position_ids", i64, -1, -1),
		port("token_type_ids", i64, -1, -1), port("text_token_mask", flag, -1, -1, -1)}}
	hf := &fake{out: []foundation.Port{{Name: "logits"}, {Name: "pred_boxes"}}, in: []foundation.Port{
		port("pixel_values", f32, 1, 3, 96, 64), port("pixel_mask", i64, 1, 96, 64), port("input_ids", i64, 1, 12),
		port("token_type_ids", i64, 1, 12), port("attention_mask", i64, 1, 12)}}
	o := DefaultOptions()
	o.ShortSide, o.LongSide = 64, 200
	for _, tt := range []struct {
		f      *fake
		image  string
		dims   string
		ids    string
		attend string
	}{
		{native, "img", "[1 3 64 128]", "[2 8 4 3]", "[true true true true]"},
		{hf, "pixel_values", "[1 3 96 64]", "[2 8 4 3 0 0 0 0 0 0 0 0]", "[1 1 1 1 0 0 0 0 0 0 0 0]"},
	} {
		m, err := New(tt.f, words(t), o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Detect(context.Background(), imageproc.NewRGB(200, 100), []Class{{Index: 5, Phrase: "cat"}, {Index: 6, Phrase: "dog"}})
		if err != nil {
			t.Fatal(err)
		}
		want := data.Box{X0: 50, Y0: 25, X1: 150, Y1: 75, Class: 5}
		if len(got) != 2 || got[0].Box != want || got[0].Phrase != "cat" || got[1].Box.Class != 6 {
			t.Errorf("%s: %+v", tt.image, got)
		}
		in := tt.f.seen[0]
		if d := fmt.Sprint(in[tt.image].Shape().Dimensions); d != tt.dims {
			t.Errorf("%s: image %s, want %s", tt.image, d, tt.dims)
		}
		if ids := fmt.Sprint(tensors.MustCopyFlatData[int64](in["input_ids"])); ids != tt.ids {
			t.Errorf("%s: ids %s, want %s", tt.image, ids, tt.ids)
		}
		if a := fmt.Sprint(in["attention_mask"].Value()); a != "["+tt.attend+"]" {
			t.Errorf("%s: attention mask %s", tt.image, a)
		}
	}
	if _, err := New(&fake{in: []foundation.Port{port("x", f32)}}, words(t), o); err == nil || !strings.Contains(err.Error(), "its inputs are x") {
		t.Errorf("unknown model: %v", err)
	}
}

// TestShareShapes: where a new shape is dear, captions go to multiples of 8
// tokens and sides to multiples of 32, with a mask if the export takes one.
func TestShareShapes(t *testing.T) {
	const f32, i64, flag = dtypes.Float32, dtypes.Int64, dtypes.Bool
	o := DefaultOptions()
	o.ShortSide, o.LongSide = 100, 400
	out := []foundation.Port{{Name: "logits"}, {Name: "boxes"}, {Name: "pred_boxes"}}
	for _, tt := range []struct {
		in     []foundation.Port
		image  string
		dims   string
		filled int
	}{
		{[]foundation.Port{port("img", f32, -1, 3, -1, -1), port("input_ids", i64, -1, -1), port("attention_mask", flag, -1, -1), port("position_ids", i64, -1, -1),
			port("token_type_ids", i64, -1, -1), port("text_token_mask", flag, -1, -1, -1)}, "img", "[1 3 96 192]", 0},
		{[]foundation.Port{port("pixel_values", f32, -1, 3, -1, -1), port("pixel_mask", i64, -1, -1, -1), port("input_ids", i64, -1, -1),
			port("token_type_ids", i64, -1, -1), port("attention_mask", i64, -1, -1)}, "pixel_values", "[1 3 128 224]", 100 * 200},
	} {
		f := &fake{in: tt.in, out: out}
		m, err := New(f, words(t), o)
		if err != nil {
			t.Fatal(err)
		}
		m.ShareShapes()
		got, err := m.Detect(context.Background(), imageproc.NewRGB(400, 200), []Class{{Index: 5, Phrase: "cat"}})
		if want := (data.Box{X0: 100, Y0: 50, X1: 300, Y1: 150, Class: 5}); err != nil || len(got) != 1 || got[0].Box != want || got[0].Phrase != "cat" {
			t.Fatalf("%s: %+v, %v", tt.image, got, err)
		}
		in := f.seen[0]
		if d := fmt.Sprint(in[tt.image].Shape().Dimensions); d != tt.dims {
			t.Errorf("%s: image %s, want %s", tt.image, d, tt.dims)
		}
		if d := in["input_ids"].Shape().Dim(1); d != 8 {
			t.Errorf("%s: %d tokens, want 8", tt.image, d)
		}
		if mask := in["pixel_mask"]; mask != nil {
			filled := 0
			for _, v := range tensors.MustCopyFlatData[int64](mask) {
				filled += int(v)
			}
			if filled != tt.filled {
				t.Errorf("%d pixels are image, want %d", filled, tt.filled)
			}
		}
		m.opts = DefaultOptions()
		if n := datatest.Distinct(datatest.PhotoSizes(500, 160), m.Shape); n > 60 {
			t.Errorf("%s: %d shapes for photos of VOC's sizes, want 60 at most", tt.image, n)
		} else {
			t.Logf("%s: %d shapes for photos of VOC's sizes", tt.image, n)
		}
	}
}

func TestOptionsCheck(t *testing.T) {
	change := func(f func(*Options)) Options { o := DefaultOptions(); f(&o); return o }
	for want, o := range map[string]Options{
		"box_threshold": change(func(o *Options) { o.BoxThreshold = 2 }),
		"nms":           change(func(o *Options) { o.NMS = math.NaN() }),
		"nms_all":       change(func(o *Options) { o.NMSAll = 2 }),
		"assign":        change(func(o *Options) { o.Assign = "x" }),
		"short_side":    change(func(o *Options) { o.ShortSide = 0 }),
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
