package features

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation"
	"wsss/models/foundation/load"
	. "wsss/models/onnximport/onnxtest"
)

// colours is a network whose features are the mean colour of patches of 4×4
// pixels, in the layout that end makes of them: maps, tokens behind two others,
// or channels last.
func colours(t *testing.T, end string, dims ...any) string {
	t.Helper()
	if dims == nil {
		dims = []any{"n", 3, "h", "w"}
	}
	eye := make([]float32, 3*3*16)
	for c := range 3 {
		for i := range 16 {
			eye[(c*3+c)*16+i] = 1.0 / 16
		}
	}
	g := &protos.GraphProto{
		Input: []*protos.ValueInfoProto{Port("x", dims...)},
		Node:  []*protos.NodeProto{Node("Conv", "maps", []string{"x", "eye"}, Ints("kernel_shape", 4, 4), Ints("strides", 4, 4))},
		Initializer: []*protos.TensorProto{
			Floats("eye", eye, 3, 3, 4, 4), Floats("ones", []float32{1, 1, 1, 1, 1, 1}, 1, 2, 3), Floats("zero", []float32{0}, 1, 1, 1),
		},
	}
	switch end {
	case "maps":
		g.Output = []*protos.ValueInfoProto{Port("maps", "n", 3, "gh", "gw")}
	case "last":
		g.Node = append(g.Node, Node("Transpose", "last", []string{"maps"}, Ints("perm", 0, 2, 3, 1)))
		g.Output = []*protos.ValueInfoProto{Port("last", "n", "gh", "gw", 3)}
	case "tokens": // the two tokens in front are of no photo
		g.Node = append(g.Node, Node("Transpose", "last", []string{"maps"}, Ints("perm", 0, 2, 3, 1)),
			Node("Shape", "shape", []string{"x"}), Node("Gather", "n", []string{"shape", "first"}, Int("axis", 0)),
			Node("Concat", "flatShape", []string{"n", "rest"}, Int("axis", 0)), Node("Reshape", "patches", []string{"last", "flatShape"}),
			Node("Slice", "row", []string{"patches", "from", "two", "axis"}), Node("Mul", "nought", []string{"row", "zero"}), Node("Add", "front", []string{"nought", "ones"}),
			Node("Concat", "tokens", []string{"front", "patches"}, Int("axis", 1)))
		g.Output = []*protos.ValueInfoProto{Port("tokens", "n", "t", 3)}
		g.Initializer = append(g.Initializer, longs("first", 0), longs("rest", -1, 3), longs("from", 0), longs("two", 2), longs("axis", 1))
	}
	return Write(t, end, g)
}

// one is a network that takes several photos and then finds that there is room for
// the tokens of one.
func one(t *testing.T) string {
	t.Helper()
	g := &protos.GraphProto{
		Input:  []*protos.ValueInfoProto{Port("x", "n", 3, "h", "w")},
		Output: []*protos.ValueInfoProto{Port("tokens", "n", "t", 3)},
		Node: []*protos.NodeProto{
			Node("AveragePool", "maps", []string{"x"}, Ints("kernel_shape", 4, 4), Ints("strides", 4, 4)),
			Node("Conv", "same", []string{"maps", "eye"}, Ints("kernel_shape", 1, 1)),
			Node("Transpose", "last", []string{"same"}, Ints("perm", 0, 2, 3, 1)), Node("Reshape", "tokens", []string{"last", "single"}),
		},
		Initializer: []*protos.TensorProto{longs("single", 1, -1, 3), Floats("eye", []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}, 3, 3, 1, 1)},
	}
	return Write(t, "one", g)
}

func longs(name string, v ...int64) *protos.TensorProto {
	return &protos.TensorProto{Name: name, DataType: int32(protos.TensorProto_INT64), Dims: []int64{int64(len(v))}, Int64Data: v}
}

// stripes is red, green and blue from left to right.
func stripes(w, h int) *imageproc.RGB {
	p := imageproc.NewRGB(w, h)
	for i := range w * h {
		p.Pix[3*i+i%w*3/w] = 255
	}
	return p
}

func open(t *testing.T, path string, o Options) *Network {
	t.Helper()
	n, err := Open(backendtest.One(t), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() }) //nolint:errcheck // memory only
	return n
}

// TestLayouts: the same features come from any layout, several photos of mixed
// sizes in a call as one by one, and padding is not part of the photo.
func TestLayouts(t *testing.T) {
	for _, end := range []string{"maps", "last", "tokens"} {
		t.Run(end, func(t *testing.T) {
			o := Options{Norm: Norms["unit"]}
			if end == "last" {
				o.Layout = LayoutLast
			}
			if end != "tokens" {
				o.Patch = 4
			}
			n := open(t, colours(t, end), o)
			photos := []*imageproc.RGB{stripes(24, 8), stripes(21, 6), stripes(24, 8)}
			maps, err := n.Maps(t.Context(), photos...)
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range maps {
				if m.W != 6 || m.H != 2 || m.C != 3 || m.ScaleX != 0.25 || m.ScaleY != 0.25 {
					t.Fatalf("photo %d: grid %d×%d×%d, scale %v, %v", i, m.W, m.H, m.C, m.ScaleX, m.ScaleY)
				}
				if got := fmt.Sprint(m.Values[:3], m.Values[len(m.Values)/2-3:len(m.Values)/2]); got != "[1 0 0] [0 0 1]" {
					t.Errorf("photo %d: features at the left and the right are %s", i, got)
				}
				one, err := n.Maps(t.Context(), photos[i])
				if err != nil || fmt.Sprint(*one[0]) != fmt.Sprint(*m) {
					t.Errorf("photo %d alone: %v, %v", i, one, err)
				}
			}
			if l := maps[1].Norms[6]; l >= 1 || l < 0.45 { // half of the lower cells are padding
				t.Errorf("length of the features of a half padded cell: %v", l)
			}
		})
	}
}

// TestSizes: what a photo is resized to.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		o    Options
		dims []any
		w, h int
		want string
	}{
		{Options{}, nil, 21, 6, "(21,6) (24,8)"},
		{Options{Fit: FitStretch}, nil, 21, 6, "(20,8) (20,8)"},
		{Options{Side: 40}, nil, 20, 10, "(40,20) (40,20)"},
		{Options{MaxSide: 10}, nil, 20, 10, "(10,5) (12,8)"},
		{Options{Square: 20}, nil, 50, 60, "(20,20) (20,20)"},
		{Options{}, []any{1, 3, 16, 32}, 50, 60, "(32,16) (32,16)"},
	} {
		in, out := open(t, colours(t, "maps", c.dims...), c.o).size(c.w, c.h)
		if got := fmt.Sprint(in, out); got != c.want {
			t.Errorf("%+v of %d×%d: %s, want %s", c.o, c.w, c.h, got, c.want)
		}
	}
}

// TestPool: a mask's features are those inside it, by area.
func TestPool(t *testing.T) {
	m, err := newMap([]float32{2, 0, 0, 1}, 2, 1) // (1,0) of length 2 and (0,1)
	if err != nil {
		t.Fatal(err)
	}
	m.ScaleX, m.ScaleY = 0.5, 0.5
	mask := data.EncodeRLE([]uint8{0, 1, 1, 1, 0, 1, 1, 1}, 4, 2) // half of the first cell, all of the second
	w := m.Weights(mask)
	if fmt.Sprint(w) != "[0.5 1]" {
		t.Fatalf("weights %v", w)
	}
	for lengths, want := range map[bool][2]float64{false: {0.5, 1}, true: {1, 1}} {
		got, l := m.Pool(w, lengths), math.Hypot(want[0], want[1])
		if math.Abs(float64(got[0])-want[0]/l) > 1e-6 || math.Abs(float64(got[1])-want[1]/l) > 1e-6 {
			t.Errorf("by lengths %v: %v, want the direction %v", lengths, got, want)
		}
	}
	if got := m.Pool(m.Weights(data.EncodeRLE(make([]uint8, 8), 4, 2)), true); got != nil {
		t.Errorf("an empty mask has features %v", got)
	}
}

// TestCache: a photo is encoded once, in half precision whether read or made;
// damaged files and those of other settings are made anew, and the folder stays
// within its limit.
func TestCache(t *testing.T) {
	path, dir := colours(t, "maps"), t.TempDir()
	n := open(t, path, Options{})
	e := &counting{engine: n.engine}
	n.engine = e
	bare, err := n.Maps(t.Context(), stripes(24, 8))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.SetCache(dir, 1<<20); err != nil {
		t.Fatal(err)
	}
	look := func(n *Network, runs int) {
		t.Helper()
		m, err := n.Maps(t.Context(), stripes(24, 8))
		if err != nil || e.runs != runs || n.Key() == "" || m[0].H != bare[0].H {
			t.Fatalf("%d runs, want %d: %v", e.runs, runs, err)
		}
		if n.opts.Side == 0 && fmt.Sprint(*m[0]) != fmt.Sprint(*bare[0]) {
			t.Error("the cache changes the features")
		}
	}
	look(n, 2)
	look(n, 2)
	files, _ := filepath.Glob(filepath.Join(dir, "*"+cacheSuffix))
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	raw, _ := os.ReadFile(files[0])
	raw[len(raw)-1] ^= 1
	if err := os.WriteFile(files[0], raw, 0o644); err != nil {
		t.Fatal(err)
	}
	look(n, 3)
	other := open(t, path, Options{Norm: Norms["unit"]})
	e.engine, other.engine = other.engine, e
	if err := other.SetCache(dir, 1<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Maps(t.Context(), stripes(24, 8)); err != nil || e.runs != 4 {
		t.Fatalf("other settings took the features of these: %d runs, %v", e.runs, err)
	}
	if err := n.SetCache(dir, int64(len(raw))*5/2); err != nil {
		t.Fatal(err)
	}
	for w := 4; w < 20; w++ {
		if _, err := n.Maps(t.Context(), stripes(24, w)); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*"+cacheSuffix))
		if len(files) == 0 || len(files) > 2 {
			t.Fatalf("%d files for a limit of two and a half", len(files))
		}
	}
}

type counting struct {
	engine
	runs int
}

func (c *counting) run(ctx context.Context, pixels []float32, n, w, h int) ([][]float32, int, int, error) {
	c.runs++
	return c.engine.run(ctx, pixels, n, w, h)
}

// TestCLIPTower: the image tower of CLIP, which gives one embedding, is cut
// after its last block and takes any size; at its own size the tokens are those
// of the whole file.
func TestCLIPTower(t *testing.T) {
	const path = "../zoo/clip_vision.onnx"
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		n, err := Open(b, path, Options{Norm: Norms["clip"]})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close() //nolint:errcheck // memory only
		tw := n.engine.(*tower)
		p := stripes(64, 64)
		maps, err := n.Maps(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		m := maps[0]
		s, err := load.Open(b, path, load.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close() //nolint:errcheck // memory only
		pixels := make([]float32, 3*64*64)
		p.Planar(imageproc.CLIPNorm, pixels, 64, 64)
		out, err := s.Run(t.Context(), map[string]*tensors.Tensor{"pixel_values": tensors.FromFlatDataAndDimensions(pixels, 1, 3, 64, 64)}, tw.net.Tokens)
		if err != nil {
			t.Fatal(err)
		}
		want, dims, err := foundation.Floats(out, tw.net.Tokens, 3)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := newMap(want[dims[2]:], m.W, m.H)
		if err != nil || ref.C != m.C {
			t.Fatal(ref, err)
		}
		for i, v := range ref.Values {
			if math.Abs(float64(v-m.Values[i])) > 1e-3 { // half precision
				t.Fatalf("value %d: %v, want %v", i, m.Values[i], v)
			}
		}
		wide, err := n.Maps(t.Context(), stripes(100, 40))
		if err != nil || wide[0].W != (100+tw.net.Patch-1)/tw.net.Patch {
			t.Errorf("another size: %v, %v", wide, err)
		}
	})
}

// TestCNN: weights of the repository's CNNs, at each stride.
func TestCNN(t *testing.T) {
	for _, stride := range []int{8, 16, 32} {
		n := open(t, "../../resnet/tiny/resnet18_w025_scenes.safetensors", Options{Stride: stride})
		m, err := n.Maps(t.Context(), stripes(70, 60))
		if err != nil || m[0].W != 96/stride || m[0].H != 64/stride {
			t.Fatalf("stride %d: %+v, %v", stride, m[0], err)
		}
	}
}

// TestViT: weights of a vision transformer, whose sides are multiples of its
// patch.
func TestViT(t *testing.T) {
	for _, file := range []string{"dinov2.safetensors", "registers.safetensors", "clip.safetensors", "timm.safetensors"} {
		n := open(t, "../../vit/testdata/"+file, Options{})
		p := n.engine.step()
		photos := []*imageproc.RGB{stripes(5*p, 3*p), stripes(5*p-1, 3*p)}
		maps, err := n.Maps(t.Context(), photos...)
		if err != nil || maps[0].W != 5 || maps[0].H != 3 || maps[1].W != 5 {
			t.Fatalf("%s: %+v, %v", file, maps, err)
		}
		one, err := n.Maps(t.Context(), photos[0])
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range one[0].Values {
			if math.Abs(float64(v-maps[0].Values[i])) > 1e-3 {
				t.Fatalf("%s: alone %v, with another %v", file, v, maps[0].Values[i])
			}
		}
	}
}

// TestTogether: photos of several callers that share runs get what each gets
// alone, from every kind of network.
func TestTogether(t *testing.T) {
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		for path, o := range map[string]Options{
			"../zoo/clip_vision.onnx":                            {Norm: Norms["clip"]},
			"../../resnet/tiny/resnet18_w025_scenes.safetensors": {},
			"../../vit/testdata/dinov2.safetensors":              {Side: 56},
			colours(t, "maps"):                                   {Patch: 4},
			colours(t, "tokens"):                                 {},
			colours(t, "last", 1, 3, "h", "w"):                   {Patch: 4, Layout: LayoutLast},
			one(t):                                               {Patch: 4}, // fails for more than one photo
		} {
			n, err := Open(b, path, o)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(filepath.Base(path), func(t *testing.T) {
				backendtest.SharedRuns(t, 6, 1e-3, func(i int) ([]float32, error) { // half precision
					maps, err := n.Maps(t.Context(), stripes(64-i, 56))
					if err != nil {
						return nil, err
					}
					return maps[0].Values, nil
				})
			})
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestErrors: each names what is wrong.
func TestErrors(t *testing.T) {
	b := backendtest.One(t)
	tokens := colours(t, "tokens")
	for _, c := range []struct {
		o    Options
		path string
		want string
	}{
		{Options{Fit: "crop"}, tokens, "fit"},
		{Options{Stride: 7}, tokens, "stride"},
		{Options{Layout: "nchw"}, tokens, "bchw, bhwc, bnc"},
		{Options{Prefix: 1}, tokens, "patch and prefix"},
		{Options{Patch: 2}, tokens, "patch and prefix"},
		{Options{Layout: LayoutMaps}, tokens, "wanted are 4 axes"},
		{Options{Output: "nothing"}, tokens, "nothing"},
		{Options{}, filepath.Join(t.TempDir(), "none.onnx"), "none.onnx"},
		{Options{}, "../../resnet/tiny/pretrain.py", "pretrain.py"},
	} {
		n, err := Open(b, c.path, c.o)
		if err == nil {
			_, err = n.Maps(t.Context(), stripes(24, 8))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
	for _, c := range []struct {
		t    Table
		want string
	}{
		{Table{}, "exactly one of model"},
		{Table{Model: "tiny-sam"}, "family sam"},
		{Table{Model: "nothing"}, "unknown"},
		{Table{Network: tokens, Norm: "half"}, "bytes, caffe, clip, imagenet, signed, unit"},
		{Table{Network: tokens, CacheMB: 3}, "cache_mb"},
		{Table{Network: tokens, Side: -1}, "side"},
	} {
		if err := c.t.Check("x.features"); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "[x.features]") {
			t.Errorf("%+v: %v, want %q", c.t, err, c.want)
		}
	}
	if n, err := (Table{Model: "tiny-clip"}).Open(b, "x"); err != nil || n.opts.Norm != Norms["clip"] {
		t.Errorf("a model of the manifest: %v", err)
	}
}
