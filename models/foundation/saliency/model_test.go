package saliency

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/imageproc"
	"wsss/models/foundation"
)

// net is a network whose output is told beforehand; it keeps what it was given.
type net struct {
	in   foundation.Port
	out  *tensors.Tensor
	seen *tensors.Tensor
}

func (n *net) Inputs() []foundation.Port { return []foundation.Port{n.in} }
func (n *net) Outputs() []foundation.Port {
	return []foundation.Port{{Name: "map", DType: dtypes.Float32}}
}
func (n *net) Hash() string { return "" }
func (n *net) Close() error { return nil }
func (n *net) Run(_ context.Context, in map[string]*tensors.Tensor, _ ...string) (map[string]*tensors.Tensor, error) {
	var err error
	n.seen, err = in[n.in.Name].LocalClone()
	return map[string]*tensors.Tensor{"map": n.out}, err
}

func port(d dtypes.DType, dims ...int) foundation.Port {
	return foundation.Port{Name: "x", DType: d, Dims: dims}
}

func tensor[T float32 | float64 | uint8 | int32 | int64](v []T, dims ...int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(v, dims...)
}

// photo is 2×2: red, green, blue and grey.
func photo() *imageproc.RGB {
	m := imageproc.NewRGB(2, 2)
	copy(m.Pix, []uint8{255, 0, 0, 0, 255, 0, 0, 0, 255, 51, 51, 51})
	return m
}

// TestOutputs: the forms in which networks give a map, all of the same one.
func TestOutputs(t *testing.T) {
	far := float32(math.Log(3)) // a logit of 3/4
	for name, c := range map[string]struct {
		out  *tensors.Tensor
		opts Options
	}{
		"[1, 1, h, w]":             {tensor([]float32{0, 1, 0.75, 0.25, 0.5, 1}, 1, 1, 2, 3), Options{}},
		"[h, w]":                   {tensor([]float32{0, 1, 0.75, 0.25, 0.5, 1}, 2, 3), Options{}},
		"[1, h, w, 1]":             {tensor([]float32{0, 1, 0.75, 0.25, 0.5, 1}, 1, 2, 3, 1), Options{}},
		"doubles":                  {tensor([]float64{0, 1, 0.75, 0.25, 0.5, 1}, 1, 1, 2, 3), Options{}},
		"rounding beyond 1":        {tensor([]float32{-1e-5, 1.0001, 0.75, 0.25, 0.5, 1}, 1, 1, 2, 3), Options{}},
		"logits, as the file says": {tensor([]float32{-99, 99, far, -far, 0, 99}, 1, 1, 2, 3), Options{Values: Logits}},
		"logits, as the map tells": {tensor([]float32{-99, 99, far, -far, 0, 99}, 1, 1, 2, 3), Options{}},
		"0 to 255, by scale":       {tensor([]float32{0, 255, 191.25, 63.75, 127.5, 255}, 1, 1, 2, 3), Options{Scale: 255}},
		"a half map":               {tensor([]float32{0, 0.5, 0.375, 0.125, 0.25, 0.5}, 1, 1, 2, 3), Options{Scale: 0.5}},
		"stretched":                {tensor([]float32{0.1, 0.5, 0.4, 0.2, 0.3, 0.5}, 1, 1, 2, 3), Options{Stretch: true}},
	} {
		t.Run(name, func(t *testing.T) { check(t, c.out, c.opts, []float32{0, 1, 0.75, 0.25, 0.5, 1}) })
	}
	rows := [][]float32{{0, 1, 0.75, 0.25, 0.5, 1, 0, 1, 0.75}, {1, 0, 0.25, 0.75, 0.5, 0, 1, 0, 0.25}}
	first := append(append([]float32{}, rows[1]...), rows[0]...)
	var last, logits []float32
	for i := range rows[0] {
		last = append(last, rows[1][i], rows[0][i])
		p := min(max(float64(rows[0][i]), 1e-9), 1-1e-9)
		logits = append(logits, 7, 7+float32(math.Log(p/(1-p)))) // the softmax of both is p
	}
	for name, c := range map[string]struct {
		out  *tensors.Tensor
		opts Options
	}{
		"two channels":                       {tensor(first, 1, 2, 3, 3), Options{}},
		"two channels at the end":            {tensor(last, 1, 3, 3, 2), Options{}},
		"two channels of logits":             {tensor(logits, 1, 3, 3, 2), Options{}},
		"two channels of logits, as it says": {tensor(logits, 1, 3, 3, 2), Options{Values: Logits}},
		"two channels, the first":            {tensor(append(append([]float32{}, rows[0]...), rows[1]...), 2, 3, 3), Options{Channel: 1}},
	} {
		t.Run(name, func(t *testing.T) { check(t, c.out, c.opts, rows[0]) })
	}
	for name, out := range map[string]*tensors.Tensor{
		"bytes":         tensor([]uint8{0, 255, 255, 0}, 1, 1, 2, 2),
		"an arg-max":    tensor([]int64{0, 1, 1, 0}, 1, 2, 2),
		"whole numbers": tensor([]int32{0, 1, 1, 0}, 2, 2),
	} {
		t.Run(name, func(t *testing.T) { check(t, out, Options{}, []float32{0, 1, 1, 0}) })
	}
}

func check(t *testing.T, out *tensors.Tensor, opts Options, want []float32) {
	t.Helper()
	got, err := run(&net{in: port(dtypes.Float32, 1, 3, 2, 2), out: out}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if got.W*got.H != len(want) {
		t.Fatalf("%d×%d", got.W, got.H)
	}
	for i, v := range got.Values {
		if math.Abs(float64(v-want[i])) > 1e-4 {
			t.Fatalf("%v, want %v", got.Values, want)
		}
	}
}

func run(n *net, opts Options) (*Map, error) {
	if opts.Norm == (imageproc.Norm{}) {
		opts.Norm = Norms["unit"]
	}
	m, err := New(n, opts)
	if err != nil {
		return nil, err
	}
	return m.Map(context.Background(), photo())
}

// TestInputs: the forms in which networks take a photo.
func TestInputs(t *testing.T) {
	planar := []float32{1, 0, 0, 0.2, 0, 1, 0, 0.2, 0, 0, 1, 0.2}
	mixed := []float32{1, 0, 0, 0, 1, 0, 0, 0, 1, 0.2, 0.2, 0.2}
	for name, c := range map[string]struct {
		in   foundation.Port
		opts Options
		want []float32
	}{
		"NCHW":                      {port(dtypes.Float32, 1, 3, 2, 2), Options{}, planar},
		"NHWC":                      {port(dtypes.Float32, 1, 2, 2, 3), Options{}, mixed},
		"open":                      {port(dtypes.Float32, -1, -1, -1, -1), Options{Side: 2}, planar},
		"open, NHWC as told":        {port(dtypes.Float32, -1, -1, -1, -1), Options{Side: 2, Layout: NHWC}, mixed},
		"channels open":             {port(dtypes.Float32, 1, -1, 2, 2), Options{}, planar},
		"channels open, at the end": {port(dtypes.Float32, 1, 2, 2, -1), Options{}, mixed},
		"as the shape says":         {port(dtypes.Float32, 1, 2, 2, 3), Options{Layout: NHWC}, mixed},
		"-1 to 1":                   {port(dtypes.Float32, 1, 2, 2, 3), Options{Norm: Norms["one"]}, []float32{1, -1, -1, -1, 1, -1, -1, -1, 1, -0.6, -0.6, -0.6}},
		"0 to 255":                  {port(dtypes.Float32, 1, 2, 2, 3), Options{Norm: Norms["bytes"]}, []float32{255, 0, 0, 0, 255, 0, 0, 0, 255, 51, 51, 51}},
		"Caffe's": {port(dtypes.Float32, 1, 2, 2, 3), Options{Norm: Norms["caffe"]},
			[]float32{-104.008, -116.669, 132.325, -104.008, 138.331, -122.675, 150.992, -116.669, -122.675, -53.008, -65.669, -71.675}},
	} {
		t.Run(name, func(t *testing.T) {
			n := &net{in: c.in, out: tensor([]float32{0, 1, 1, 0}, 2, 2)}
			if _, err := run(n, c.opts); err != nil {
				t.Fatal(err)
			}
			for i, v := range tensors.MustCopyFlatData[float32](n.seen) {
				if math.Abs(float64(v-c.want[i])) > 1e-4 {
					t.Fatalf("it was given %v, want %v", tensors.MustCopyFlatData[float32](n.seen), c.want)
				}
			}
		})
	}
	n := &net{in: port(dtypes.Uint8, 1, 2, 2, 3), out: tensor([]float32{0, 1, 1, 0}, 2, 2)}
	if _, err := run(n, Options{Norm: Norms["bytes"]}); err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[uint8](n.seen); string(got) != string(photo().Pix) {
		t.Errorf("bytes %v", got)
	}
}

// TestRefused: what is no map is refused, with what is there and what is allowed.
func TestRefused(t *testing.T) {
	usual := port(dtypes.Float32, 1, 3, 2, 2)
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		in   foundation.Port
		out  *tensors.Tensor
		opts Options
		want string
	}{
		"a batch":              {port(dtypes.Float32, 4, 3, 2, 2), nil, Options{}, "one photo at a time"},
		"halves of a pixel":    {port(dtypes.Int64, 1, 3, 2, 2), nil, Options{}, "float32 or uint8"},
		"four channels":        {port(dtypes.Float32, 1, 4, 2, 2), nil, Options{}, "wanted are three channels"},
		"channels first":       {port(dtypes.Float32, 1, 3, -1, -1), nil, Options{Side: 2, Layout: NHWC}, "allowed is nchw"},
		"channels last":        {port(dtypes.Float32, -1, -1, -1, 3), nil, Options{Side: 2, Layout: NCHW}, "allowed is nhwc"},
		"a width":              {port(dtypes.Float32, 1, -1, 2, 2), nil, Options{Layout: NHWC}, "allowed is nchw"},
		"no size":              {port(dtypes.Float32, 1, 3, -1, -1), nil, Options{}, "side is missing"},
		"another size":         {usual, nil, Options{Side: 5}, "the file fixes 2×2 pixels"},
		"a number":             {usual, tensor([]float32{1}, 1, 1), Options{}, "wanted is one map [height, width]"},
		"a list":               {usual, tensor(make([]float32, 9), 1, 9), Options{}, "wanted is one map [height, width]"},
		"many channels":        {usual, tensor(make([]float32, 3*16), 1, 3, 4, 4), Options{}, "channel is missing: it has 3; allowed are 1 to 3"},
		"a channel too many":   {usual, tensor(make([]float32, 2*16), 1, 2, 4, 4), Options{Channel: 3}, "channel = 3: it has 2"},
		"no number":            {usual, tensor([]float32{0, nan, 0, 0}, 2, 2), Options{}, "no numbers"},
		"neither nor":          {usual, tensor([]float32{0, 12, 3, 0}, 2, 2), Options{}, "values from 0 to 12: set logits = true"},
		"another element type": {usual, tensors.FromFlatDataAndDimensions([]int8{0, 1, 1, 0}, 2, 2), Options{}, "elements of type"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := run(&net{in: c.in, out: c.out}, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
