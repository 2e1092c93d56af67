package main

import (
	"fmt"
	"os"
	"runtime/pprof"
	"syscall"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models/backend"
	"wsss/models/deeplab"
	"wsss/train"
)

// work prints the seconds of o.steps+1 training steps on a backend.
func work(spec, profile string, o options) error {
	b, err := backend.Open(spec)
	if err != nil {
		return err
	}
	cfg := configs.Default().Train
	cfg.MSC = false
	net, err := deeplab.New(cfg, 21)
	if err != nil {
		return err
	}
	store := model.NewStore()
	opt := train.Optimizer{Momentum: cfg.Momentum, WeightDecay: cfg.WeightDecay, Group: net.Group}
	step, err := model.NewExec(b, store, func(scope *model.Scope, images, rates *Node) *Node {
		g := images.Graph()
		store.SetTraining(g, true)
		logits := net.Logits(scope.At("model"), images, true)[0]
		s := logits.Shape()
		labels := make([]uint8, s.Size()/s.Dim(3))
		for i := range labels {
			labels[i] = uint8(i % s.Dim(3))
		}
		loss := train.CrossEntropy(logits, ConstTensor(g, tensors.FromFlatDataAndDimensions(labels, s.Dimensions[:3]...)))
		vars := opt.Variables(store, g)
		values := make([]*Node, len(vars))
		for i, v := range vars {
			values[i] = v.NodeValue(g)
		}
		each := make([]*Node, 3)
		for i := range each {
			each[i] = Reshape(Slice(rates, AxisElem(i)))
		}
		opt.Update(store, vars, Gradient(loss, values...), each)
		return loss
	})
	if err != nil {
		return err
	}
	images := make([]float32, o.batch*o.size*o.size*3)
	for i := range images {
		images[i] = float32(i%255)/128 - 1
	}
	x := tensors.FromFlatDataAndDimensions(images, o.batch, o.size, o.size, 3)
	rates := tensors.FromFlatDataAndDimensions([]float32{1e-12, 1e-11, 2e-11}, 3) // keep the random network where it is
	for i := range o.steps + 1 {
		if i == 1 && profile != "" {
			f, err := os.Create(profile)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		start, cpu := time.Now(), cpuSeconds()
		out, err := step.Call(x, rates)
		if err != nil {
			return err
		}
		loss := tensors.ToScalar[float32](out[0])
		fmt.Println(time.Since(start).Seconds(), cpuSeconds()-cpu)
		fmt.Fprintf(os.Stderr, "%s step %d: loss %v\n", spec, i, loss)
		_ = out[0].FinalizeAll()
	}
	return nil
}

// cpuSeconds is the time that this process has run on all CPUs.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
