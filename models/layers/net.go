package layers

import (
	"cmp"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Epsilon is added to the variance by batch normalisation, as in PyTorch.
const Epsilon = 1e-5

// Net says how the layers of one network behave. Variables are named as in
// PyTorch with "/" for ".": /backbone/layer1/0/conv1/weight holds what a
// state-dict calls backbone.layer1.0.conv1.weight, kernels as [kh, kw, in, out]
// instead of [out, in, kh, kw]. Initial values depend on the path and on the
// store's parameter model.ParamInitialSeed (int64).
type Net struct {
	Training  bool    // dropout is active, and batch statistics if TrainNorm
	TrainNorm bool    // batch normalisation learns; false freezes it entirely
	Momentum  float64 // weight of the batch in the running statistics (PyTorch's momentum); 0 means 0.1
	Epsilon   float64 // added to the variance; 0 means the constant Epsilon
	// TrainAffine: scale and shift learn while the running statistics stay and
	// are what normalises, in training too.
	TrainAffine bool

	// FanIn: kernels start by their input channels (Kaiming), not their output's.
	FanIn bool

	Canvas *Canvas // of the images; nil where they fill their array
}

// Kaiming is the initial standard deviation of a kernel followed by ReLU, by its
// fan: the output channels, as torchvision initialises a ResNet, or the input
// channels, as kaiming_normal_ does unless told otherwise.
func Kaiming(kh, kw, fan int) float64 { return math.Sqrt(2 / float64(kh*kw*fan)) }

// Kernel is the variable [kh, kw, in, out], initially normal with deviation
// std; a given seed and path give the same values on every backend.
func (n Net) Kernel(scope *model.Scope, g *Graph, k, in, out int, std float64) *Node {
	return n.variable(scope, g, "weight", true, func(r *rand.Rand) float64 { return r.NormFloat64() * std }, k, k, in, out)
}

// Bias is the variable [out], initially 0.
func (n Net) Bias(scope *model.Scope, g *Graph, out int) *Node {
	return n.variable(scope, g, "bias", true, func(*rand.Rand) float64 { return 0 }, out)
}

// Parameter is the variable name of module, "" for the scope itself, of any
// shape; value draws its initial values in row-major order.
func (n Net) Parameter(scope *model.Scope, g *Graph, module, name string, value func(*rand.Rand) float64, dims ...int) *Node {
	if module != "" {
		scope = at(scope, module)
	}
	return n.variable(scope, g, name, true, value, dims...)
}

// variable makes, or finds, a float32 variable whose initial values come from a
// generator seeded with its path.
func (n Net) variable(scope *model.Scope, g *Graph, name string, trainable bool, value func(*rand.Rand) float64, dims ...int) *Node {
	return n.lookup(scope, name, trainable, value, dims...).NodeValue(g)
}

func (n Net) lookup(scope *model.Scope, name string, trainable bool, value func(*rand.Rand) float64, dims ...int) *model.Variable {
	v := scope.GetVariable(name)
	if v == nil {
		t := tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
		seed := model.GetParamOr(scope, model.ParamInitialSeed, int64(0))
		r := rand.New(rand.NewPCG(uint64(seed), pathHash(model.JoinPath(scope.Scope(), name))))
		tensors.MustMutableFlatData(t, func(flat []float32) {
			for i := range flat {
				flat[i] = float32(value(r))
			}
		})
		v = scope.VariableWithValue(name, t)
	}
	return v.SetTrainable(trainable)
}

// pathHash is FNV-1a of the path.
func pathHash(path string) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(path) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// at descends into the scope of a dotted PyTorch module name.
func at(scope *model.Scope, module string) *model.Scope {
	for _, part := range strings.Split(module, ".") {
		scope = scope.At("%s", part)
	}
	return scope
}

// Conv is a k×k convolution with its variables at module: weight, and bias if
// biased. Initial weights are normal with deviation std. Variables are float32;
// where x has another type, they are converted to it.
func (n Net) Conv(scope *model.Scope, module string, x *Node, out, k int, biased bool, std float64, o ConvOptions) *Node {
	s := at(scope, module)
	w := n.Kernel(s, x.Graph(), k, x.Shape().Dim(3), out, std)
	var b *Node
	if biased {
		b = ConvertDType(n.Bias(s, x.Graph(), out), x.DType())
	}
	return n.within(Conv, x, ConvertDType(w, x.DType()), b, o)
}

// convolution is Conv or Depthwise.
type convolution func(x, w, bias *Node, o ConvOptions) *Node

// within is a convolution within the canvas.
func (n Net) within(convolve convolution, x, w, bias *Node, o ConvOptions) *Node {
	o = o.withDefaults()
	reach := (w.Shape().Dim(0) - 1) * o.Dilation
	if reach > 0 {
		x = n.Canvas.fill(x, 0)
	}
	y := convolve(x, w, bias, o)
	n.Canvas.note(x, y, reach, o.Stride, o.Pad)
	return y
}

// ConvNorm is a bias-free convolution (variables at module conv) followed by
// batch normalisation (variables at module norm: weight, bias, running_mean,
// running_var) and, if o.ReLU, ReLU. Statistics are float32 whatever the type of
// x.
func (n Net) ConvNorm(scope *model.Scope, conv, norm string, x *Node, out, k int, o ConvOptions) *Node {
	fan, in := out, x.Shape().Dim(3)
	if n.FanIn {
		fan = in
	}
	w := n.Kernel(at(scope, conv), x.Graph(), k, in, out, Kaiming(k, k, fan))
	return n.normalised(Conv, scope, norm, x, w, o)
}

// DepthwiseNorm is ConvNorm where each channel has a k×k kernel of its own.
func (n Net) DepthwiseNorm(scope *model.Scope, conv, norm string, x *Node, k int, o ConvOptions) *Node {
	w := n.Kernel(at(scope, conv), x.Graph(), k, 1, x.Shape().Dim(3), Kaiming(k, k, 1))
	return n.normalised(Depthwise, scope, norm, x, w, o)
}

// normalised is a convolution by the kernel w with batch normalisation, which is
// folded into w where its statistics are fixed.
func (n Net) normalised(convolve convolution, scope *model.Scope, norm string, x, w *Node, o ConvOptions) *Node {
	g := x.Graph()
	p := n.norm(at(scope, norm), w.Shape().Dim(3))
	if n.Training && n.TrainNorm {
		relu := o.ReLU
		o.ReLU = false
		y := convolve(x, ConvertDType(w, x.DType()), nil, o)
		return ConvertDType(n.batchNorm(ConvertDType(y, w.DType()), p, relu), x.DType())
	}
	scale := Mul(p.gamma.NodeValue(g), inverseDeviation(p.variance.NodeValue(g), n.epsilon()))
	bias := Sub(p.beta.NodeValue(g), Mul(p.mean.NodeValue(g), scale))
	if n.TrainAffine {
		return n.within(convolve, x, mulChannels(w, scale), bias, o)
	}
	return n.within(convolve, x, ConvertDType(foldScale(w, scale), x.DType()), ConvertDType(bias, x.DType()), o)
}

// epsilon is what is added to the variance.
func (n Net) epsilon() float64 { return cmp.Or(n.Epsilon, Epsilon) }

// Dropout zeroes a fraction p of the values and scales up the rest; it does
// nothing unless training.
func (n Net) Dropout(scope *model.Scope, x *Node, p float64) *Node {
	if !n.Training || p <= 0 {
		return x
	}
	u := scope.RandomUniform(x.Graph(), shapes.Make(dtypes.Float32, x.Shape().Dimensions...))
	keep := GreaterOrEqual(u, Scalar(x.Graph(), u.DType(), p))
	return Where(keep, MulScalar(x, 1/(1-p)), ScalarZero(x.Graph(), x.DType()))
}

// DropChannels zeroes a fraction p of the channels of each image of x [batch,
// height, width, channels] and scales up the rest (PyTorch's Dropout2d); it does
// nothing unless training.
func (n Net) DropChannels(scope *model.Scope, x *Node, p float64) *Node {
	if !n.Training || p <= 0 {
		return x
	}
	d := x.Shape().Dimensions
	u := scope.RandomUniform(x.Graph(), shapes.Make(dtypes.Float32, d[0], 1, 1, d[3]))
	keep := ConvertDType(GreaterOrEqual(u, Scalar(x.Graph(), u.DType(), p)), x.DType())
	return Mul(x, MulScalar(keep, 1/(1-p)))
}

// DropImages leaves out x [batch, ...] for a fraction p of the images and scales
// up the rest (stochastic depth); it does nothing unless training.
func (n Net) DropImages(scope *model.Scope, x *Node, p float64) *Node {
	return KeepImages(x, n.DrawImages(scope, x.Graph(), x.Shape().Dim(0), p))
}

// DrawImages draws what DropImages keeps, for KeepImages: a factor per image,
// [batch]; nil where nothing is left out.
func (n Net) DrawImages(scope *model.Scope, g *Graph, batch int, p float64) *Node {
	if !n.Training || p <= 0 {
		return nil
	}
	u := scope.RandomUniform(g, shapes.Make(dtypes.Float32, batch))
	keep := ConvertDType(GreaterOrEqual(u, Scalar(g, u.DType(), p)), dtypes.Float32)
	return MulScalar(keep, 1/(1-p))
}

// KeepImages multiplies the images of x [batch, ...] by factors of DrawImages.
func KeepImages(x, factors *Node) *Node {
	if factors == nil {
		return x
	}
	dims := make([]int, x.Rank())
	for i := range dims {
		dims[i] = 1
	}
	dims[0] = x.Shape().Dim(0)
	return Mul(x, ConvertDType(Reshape(factors, dims...), x.DType()))
}

// Linear is x [..., in] times the variable weight [out, in], plus bias [out],
// with PyTorch's layout and the deviation of its initial weights.
func (n Net) Linear(scope *model.Scope, module string, x *Node, out int) *Node {
	return n.Dense(scope, module, x, out, true, 1/math.Sqrt(3*float64(x.Shape().Dim(-1))))
}
