package saliency

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/configs"
	"wsss/data"
	_ "wsss/data/scenes"
	"wsss/gen"
	_ "wsss/gen/grabcut"
	_ "wsss/gen/refine"
	"wsss/gen/source"
	"wsss/models/backend/backendtest"
	. "wsss/models/onnximport/onnxtest"
)

var classes = data.Classes{Names: []string{"background", "cat", "dog"}}

// bright is a network that finds bright pixels salient, at 32×32 pixels; with
// two outputs the second is the opposite.
func bright(t *testing.T, outputs int) string {
	t.Helper()
	g := &protos.GraphProto{
		Input:  []*protos.ValueInfoProto{Port("x", 1, 3, 32, 32)},
		Output: []*protos.ValueInfoProto{Port("bright", 1, 1, 32, 32), Port("dark", 1, 1, 32, 32)}[:outputs],
		Node: []*protos.NodeProto{
			Node("ReduceMean", "mean", []string{"x"}, Ints("axes", 1), Int("keepdims", 1)),
			Node("Clip", "bright", []string{"mean", "zero", "one"}),
			Node("Sub", "dark", []string{"one", "mean"}),
		},
		Initializer: []*protos.TensorProto{Floats("zero", []float32{0}), Floats("one", []float32{1})},
	}
	return Write(t, "bright", g)
}

// photo is 32×32 and black, but for a white rectangle.
func photo(white image.Rectangle, weak data.WeakLabels) *data.Sample {
	img := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for y := range 32 {
		for x := range 32 {
			c := color.NRGBA{A: 255}
			if image.Pt(x, y).In(white) {
				c = color.NRGBA{255, 255, 255, 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return &data.Sample{ID: "photo", Image: img, Weak: weak}
}

func open(t *testing.T, method string, weak data.WeakKind, options map[string]any) (gen.Method, error) {
	t.Helper()
	return gen.New(gen.Env{Backend: backendtest.One(t), Classes: classes, Weak: weak,
		Gen: configs.Gen{Method: method, Weak: string(weak), Options: options, Fuse: configs.Default().Gen.Fuse}})
}

// label makes a sample's label.
func label(t *testing.T, m gen.Method, s *data.Sample) (*data.LabelMap, []gen.Mask) {
	t.Helper()
	masks, err := m.Generate(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	fuser, err := gen.NewFuser(configs.Default().Gen.Fuse, classes)
	if err != nil {
		t.Fatal(err)
	}
	l, err := fuser.Fuse(s.Image.Rect.Size(), masks)
	if err != nil {
		t.Fatal(err)
	}
	return l, masks
}

// areas counts the pixels of background, cat, dog and void.
func areas(l *data.LabelMap) string {
	n := map[uint8]int{}
	for _, v := range l.Pix {
		n[v]++
	}
	return fmt.Sprint(n[0], n[1], n[2], n[data.Ignore])
}

var (
	square = image.Rect(8, 8, 24, 24) // 256 pixels
	wide   = image.Rect(0, 8, 32, 16) // 256 pixels, across the photo
	left   = image.Rect(4, 8, 12, 24) // 128 pixels, where cats are
)

// scoresFor are class scores: cats on the left, dogs on the right.
func scoresFor(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := &source.Scores{W: 32, H: 32, Classes: []int{1, 2}, Maps: [][]float32{make([]float32, 1024), make([]float32, 1024)}}
	for i := range 1024 {
		s.Maps[i%32/16][i] = 1
	}
	if err := source.Save(dir, "photo", s, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestMethod: what the method makes of tags, boxes and what tells tags apart.
func TestMethod(t *testing.T) {
	net := map[string]any{"network": bright(t, 1), "norm": "unit"}
	with := func(more map[string]any) map[string]any {
		out := map[string]any{"network": net["network"], "norm": "unit"}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	from := map[string]any{"from": map[string]any{"scores": scoresFor(t)}}
	for _, c := range []struct {
		name    string
		weak    data.WeakKind
		options map[string]any
		sample  *data.Sample
		want    string // areas of background, cat, dog, void
	}{
		{"one tag", data.WeakTags, net, photo(square, data.WeakLabels{Tags: []int{2}}), "768 0 256 0"},
		{"no tag", data.WeakTags, net, photo(square, data.WeakLabels{Tags: []int{}}), "1024 0 0 0"},
		{"nothing stands out", data.WeakTags, net, photo(image.Rectangle{}, data.WeakLabels{Tags: []int{2}}), "1024 0 0 0"},
		{"all stands out", data.WeakTags, net, photo(image.Rect(0, 0, 32, 32), data.WeakLabels{Tags: []int{1}}), "0 1024 0 0"},
		{"a constant map, stretched", data.WeakTags, with(map[string]any{"stretch": true}), photo(image.Rectangle{}, data.WeakLabels{Tags: []int{2}}), "1024 0 0 0"},
		{"two tags, nothing tells", data.WeakTags, net, photo(wide, data.WeakLabels{Tags: []int{1, 2}}), "768 0 0 256"},
		{"two tags, scores tell", data.WeakTags, with(from), photo(wide, data.WeakLabels{Tags: []int{2, 1}}), "768 128 128 0"},
		{"one tag, scores do not matter", data.WeakTags, with(from), photo(wide, data.WeakLabels{Tags: []int{1}}), "768 256 0 0"},
		{"two tags, one stands out nowhere: it is where its scores are", data.WeakTags, with(from), photo(left, data.WeakLabels{Tags: []int{1, 2}}), "384 128 512 0"},
		{"… or nowhere, if it may", data.WeakTags, with(map[string]any{"from": from["from"], "present": 0.0}), photo(left, data.WeakLabels{Tags: []int{1, 2}}), "896 128 0 0"},
		{"boxes", data.WeakBoxes, net, photo(square, data.WeakLabels{Boxes: []data.Box{{Class: 1, X0: 0, Y0: 0, X1: 16, Y1: 32}}}), "896 128 0 0"},
		{"a box of nothing", data.WeakBoxes, net, photo(square, data.WeakLabels{Boxes: []data.Box{{Class: 1, X0: 0, Y0: 0, X1: 4, Y1: 4}}}), "1024 0 0 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := open(t, "saliency", c.weak, c.options)
			if err != nil {
				t.Fatal(err)
			}
			l, masks := label(t, m, c.sample)
			if got := areas(l); got != c.want {
				t.Errorf("areas %s, want %s", got, c.want)
			}
			if void := strings.HasSuffix(c.want, "256") && len(masks) == 1; void && !strings.Contains(masks[0].Note, "cat, dog") {
				t.Errorf("note %q", masks[0].Note)
			}
		})
	}
}

// TestConstantMaps: a network that sees nothing, or is undecided, gives background,
// however many tags there are; one that sees the object everywhere gives its tag.
func TestConstantMaps(t *testing.T) {
	for value, want := range map[float32][2]string{0: {"1024 0 0 0", "1024 0 0 0"}, 0.5: {"1024 0 0 0", "1024 0 0 0"}, 1: {"0 1024 0 0", "0 0 0 1024"}} {
		net := Write(t, "constant", &protos.GraphProto{
			Input:  []*protos.ValueInfoProto{Port("x", 1, 3, 32, 32)},
			Output: []*protos.ValueInfoProto{Port("y", 1, 1, 32, 32)},
			Node: []*protos.NodeProto{Node("ReduceMean", "mean", []string{"x"}, Ints("axes", 1), Int("keepdims", 1)),
				Node("Mul", "none", []string{"mean", "zero"}), Node("Add", "y", []string{"none", "value"})},
			Initializer: []*protos.TensorProto{Floats("zero", []float32{0}), Floats("value", []float32{value})},
		})
		options := map[string]any{"network": net, "logits": false}
		for i, tags := range [][]int{{1}, {1, 2}} {
			m, err := open(t, "saliency", data.WeakTags, options)
			if err != nil {
				t.Fatal(err)
			}
			if l, _ := label(t, m, photo(square, data.WeakLabels{Tags: tags})); areas(l) != want[i] {
				t.Errorf("%v everywhere, tags %v: %s, want %s", value, tags, areas(l), want[i])
			}
		}
		m, err := open(t, "saliency", data.WeakBoxes, options)
		if err != nil {
			t.Fatal(err)
		}
		box := data.WeakLabels{Boxes: []data.Box{{Class: 1, X0: 0, Y0: 0, X1: 32, Y1: 32}}}
		if l, _ := label(t, m, photo(square, box)); areas(l) != want[0] {
			t.Errorf("%v everywhere, a box: %s, want %s", value, areas(l), want[0])
		}
	}
}

// TestUnlabelled: a photo without the labels is left out.
func TestUnlabelled(t *testing.T) {
	net := map[string]any{"network": bright(t, 1), "norm": "unit"}
	for _, weak := range []data.WeakKind{data.WeakTags, data.WeakBoxes} {
		m, err := open(t, "saliency", weak, net)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Generate(t.Context(), photo(square, data.WeakLabels{})); !errors.Is(err, gen.ErrUnlabelled) {
			t.Errorf("%s: %v", weak, err)
		}
	}
	m, _ := open(t, "saliency", data.WeakTags, net)
	if _, err := m.Generate(t.Context(), photo(square, data.WeakLabels{Tags: []int{3}})); err == nil || !strings.Contains(err.Error(), "[3]") {
		t.Errorf("a tag that is no class: %v", err)
	}
}

// TestOutputs: of several outputs one has to be named.
func TestOutputs(t *testing.T) {
	path := bright(t, 2)
	for output, want := range map[string]string{"": "the file has 2, bright, dark", "grey": "bright, dark", "bright": "768 256 0 0", "first": "768 256 0 0", "dark": "256 768 0 0"} {
		m, err := open(t, "saliency", data.WeakTags, map[string]any{"network": path, "norm": "unit", "output": output, "logits": false})
		if err != nil {
			if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%q: %v", output, err)
			}
			continue
		}
		l, _ := label(t, m, photo(square, data.WeakLabels{Tags: []int{1}}))
		if got := areas(l); got != want {
			t.Errorf("%q: %s, want %s", output, got, want)
		}
	}
}

// odd finds bright pixels salient as some networks do that are made for telephones:
// of bytes with their channels last, it gives the shares of background and object,
// or their logits, at half the size.
func odd(t *testing.T, softmax bool) string {
	t.Helper()
	g := &protos.GraphProto{
		Input:  []*protos.ValueInfoProto{TypedPort("x", protos.TensorProto_UINT8, 1, 32, 32, 3)},
		Output: []*protos.ValueInfoProto{Port("logits", 1, 16, 16, 2), Port("shares", 1, 16, 16, 2)},
		Node: []*protos.NodeProto{
			Node("Cast", "float", []string{"x"}, Int("to", int64(protos.TensorProto_FLOAT))),
			Node("Transpose", "planar", []string{"float"}, Ints("perm", 0, 3, 1, 2)),
			Node("AveragePool", "small", []string{"planar"}, Ints("kernel_shape", 2, 2), Ints("strides", 2, 2)),
			Node("Conv", "both", []string{"small", "w", "b"}),
			Node("Transpose", "logits", []string{"both"}, Ints("perm", 0, 2, 3, 1)),
			Node("Softmax", "shares", []string{"logits"}, Int("axis", -1)),
		},
		Initializer: []*protos.TensorProto{Floats("w", []float32{-1, -1, -1, 1, 1, 1}, 2, 3, 1, 1), Floats("b", []float32{380, -380}, 2)},
	}
	if softmax {
		g.Output = g.Output[1:]
	} else {
		g.Node, g.Output = g.Node[:5], g.Output[:1]
	}
	return Write(t, "odd", g)
}

// TestOddNetworks: a layout as it is found in the file needs no key.
func TestOddNetworks(t *testing.T) {
	for name, c := range map[string]struct {
		options map[string]any
		want    string
	}{
		"shares":     {map[string]any{"network": odd(t, true)}, "768 0 256 0"},
		"logits":     {map[string]any{"network": odd(t, false)}, "768 0 256 0"},
		"background": {map[string]any{"network": odd(t, true), "channel": 1}, "256 0 768 0"},
	} {
		m, err := open(t, "saliency", data.WeakTags, c.options)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if l, _ := label(t, m, photo(square, data.WeakLabels{Tags: []int{2}})); areas(l) != c.want {
			t.Errorf("%s: areas %s, want %s", name, areas(l), c.want)
		}
	}
}

// TestBadOptions: each error names the key.
func TestBadOptions(t *testing.T) {
	path := bright(t, 1)
	for _, c := range []struct {
		options map[string]any
		want    string
	}{
		{map[string]any{}, "exactly one of model"},
		{map[string]any{"model": "u2net", "network": path}, "exactly one of model"},
		{map[string]any{"model": "mobile-sam"}, "family sam"},
		{map[string]any{"network": path, "norm": "grey"}, "norm"},
		{map[string]any{"network": path, "side": 16}, "32×32"},
		{map[string]any{"network": path, "threshold": 1.0}, "threshold"},
		{map[string]any{"network": path, "clip": "tiny-clip", "from": map[string]any{"scores": "x"}}, "clip and from"},
		{map[string]any{"network": path, "from": map[string]any{"method": "grabcut"}}, "no class scores"},
		{map[string]any{"network": path, "templates": []string{"a {}"}}, "templates: nothing reads it without clip or namer"},
		{map[string]any{"network": path, "blip2": "blip2-itm"}, "blip2: nothing reads it without clip or namer"},
		{map[string]any{"network": path, "namer_options": map[string]any{"a": 1}}, "namer_options: nothing reads it without clip or namer"},
		{map[string]any{"network": path, "namer": "blip2", "clip": "tiny-clip"}, "clip: the namer blip2 does not read it"},
		{map[string]any{"network": path, "clip": "tiny-clip", "blip2": "blip2-itm"}, "blip2: the namer clip does not read it"},
		{map[string]any{"network": path, "present": 1.0}, "present = 1"},
		{map[string]any{"network": path, "layout": "hwc"}, "layout = \"hwc\": allowed are nchw, nhwc"},
		{map[string]any{"network": path, "layout": "nhwc"}, "channels come first; allowed is nchw"},
		{map[string]any{"network": path, "channel": -1}, "channels count from 1"},
		{map[string]any{"network": path, "scale": -1.0}, "scale = -1"},
		{map[string]any{"network": path, "scale": 255.0, "logits": true}, "scale and logits"},
		{map[string]any{"network": odd(t, true), "norm": "imagenet"}, "takes bytes; allowed is bytes"},
		{map[string]any{"network": path, "nonsense": 1}, "nonsense"},
	} {
		if _, err := open(t, "saliency", data.WeakTags, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.options, err)
		}
	}
}

// TestMapOnce: steps of a chain that use the same network share a photo's map.
func TestMapOnce(t *testing.T) {
	n := Network{Network: bright(t, 1), Norm: "unit"}
	b := backendtest.One(t)
	first, err := n.Open(b, "a")
	if err != nil {
		t.Fatal(err)
	}
	second, err := n.Open(b, "b")
	if err != nil {
		t.Fatal(err)
	}
	s := photo(square, data.WeakLabels{})
	one, err1 := first.Map(t.Context(), s)
	two, err2 := second.Map(t.Context(), s)
	if err1 != nil || err2 != nil || &one[0] != &two[0] {
		t.Errorf("two maps of one photo: %v, %v", err1, err2)
	}
	if other, err := second.Map(t.Context(), photo(square, data.WeakLabels{})); err != nil || &other[0] == &one[0] {
		t.Errorf("another photo has the same map: %v", err)
	}
}

// TestChains: saliency as the first step of other methods, by config alone.
func TestChains(t *testing.T) {
	net := map[string]any{"network": bright(t, 1), "norm": "unit"}
	from := map[string]any{"method": "saliency", "options": net}
	for method, options := range map[string]map[string]any{
		"grabcut": {"from": from},
		"crf":     {"from": from},
		"import":  from,
	} {
		m, err := open(t, method, data.WeakTags, options)
		if err != nil {
			t.Fatal(err)
		}
		l, _ := label(t, m, photo(square, data.WeakLabels{Tags: []int{2}}))
		if got := areas(l); got != "768 0 256 0" {
			t.Errorf("%s: %s", method, got)
		}
		if len(gen.WeightsOf(m)) != 1 {
			t.Errorf("%s: weights %v", method, gen.WeightsOf(m))
		}
	}
}

// TestTiny: the tiny network of the zoo finds what stands out in scenes that it was
// not trained on.
func TestTiny(t *testing.T) {
	ds, err := data.Open("scenes", data.Options{Root: t.TempDir() + "/scenes", Seed: 3, Extra: map[string]any{"train": 1, "val": 8}})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := ds.IDs("val")
	if err != nil {
		t.Fatal(err)
	}
	net, err := Network{Model: "tiny-saliency"}.Open(backendtest.One(t), "gen.options")
	if err != nil {
		t.Fatal(err)
	}
	both, either := 0, 0
	for _, id := range ids {
		s, err := ds.Load(id, data.WantImage|data.WantTruth)
		if err != nil {
			t.Fatal(err)
		}
		salient, err := net.Map(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range s.Truth.Pix {
			object := v != 0 && v != data.Ignore
			if object && salient[i] >= 0.5 {
				both++
			}
			if object || v == 0 && salient[i] >= 0.5 {
				either++
			}
		}
	}
	if iou := float64(both) / float64(either); !(iou > 0.7) {
		t.Errorf("IoU of what stands out %.2f", iou)
	} else {
		t.Logf("IoU of what stands out %.2f", iou)
	}
}
