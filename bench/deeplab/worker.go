package main

import (
	"fmt"
	"os"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/backend"
	_ "wsss/models/nets"
)

// step compiles the training step on a backend.
func (o *options) step(spec string) (func() error, error) {
	b, err := backend.Open(spec)
	if err != nil {
		return nil, err
	}
	step, err := newStep(b, o)
	if err != nil {
		return nil, err
	}
	images := make([]float32, o.Batch*o.size*o.size*3)
	for i := range images {
		images[i] = float32(i%255)/128 - 1
	}
	x := tensors.FromFlatDataAndDimensions(images, o.Batch, o.size, o.size, 3)
	return func() error {
		out, err := step.Call(x)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s: loss %v\n", spec, tensors.ToScalar[float32](out[0]))
		return out[0].FinalizeAll()
	}, nil
}

// newStep is the training of DeepLab with frozen batch norm: the sum of the
// scales' cross-entropies, and SGD with momentum and weight decay as in
// docs/sources.md §8.1.
func newStep(b compute.Backend, o *options) (*model.Exec, error) {
	cfg := configs.Default().Train
	cfg.Arch, cfg.MSC, cfg.Width, cfg.Precision, cfg.Recompute = o.arch, o.msc, o.width, o.precision, o.recompute
	if err := backend.CheckPrecision(b, o.precision); err != nil {
		return nil, err
	}
	if o.arch != "deeplab-v2" {
		cfg.OutputStride, cfg.StrideIn, cfg.Input = 16, "3x3", "torch"
	}
	net, err := models.NewSegmenter(cfg, 21)
	if err != nil {
		return nil, err
	}
	store := model.NewStore()
	if err := makeVariables(store, net); err != nil {
		return nil, err
	}
	return model.NewExec(b, store, func(scope *model.Scope, images *Node) *Node {
		defer backend.UsePrecision(b, o.precision)()
		g := images.Graph()
		store.SetTraining(g, true)
		var loss *Node
		for _, logits := range net.Logits(scope.At("model"), images, true) {
			if l := crossEntropy(logits); loss == nil {
				loss = l
			} else {
				loss = Add(loss, l)
			}
		}
		var vars []*model.Variable
		var values []*Node
		for v := range store.IterVariables() {
			if net.Group(v.Path()) != models.GroupFrozen {
				vars, values = append(vars, v), append(values, v.NodeValue(g))
			}
		}
		for i, d := range Gradient(loss, values...) {
			v := vars[i]
			m := store.VariableWithValue("/momentum"+v.Path(), tensors.FromShape(v.Shape())).SetTrainable(false)
			d = Add(d, MulScalar(values[i], cfg.WeightDecay))
			d = Add(MulScalar(m.NodeValue(g), cfg.Momentum), d)
			m.SetNodeValue(d)
			// So small a rate keeps the random network where it is.
			v.SetNodeValue(Sub(values[i], MulScalar(d, 1e-12)))
		}
		return loss
	})
}

// makeVariables builds the network once, on the backend that compiles nothing:
// what is recomputed must have its variables before.
func makeVariables(store *model.Store, net models.Segmenter) error {
	b, err := backend.Open("go")
	if err != nil {
		return err
	}
	exec, err := model.NewExec(b, store, func(scope *model.Scope, images *Node) []*Node {
		return net.Logits(scope.At("model"), images, true)
	})
	if err != nil {
		return err
	}
	defer exec.Finalize()
	_, err = exec.Compile(shapes.Make(dtypes.Float32, 1, 65, 65, 3))
	return err
}

// crossEntropy has the classes in turn as labels.
func crossEntropy(logits *Node) *Node {
	s := logits.Shape()
	oneHot := make([]float32, s.Size())
	for i := range s.Size() / s.Dim(3) {
		oneHot[i*s.Dim(3)+i%s.Dim(3)] = 1
	}
	target := ConstTensor(logits.Graph(), tensors.FromFlatDataAndDimensions(oneHot, s.Dimensions...))
	z := Sub(logits, StopGradient(ReduceAndKeep(logits, ReduceMax, -1)))
	return ReduceAllMean(Sub(Log(ReduceSum(Exp(z), -1)), ReduceSum(Mul(target, z), -1)))
}
