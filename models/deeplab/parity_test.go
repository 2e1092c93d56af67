package deeplab

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/data/datatest"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/vgg"
	"wsss/models/wrn"
)

// The largest deviations from PyTorch that parity allows: of a logit relative
// to the largest one, and of a loss relative to itself.
const (
	logitTolerance = 1e-4
	lossTolerance  = 1e-3
)

// parityCase is one row of testdata/parity.json, written by gen_parity.py.
type parityCase struct {
	Arch, Backbone string
	Width          float64
	OutputStride   int    `json:"output_stride"`
	StrideIn       string `json:"stride_in"`
	MSC            bool
	Size           [2]int
	Batch          int
	LR             float64
	Steps          int
	Samples        []float64
	MeanAbs        float64 `json:"mean_abs"`
	MaxAbs         float64 `json:"max_abs"`
	Losses         []float64
}

func (c parityCase) String() string {
	what := "logits"
	if c.LR > 0 {
		what = fmt.Sprint(c.Steps, " steps")
	}
	return fmt.Sprintf("%s %s×%v os%d %s msc=%v %d×%d %s", c.Arch, c.Backbone, c.Width, c.OutputStride, c.StrideIn, c.MSC, c.Size[0], c.Size[1], what)
}

func (c parityCase) config() configs.Train {
	cfg := configs.Default().Train
	cfg.Arch, cfg.Backbone, cfg.Width, cfg.OutputStride, cfg.StrideIn, cfg.MSC = c.Arch, c.Backbone, c.Width, c.OutputStride, c.StrideIn, c.MSC
	return cfg
}

// network has the dropout off.
func (c parityCase) network(t *testing.T) models.Segmenter {
	net, err := New(c.config(), 21)
	if err != nil {
		t.Fatal(err)
	}
	n := net.(*network)
	n.v3.asppDropout = 0
	switch b := n.backbone.(type) {
	case wrn.Config:
		b.NoDropout = true
		n.backbone = b
	case vgg.Config:
		b.NoDropout = true
		n.backbone = b
	}
	// The dropouts of the multi-grid decoder number its modules, so they stay;
	// no case trains it.
	wrapped, err := models.AtScales(n, c.config())
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// hashBits is splitmix64 in counter mode, keyed by the FNV-1a hash of name.
func hashBits(name string, n int) []uint64 {
	key := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		key = (key ^ uint64(b)) * 1099511628211
	}
	out := make([]uint64, n)
	for i := range out {
		z := key + uint64(i+1)*0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		out[i] = z ^ z>>31
	}
	return out
}

// hashUniform gives float32 multiples of 2⁻²³ in [-1, 1).
func hashUniform(name string, n int) []float32 {
	out := make([]float32, n)
	for i, b := range hashBits(name, n) {
		out[i] = float32(float64(b>>40)/(1<<23) - 1)
	}
	return out
}

// hashValue fills a variable with the values that gen_parity.py gives it;
// kernels go from [out, in, kh, kw] to [kh, kw, in, out].
func hashValue(v *model.Variable) *tensors.Tensor {
	path := strings.TrimPrefix(v.Path(), "/")
	parts := strings.Split(path, "/")
	u := hashUniform(strings.Join(parts, "."), v.Shape().Size())
	each := func(scale, shift float32) {
		for i := range u {
			u[i] = shift + scale*u[i]
		}
	}
	dims := v.Shape().Dimensions
	switch leaf := parts[len(parts)-1]; {
	case leaf == "running_mean", leaf == "bias":
		each(0.1, 0)
	case leaf == "running_var":
		each(0.3, 1)
	case len(dims) == 1:
		each(0.25, 0.75)
	default:
		each(float32(math.Sqrt(3/float64(dims[0]*dims[1]*dims[2]))), 0)
		from := u
		u = make([]float32, len(from))
		area, in, out := dims[0]*dims[1], dims[2], dims[3]
		for o := range out {
			for i := range in {
				for p := range area {
					u[(p*in+i)*out+o] = from[(o*in+i)*area+p]
				}
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(u, dims...)
}

// hashStore makes the network's variables with hashed values.
func hashStore(t *testing.T, n models.Segmenter) *model.Store {
	t.Helper()
	store := model.NewStore()
	makeVariables(t, store, n)
	for v := range store.IterVariables() {
		if err := v.SetValue(hashValue(v)); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// makeVariables builds the network's graph without running it.
func makeVariables(t *testing.T, store *model.Store, n models.Segmenter) {
	t.Helper()
	b := backendtest.One(t)
	exec := model.MustNewExec1(b, store, func(scope *model.Scope, x *Node) *Node {
		n.Logits(scope, x, true)
		return x
	})
	if _, err := exec.Compile(shapes.Make(dtypes.Float32, 1, 33, 33, 3)); err != nil {
		t.Fatal(err)
	}
}

func (c parityCase) images() *tensors.Tensor {
	u := hashUniform("image", c.Batch*c.Size[0]*c.Size[1]*3)
	for i := range u {
		u[i] *= 2
	}
	return tensors.FromFlatDataAndDimensions(u, c.Batch, c.Size[0], c.Size[1], 3)
}

// TestParity compares with PyTorch: logits, and the losses of some steps of
// SGD. Networks of the full size and long trainings run where WSSS_VERIFY is set.
func TestParity(t *testing.T) {
	var cases []parityCase
	datatest.JSON(t, "testdata/parity.json", &cases)
	each(t, func(t *testing.T, b compute.Backend) {
		for _, c := range cases {
			t.Run(c.String(), func(t *testing.T) {
				if (c.Width == 1 || c.Steps > 5) && os.Getenv("WSSS_VERIFY") == "" {
					t.Skip("a full-size network, or many steps: set WSSS_VERIFY=1")
				}
				if c.LR > 0 {
					checkSteps(t, b, c)
				} else {
					n := c.network(t)
					checkLogits(t, b, c, n, hashStore(t, n))
				}
			})
		}
	})
}

func checkLogits(t *testing.T, b compute.Backend, c parityCase, n models.Segmenter, store *model.Store) {
	got := tensors.MustCopyFlatData[float32](model.MustCallOnce(b, store, func(scope *model.Scope, x *Node) *Node {
		return n.Logits(scope, x, false)[0]
	}, c.images()))
	worst, sum := 0.0, 0.0
	for i, bits := range hashBits("samples", len(c.Samples)) {
		worst = max(worst, math.Abs(float64(got[bits%uint64(len(got))])-c.Samples[i])/c.MaxAbs)
	}
	for _, v := range got {
		sum += math.Abs(float64(v))
	}
	mean := math.Abs(sum/float64(len(got))/c.MeanAbs - 1)
	t.Logf("largest error %.1e of the largest logit; mean |logit| off by %.1e", worst, mean)
	if !(worst <= logitTolerance && mean <= logitTolerance) {
		t.Errorf("logits deviate from PyTorch by %.1e, their mean by %.1e; allowed %.0e", worst, mean, logitTolerance)
	}
}

func checkSteps(t *testing.T, b compute.Backend, c parityCase) {
	n := c.network(t)
	store := hashStore(t, n)
	step := model.MustNewExec1(b, store, func(scope *model.Scope, x *Node) *Node { return sgdStep(n, scope, x, c.LR) })
	worst := 0.0
	for i, want := range c.Losses {
		got := tensors.ToScalar[float32](step.MustCall(c.images()))
		d := math.Abs(float64(got)/want - 1)
		worst = max(worst, d)
		if !(d <= lossTolerance) {
			t.Errorf("step %d: loss %v, PyTorch's is %v", i, got, want)
		}
	}
	t.Logf("largest error of a loss %.1e", worst)
}

// sgdStep is gen_parity.py's: momentum 0.9, weight decay 5e-4 but for v2's
// biases, rates ×1, ×10 and ×20; the losses of all logit maps summed.
func sgdStep(n models.Segmenter, scope *model.Scope, x *Node, lr float64) *Node {
	g := x.Graph()
	scope.Store().SetTraining(g, true) // variables are inputs, not constants
	var loss *Node
	for i, l := range n.Logits(scope, x, true) {
		cost := hashCrossEntropy(l, fmt.Sprintf("label%d", i))
		if loss == nil {
			loss = cost
		} else {
			loss = Add(loss, cost)
		}
	}
	var vars []*model.Variable
	var values []*Node
	for v := range scope.Store().IterVariables() {
		if n.Group(v.Path()) != models.GroupFrozen && !strings.HasPrefix(v.Path(), "/momentum") {
			vars, values = append(vars, v), append(values, v.NodeValue(g))
		}
	}
	for i, d := range Gradient(loss, values...) {
		rate := lr
		if group := n.Group(vars[i].Path()); group == models.GroupHead {
			rate *= 10
		} else if group == models.GroupHeadBias {
			rate *= 20
		}
		if n.Group(vars[i].Path()) != models.GroupHeadBias {
			d = Add(d, MulScalar(values[i], 5e-4))
		}
		m := scope.Store().VariableWithValue("/momentum"+vars[i].Path(), tensors.FromShape(vars[i].Shape())).SetTrainable(false)
		d = Add(MulScalar(m.NodeValue(g), 0.9), d)
		m.SetNodeValue(d)
		vars[i].SetNodeValue(Sub(values[i], MulScalar(d, rate)))
	}
	return loss
}

// hashCrossEntropy is the mean cross-entropy with hashed labels, 255 ignored.
func hashCrossEntropy(logits *Node, name string) *Node {
	g, s := logits.Graph(), logits.Shape()
	classes := s.Dim(3)
	oneHot := make([]float32, s.Size())
	labelled := 0
	for i, bits := range hashBits(name, s.Size()/classes) {
		if k := int(bits % uint64(classes+2)); k < classes {
			oneHot[i*classes+k] = 1
			labelled++
		}
	}
	target := ConstTensor(g, tensors.FromFlatDataAndDimensions(oneHot, s.Dimensions...))
	z := Sub(logits, StopGradient(ReduceAndKeep(logits, ReduceMax, -1)))
	sum := Log(ReduceSum(Exp(z), -1))
	cost := Sub(Mul(sum, ReduceSum(target, -1)), ReduceSum(Mul(target, z), -1))
	return MulScalar(ReduceAllSum(cost), 1/float64(labelled))
}
