package onnxseg

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"

	"wsss/configs"
	"wsss/data"
	"wsss/models"
	"wsss/models/backend/backendtest"
)

var _ models.Predictor = (*Predictor)(nil)

// net describes a test network: a 1×1 convolution whose classes 1, 2, 3 are
// the red, green and blue input and whose class 0 is a constant.
type net struct {
	nhwc   bool // input and output
	bytes  bool // input of uint8, normalised inside
	bgr    bool // the first input channel is blue
	pool   int  // logits are coarser by this factor
	double bool // all of float64
	labels bool // output of class numbers
	side   int  // fixed input size; 0 = open
	batch  int  // fixed; 0 = 1
	aux    bool // an output of an auxiliary head, which knows the background only, comes first
	red    bool // one channel instead: the probability of class 1, which is red
}

func (n net) write(t *testing.T) string {
	t.Helper()
	weights := make([]float32, 4*3)
	for c := range 3 {
		at := c
		if n.bgr {
			at = 2 - c
		}
		weights[3*(c+1)+at] = 1
	}
	g := &protos.GraphProto{Name: "net", Initializer: []*protos.TensorProto{
		{Name: "w", DataType: int32(protos.TensorProto_FLOAT), Dims: []int64{4, 3, 1, 1}, FloatData: weights},
		{Name: "b", DataType: int32(protos.TensorProto_FLOAT), Dims: []int64{4}, FloatData: []float32{0.5, 0, 0, 0}},
		{Name: "k", DataType: int32(protos.TensorProto_FLOAT), FloatData: []float32{1. / 255}},
	}}
	if n.red {
		g.Initializer[0].Dims, g.Initializer[0].FloatData = []int64{1, 3, 1, 1}, []float32{8, -4, -4}
		g.Initializer[1].Dims, g.Initializer[1].FloatData = []int64{1}, []float32{-2}
	}
	float := protos.TensorProto_FLOAT
	if n.double {
		float = protos.TensorProto_DOUBLE
		for _, w := range g.Initializer {
			w.DataType = int32(float)
			for _, v := range w.FloatData {
				w.DoubleData = append(w.DoubleData, float64(v))
			}
			w.FloatData = nil
		}
	}
	last := "image"
	node := func(op, out string, extra []string, attrs ...*protos.AttributeProto) {
		g.Node = append(g.Node, &protos.NodeProto{OpType: op, Name: out, Input: append([]string{last}, extra...), Output: []string{out}, Attribute: attrs})
		last = out
	}
	ints := func(name string, v ...int64) *protos.AttributeProto {
		return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INTS, Ints: v}
	}
	integer := func(name string, v int64) *protos.AttributeProto {
		return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INT, I: v}
	}
	inType := float
	if n.bytes {
		inType = protos.TensorProto_UINT8
		node("Cast", "float", nil, integer("to", int64(protos.TensorProto_FLOAT)))
		node("Mul", "scaled", []string{"k"})
	}
	if n.nhwc {
		node("Transpose", "planes", nil, ints("perm", 0, 3, 1, 2))
	}
	if n.pool > 1 {
		k := int64(n.pool)
		node("AveragePool", "pooled", nil, ints("kernel_shape", k, k), ints("strides", k, k))
	}
	node("Conv", "logits", []string{"w", "b"}, ints("kernel_shape", 1, 1))
	if n.red {
		node("Sigmoid", "probability", nil)
		node("Identity", "foreground", nil)
	}
	outType := float
	switch {
	case n.labels:
		node("ArgMax", "labels", nil, integer("axis", 1), integer("keepdims", 0))
		outType = protos.TensorProto_INT64
	case n.nhwc:
		node("Transpose", "channelslast", nil, ints("perm", 0, 2, 3, 1))
	}
	dim := func(name string, v int) *protos.TensorShapeProto_Dimension {
		if v == 0 {
			return &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimParam{DimParam: name}}
		}
		return &protos.TensorShapeProto_Dimension{Value: &protos.TensorShapeProto_Dimension_DimValue{DimValue: int64(v)}}
	}
	dims := []*protos.TensorShapeProto_Dimension{dim("n", max(n.batch, 1)), dim("c", 3), dim("h", n.side), dim("w", n.side)}
	if n.nhwc {
		dims = []*protos.TensorShapeProto_Dimension{dims[0], dims[2], dims[3], dims[1]}
	}
	port := func(name string, e protos.TensorProto_DataType, shape *protos.TensorShapeProto) *protos.ValueInfoProto {
		return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: &protos.TypeProto_Tensor{ElemType: int32(e), Shape: shape}}}}
	}
	g.Input = []*protos.ValueInfoProto{port("image", inType, &protos.TensorShapeProto{Dim: dims})}
	g.Output = []*protos.ValueInfoProto{port(last, outType, nil)}
	if n.aux {
		node("Neg", "aux_head", nil)
		g.Output = append([]*protos.ValueInfoProto{port("aux_head", outType, nil)}, g.Output...)
	}
	raw, err := proto.Marshal(&protos.ModelProto{IrVersion: 8, Graph: g, OpsetImport: []*protos.OperatorSetIdProto{{Version: 16}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "net.onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// stripes has quarters of black, red, green and blue, w pixels wide.
func stripes(w, h int) (*image.NRGBA, *data.LabelMap) {
	img, want := image.NewNRGBA(image.Rect(0, 0, w, h)), data.NewLabelMap(w, h)
	colours := []color.NRGBA{{10, 20, 30, 255}, {250, 5, 5, 255}, {5, 250, 5, 255}, {5, 5, 250, 255}}
	for y := range h {
		for x := range w {
			c := x * 4 / w
			if y < h/2 {
				c = 3 - c
			}
			img.SetNRGBA(x, y, colours[c])
			want.Set(x, y, uint8(c))
		}
	}
	return img, want
}

func TestPredict(t *testing.T) {
	b := backendtest.One(t)
	plain := configs.ONNX{Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}}
	with := func(edit func(c *configs.ONNX)) configs.ONNX {
		c := plain
		if edit != nil {
			edit(&c)
		}
		return c
	}
	tests := []struct {
		name  string
		net   net
		cfg   configs.ONNX
		w, h  int
		wrong float64 // share of pixels that may differ: borders
	}{
		{"own size", net{}, with(nil), 64, 32, 0},
		{"padded", net{}, with(nil), 60, 37, 0},
		{"padded, coarse", net{pool: 4}, with(nil), 60, 37, 0.1},
		{"normalised", net{}, configs.ONNX{}, 64, 32, 0},
		{"bytes out of 0..255", net{}, with(func(c *configs.ONNX) { c.Divide = 1; c.Std = []float64{255, 255, 255} }), 64, 32, 0},
		{"channels last", net{nhwc: true}, with(func(c *configs.ONNX) { c.Layout, c.OutputLayout = "nhwc", "nhwc" }), 60, 37, 0},
		{"blue first", net{bgr: true}, with(func(c *configs.ONNX) { c.Colours = "bgr" }), 60, 37, 0},
		{"blue first, channels last", net{bgr: true, nhwc: true}, with(func(c *configs.ONNX) { c.Colours, c.Layout, c.OutputLayout = "bgr", "nhwc", "nhwc" }), 60, 37, 0},
		{"bytes", net{bytes: true}, with(nil), 60, 37, 0},
		{"float64", net{double: true}, with(nil), 60, 37, 0},
		{"labels of float64", net{double: true, labels: true}, with(func(c *configs.ONNX) { c.OutputLayout = "labels" }), 60, 37, 0},
		{"labels", net{labels: true}, with(func(c *configs.ONNX) { c.OutputLayout = "labels" }), 60, 37, 0},
		{"stretched", net{}, with(func(c *configs.ONNX) { c.Width, c.Height = 128, 64 }), 60, 37, 0.1},
		{"fixed", net{side: 64}, with(nil), 100, 50, 0.1},
		{"fixed batch", net{side: 64, batch: 3}, with(nil), 100, 50, 0.1},
		{"fixed batch, labels", net{side: 64, batch: 2, labels: true}, with(func(c *configs.ONNX) { c.OutputLayout = "labels" }), 100, 50, 0.1},
		{"an auxiliary head first", net{aux: true}, with(nil), 60, 37, 0},
		{"fixed, labels", net{side: 64, labels: true}, with(func(c *configs.ONNX) { c.OutputLayout = "labels" }), 100, 50, 0.1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.cfg
			cfg.Path = tt.net.write(t)
			p, err := Open(b, cfg, 4)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			img, want := stripes(tt.w, tt.h)
			got, err := p.Predict(context.Background(), img)
			if err != nil {
				t.Fatal(err)
			}
			if got.Size() != want.Size() {
				t.Fatalf("label map of %v, want %v", got.Size(), want.Size())
			}
			wrong := 0
			for i := range want.Pix {
				if got.Pix[i] != want.Pix[i] {
					wrong++
				}
			}
			if s := float64(wrong) / float64(len(want.Pix)); s > tt.wrong {
				t.Errorf("%.3f of the pixels differ, allowed are %.3f", s, tt.wrong)
			}
			if tt.wrong == 0 {
				return
			}
			// The middle of every stripe must be right in any case.
			for k := range 8 {
				x, y := (2*(k%4)+1)*tt.w/8, (2*(k/4)+1)*tt.h/4
				if got.At(x, y) != want.At(x, y) {
					t.Errorf("pixel (%d,%d) is %d, want %d", x, y, got.At(x, y), want.At(x, y))
				}
			}
		})
	}
}

// TestForeground: a probability is class 1 from a half on, where a logit is above 0.
func TestForeground(t *testing.T) {
	p, err := Open(backendtest.One(t), configs.ONNX{Path: net{red: true}.write(t), Mean: []float64{0, 0, 0}, Std: []float64{1, 1, 1}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	img, want := stripes(64, 32)
	got, err := p.Predict(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	for i, class := range want.Pix {
		if (got.Pix[i] == 1) != (class == 1) {
			t.Fatalf("pixel %d of class %d is %d", i, class, got.Pix[i])
		}
	}
}

func TestClasses(t *testing.T) {
	b := backendtest.One(t)
	path := net{}.write(t)
	img, want := stripes(64, 32)
	p, err := Open(b, configs.ONNX{Path: path, Classes: []int{0, 7, 255, 20}}, 21)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	got, err := p.Predict(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range want.Pix {
		if got.Pix[i] != []uint8{0, 7, 255, 20}[c] {
			t.Fatalf("pixel %d is %d, want class %d mapped", i, got.Pix[i], c)
		}
	}
	if got := p.Shape(image.Pt(33, 64)); got != image.Pt(64, 64) {
		t.Errorf("shape of 33×64 is %v, want 64×64", got)
	}
	if hash, err := p.Hash(); err != nil || len(hash) != 64 {
		t.Errorf("hash %q, %v", hash, err)
	}

	for _, tt := range []struct {
		name string
		cfg  configs.ONNX
		net  net
		want string
	}{
		{"too many classes", configs.ONNX{}, net{}, "class 3: the dataset has 0..2"},
		{"short map", configs.ONNX{Classes: []int{0, 1}}, net{}, "class 2: eval.onnx.classes names only 2"},
		{"labels out of range", configs.ONNX{OutputLayout: "labels"}, net{labels: true}, "the dataset has 0..2"},
		{"labels as logits", configs.ONNX{}, net{labels: true}, "logits must have 4 axes"},
		{"logits as labels", configs.ONNX{OutputLayout: "labels"}, net{}, "labels must have the axes"},
		{"other size", configs.ONNX{Width: 32, Height: 32}, net{side: 64}, "takes only 64×64"},
		{"input name", configs.ONNX{Input: "pixels"}, net{}, "allowed are image"},
		{"layout", configs.ONNX{Layout: "nhwc"}, net{side: 64}, "want 3"},
		{"layout of an open size", configs.ONNX{Layout: "nhwc"}, net{}, `set eval.onnx.layout = "nchw"`},
		{"other layout of an open size", configs.ONNX{}, net{nhwc: true}, `set eval.onnx.layout = "nhwc"`},
		{"output name", configs.ONNX{Output: "scores"}, net{}, `eval.onnx.output = "scores": allowed are `},
		{"no file", configs.ONNX{Path: "none.onnx"}, net{}, "none.onnx"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.cfg.Path == "" {
				tt.cfg.Path = tt.net.write(t)
			}
			p, err := Open(b, tt.cfg, 3)
			if err == nil {
				defer p.Close()
				_, err = p.Predict(context.Background(), img)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Predict(ctx, img); err == nil {
		t.Error("cancelled: no error")
	}
}

// TestArgMax compares with a plain computation in double precision.
func TestArgMax(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []int{1, 2, 21} {
		g := grid{c: c, h: 5, w: 7, stepC: 35, stepX: 1}
		for range c * 35 {
			g.values = append(g.values, float32(r.NormFloat64()))
		}
		last := grid{c: c, h: 5, w: 7, stepC: 1, stepX: c, values: make([]float32, c*35)}
		for k := range c {
			for i := range 35 {
				last.values[i*c+k] = g.values[k*35+i]
			}
		}
		got, got2 := data.NewLabelMap(20, 13), data.NewLabelMap(20, 13)
		span := image.Pt(24, 16)
		g.argMax(got, span, 0)
		last.argMax(got2, span, 0)
		if !slices.Equal(got.Pix, got2.Pix) {
			t.Errorf("%d classes: channels first and last differ", c)
		}
		for y := range 13 {
			for x := range 20 {
				best, at := math.Inf(-1), 0
				if c == 1 {
					best = 0
				}
				margin := math.Inf(1)
				for k := range c {
					v := g.sample(k, (float64(x)+0.5)*7/24-0.5, (float64(y)+0.5)*5/16-0.5)
					margin = min(margin, math.Abs(v-best))
					if v > best {
						margin = min(v-best, margin)
						best, at = v, k
						if c == 1 {
							at = 1
						}
					}
				}
				if got.At(x, y) != uint8(at) && margin > 1e-5 {
					t.Errorf("%d classes: pixel (%d,%d) is %d, want %d", c, x, y, got.At(x, y), at)
				}
			}
		}
	}
}

// sample is the bilinear value of channel k at (x, y), clamped to the grid.
func (g grid) sample(k int, x, y float64) float64 {
	x, y = max(x, 0), max(y, 0)
	x0, y0 := min(int(x), g.w-1), min(int(y), g.h-1)
	x1, y1 := min(x0+1, g.w-1), min(y0+1, g.h-1)
	at := func(x, y int) float64 { return float64(g.values[k*g.stepC+(y*g.w+x)*g.stepX]) }
	fx, fy := x-float64(x0), y-float64(y0)
	return (at(x0, y0)*(1-fx)+at(x1, y0)*fx)*(1-fy) + (at(x0, y1)*(1-fx)+at(x1, y1)*fx)*fy
}

func BenchmarkArgMax(b *testing.B) {
	g := grid{c: 21, h: 65, w: 65, stepC: 65 * 65, stepX: 1, values: make([]float32, 21*65*65)}
	for i := range g.values {
		g.values[i] = float32(i*7919%1000) / 1000
	}
	m := data.NewLabelMap(500, 375)
	for range b.N {
		g.argMax(m, image.Pt(513, 513), 0)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
	if m.Pix[0] > 20 {
		fmt.Fprintln(os.Stderr, m.Pix[0])
	}
}
