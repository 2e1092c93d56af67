package layers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/backend/adapter"
	"wsss/models/backend/backendtest"
)

// refConv is the definition of the convolution.
func refConv(x, w array, bias []float64, o ConvOptions) array {
	o = o.withDefaults()
	n, h, wd, in := x.dims[0], x.dims[1], x.dims[2], x.dims[3]
	kh, kw, out := w.dims[0], w.dims[1], w.dims[3]
	ho, wo := (h+2*o.Pad-(kh-1)*o.Dilation-1)/o.Stride+1, (wd+2*o.Pad-(kw-1)*o.Dilation-1)/o.Stride+1
	y := newArray(n, ho, wo, out)
	for k := range y.v {
		c, j, i, b := k%out, k/out%wo, k/out/wo%ho, k/out/wo/ho
		for a := range kh {
			for e := range kw {
				r, s := i*o.Stride+a*o.Dilation-o.Pad, j*o.Stride+e*o.Dilation-o.Pad
				if r < 0 || r >= h || s < 0 || s >= wd {
					continue
				}
				for d := range in {
					y.v[k] += *x.at(b, r, s, d) * *w.at(a, e, d, c)
				}
			}
		}
		if bias != nil {
			y.v[k] += bias[c]
		}
		if o.ReLU {
			y.v[k] = max(y.v[k], 0)
		}
	}
	return y
}

// convCases are kernels, channels, images and options of convolutions.
var convCases = []struct {
	k, in, out, h, w int
	o                ConvOptions
}{
	{1, 3, 4, 5, 4, ConvOptions{}},
	{1, 3, 4, 5, 6, ConvOptions{Stride: 2}},
	{3, 2, 5, 5, 7, ConvOptions{Pad: 1}},
	{3, 5, 2, 5, 7, ConvOptions{Pad: 1}},
	{3, 4, 2, 5, 7, ConvOptions{Dilation: 2, Pad: 1}},
	{3, 2, 3, 6, 5, ConvOptions{Pad: 2, Dilation: 2, ReLU: true}},
	{3, 2, 1, 5, 4, ConvOptions{Pad: 6, Dilation: 6}}, // only the centre touches the image
	{3, 3, 2, 7, 6, ConvOptions{Stride: 2, Pad: 1}},
	{3, 2, 3, 8, 6, ConvOptions{Stride: 2, Pad: 1, ReLU: true}},
	{7, 3, 2, 9, 10, ConvOptions{Stride: 2, Pad: 3}},
	{3, 2, 3, 6, 5, ConvOptions{}},
	{2, 2, 3, 6, 5, ConvOptions{Stride: 3}},
	{2, 2, 3, 6, 5, ConvOptions{Stride: 2, Pad: 1, ReLU: true}},
	{4, 2, 3, 8, 9, ConvOptions{Stride: 4}},
	{1, 2, 3, 4, 5, ConvOptions{Pad: 2}},
}

func TestConv(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, c := range convCases {
			for _, biased := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d×%d/%d→%d/%+v/%v", c.h, c.w, c.in, c.out, c.o, biased), func(t *testing.T) {
					in := []array{random(1, 2, c.h, c.w, c.in), random(2, c.k, c.k, c.in, c.out)}
					if biased {
						in = append(in, random(3, c.out))
					}
					checkOp(t, b, func(in []*Node) *Node {
						in = append(in, nil)
						return Conv(in[0], in[1], in[2], c.o)
					}, func(in []array) array {
						if biased {
							return refConv(in[0], in[1], in[2].v, c.o)
						}
						return refConv(in[0], in[1], nil, c.o)
					}, in...)
				})
			}
		}
	})
}

// onGPU is ONNX Runtime on a CPU that says it computes on a GPU.
type onGPU struct{ compute.Backend }

func (onGPU) Description() string { return "ONNX Runtime (CUDA GPU) compute backend" }

// On a GPU ONNX Runtime convolves by itself, in the forward pass and for the
// gradient of the image; that of the kernel is a product. Results are the same.
func TestConvONNXOnGPU(t *testing.T) {
	if !slices.Contains(backendtest.Names(t), "onnx") {
		t.Skip("ONNX Runtime is not installed")
	}
	b := adapter.New(onGPU{backendtest.Open(t, "onnx")}, adapter.Options{})
	for _, c := range convCases {
		t.Run(fmt.Sprintf("%d×%d/%d→%d/%+v", c.h, c.w, c.in, c.out, c.o), func(t *testing.T) {
			native := 0
			checkOp(t, b, func(in []*Node) *Node {
				y := Conv(in[0], in[1], in[2], c.o)
				native = 0
				for _, n := range y.Graph().Nodes() {
					if n.Type() == NodeTypeConvGeneral {
						native++
					}
				}
				return y
			}, func(in []array) array { return refConv(in[0], in[1], in[2].v, c.o) },
				random(1, 2, c.h, c.w, c.in), random(2, c.k, c.k, c.in, c.out), random(3, c.out))
			want := 0 // where one product does: kernels of a pixel, and those that no stride splits
			if c.k > max(c.o.Stride, 1) {
				want = 1
			}
			if native != want {
				t.Errorf("%d convolutions of the engine's own, want %d", native, want)
			}
		})
	}
}

// The gradients of a convolution used twice add up.
func TestConvSharedInput(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		o := ConvOptions{Pad: 1}
		checkOp(t, b, func(in []*Node) *Node {
			return AddReLU(Conv(in[0], in[1], nil, o), Conv(Conv(in[0], in[1], nil, o), in[1], nil, o))
		}, func(in []array) array {
			y := refConv(in[0], in[1], nil, o)
			z := refConv(y, in[1], nil, o)
			for i := range y.v {
				y.v[i] = max(y.v[i]+z.v[i], 0)
			}
			return y
		}, random(1, 1, 4, 5, 2), random(2, 3, 3, 2, 2))
	})
}

func TestConvPanics(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for want, o := range map[string]ConvOptions{"one of them must be 1": {Stride: 2, Dilation: 2}, "channels": {}} {
			_, err := NewExec(b, func(x, w *Node) *Node { return Conv(x, w, nil, o) })
			if err != nil {
				t.Fatal(err)
			}
			exec := MustNewExec(b, func(x, w *Node) *Node { return Conv(x, w, nil, o) })
			if _, err := exec.Call(random(1, 1, 4, 4, 2).tensor(), random(1, 3, 3, 3, 1).tensor()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: error %v, want %q", o, err, want)
			}
		}
	})
}

// What XLA gets is the same convolution; other engines compute it too. GoMLX
// alone would shift the gradient of an even kernel by a pixel.
func TestNativeConv(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		if backend.KindOf(b) == backend.ONNX {
			t.Skip("ONNX Runtime has no gradient of a strided convolution")
		}
		check := func(kh, kw int, o ConvOptions) {
			t.Run(fmt.Sprintf("%d×%d/%+v", kh, kw, o), func(t *testing.T) {
				checkOp(t, b, func(in []*Node) *Node { return nativeConv(in[0], in[1], in[2], o.withDefaults()) },
					func(in []array) array { return refConv(in[0], in[1], in[2].v, o) },
					random(1, 2, 6, 7, 2), random(2, kh, kw, 2, 3), random(3, 3))
			})
		}
		for k := 1; k <= 4; k++ {
			for stride := 1; stride <= 3; stride++ {
				for pad := range k {
					check(k, k, ConvOptions{Stride: stride, Pad: pad, ReLU: k == 2})
				}
			}
		}
		for _, dilation := range []int{2, 3} {
			check(2, 2, ConvOptions{Dilation: dilation, Pad: 1})
			check(3, 3, ConvOptions{Dilation: dilation, Pad: dilation})
		}
		check(2, 3, ConvOptions{Pad: 1})
		check(3, 4, ConvOptions{Stride: 2, Pad: 1})
	})
}

// Where the result is exactly 0, the gradient is 0 on every engine, as in
// PyTorch.
func TestReLUAtZero(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		x := newArray(1, 2, 2, 1)
		w := newArray(1, 1, 1, 1)
		*x.at(0, 0, 0, 0), w.v[0] = 1, 2
		for name, op := range map[string]func(x, w *Node) *Node{
			"conv":    func(x, w *Node) *Node { return Conv(x, w, nil, ConvOptions{ReLU: true}) },
			"native":  func(x, w *Node) *Node { return nativeConv(x, w, nil, ConvOptions{ReLU: true}.withDefaults()) },
			"addReLU": func(x, w *Node) *Node { return AddReLU(Mul(x, w), Mul(x, w)) },
		} {
			got := MustNewExec(b, func(x, w *Node) *Node { return Gradient(ReduceAllSum(op(x, w)), x)[0] }).MustCall(x.tensor(), w.tensor())[0]
			flat := tensors.MustCopyFlatData[float32](got)
			if flat[0] <= 0 || flat[1] != 0 || flat[2] != 0 || flat[3] != 0 {
				t.Errorf("%s: gradient %v, want it at the first pixel only", name, flat)
			}
		}
	})
}

// refDepthwise is the definition of the depthwise convolution.
func refDepthwise(x, w array, o ConvOptions) array {
	o = o.withDefaults()
	n, h, wd, c := x.dims[0], x.dims[1], x.dims[2], x.dims[3]
	kh, kw := w.dims[0], w.dims[1]
	ho, wo := (h+2*o.Pad-(kh-1)*o.Dilation-1)/o.Stride+1, (wd+2*o.Pad-(kw-1)*o.Dilation-1)/o.Stride+1
	y := newArray(n, ho, wo, c)
	for k := range y.v {
		d, j, i, b := k%c, k/c%wo, k/c/wo%ho, k/c/wo/ho
		for a := range kh {
			for e := range kw {
				if r, s := i*o.Stride+a*o.Dilation-o.Pad, j*o.Stride+e*o.Dilation-o.Pad; r >= 0 && r < h && s >= 0 && s < wd {
					y.v[k] += *x.at(b, r, s, d) * *w.at(a, e, 0, d)
				}
			}
		}
		if o.ReLU {
			y.v[k] = max(y.v[k], 0)
		}
	}
	return y
}

func TestDepthwise(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			k, c, h, w int
			o          ConvOptions
		}{
			{3, 3, 5, 4, ConvOptions{}},
			{3, 2, 5, 6, ConvOptions{Pad: 1, ReLU: true}},
			{5, 2, 6, 7, ConvOptions{Pad: 2}},
			{3, 2, 7, 6, ConvOptions{Stride: 2}},
			{3, 2, 8, 9, ConvOptions{Stride: 2, Pad: 1}},
			{5, 3, 9, 8, ConvOptions{Stride: 2, Pad: 2}},
			{3, 2, 8, 7, ConvOptions{Pad: 2, Dilation: 2}},
			{5, 1, 10, 9, ConvOptions{Dilation: 2}},
		} {
			t.Run(fmt.Sprintf("%d×%d×%d/%d/%+v", c.h, c.w, c.c, c.k, c.o), func(t *testing.T) {
				checkOp(t, b, func(in []*Node) *Node { return Depthwise(in[0], in[1], nil, c.o) },
					func(in []array) array { return refDepthwise(in[0], in[1], c.o) },
					random(1, 2, c.h, c.w, c.c), random(2, c.k, c.k, 1, c.c))
			})
		}
	})
}

// TestSamePad: sizes and places of the zeros are TensorFlow's.
func TestSamePad(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, c := range []struct {
			n, k, stride int
			want         string
		}{{4, 3, 2, "[1 1 1 1 0]"}, {5, 3, 2, "[0 1 1 1 1 1 0]"}, {3, 5, 1, "[0 0 1 1 1 0 0]"}, {4, 1, 2, "[1 1 1 1]"}} {
			got := MustExecOnce(b, func(g *Graph) *Node {
				return Reshape(Slice(SamePad(Ones(g, shapes.Make(dtypes.Float32, 1, c.n, 9, 1)), c.k, c.stride, 0), AxisElem(0), AxisRange(), AxisElem(4), AxisElem(0)), -1)
			})
			if s := fmt.Sprint(tensors.MustCopyFlatData[float32](got)); s != c.want {
				t.Errorf("%+v: %s", c, s)
			}
		}
	})
}
