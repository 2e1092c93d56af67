package train

import (
	"errors"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"k8s.io/klog/v2"

	"wsss/configs"
	"wsss/models/backend/backendtest"
	"wsss/train/optim"
)

var errCaught = errors.New("the program has been read")

// programs catches the StableHLO that go-xla logs, and stops its compilation,
// which would take minutes.
type programs struct{ text string }

func (p *programs) Write(line []byte) (int, error) {
	if at := strings.Index(string(line), "StableHLO program:"); at >= 0 {
		p.text = string(line[at:])
		panic(errCaught)
	}
	return len(line), nil
}

// stableHLO is the program of a training step of a network as XLA gets it.
func stableHLO(t *testing.T, b compute.Backend, c configs.Train) string {
	t.Helper()
	net, err := NewSegmenter(c, 21)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNetwork(b, net, 21, 1)
	if err != nil {
		t.Fatal(err)
	}
	grids, err := n.probe(c.Crop)
	if err != nil {
		t.Fatal(err)
	}
	opt := optim.Optimizer{Name: c.Optimizer, Momentum: c.Momentum, WeightDecay: c.WeightDecay, Group: net.Group}
	s, err := newStep(n, grids, newLoss(c), false, opt, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := []shapes.Shape{shapes.Make(dtypes.Float32, c.Batch, c.Crop, c.Crop, 3)}
	for _, g := range s.grids {
		in = append(in, shapes.Make(dtypes.Uint8, c.Batch, g.h, g.w))
	}
	for range optim.NumScalars {
		in = append(in, shapes.Make(dtypes.Float32))
	}
	flags := flag.NewFlagSet("", flag.PanicOnError)
	klog.InitFlags(flags)
	set := func(name, value string) {
		if err := flags.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	caught := &programs{}
	klog.LogToStderr(false)
	klog.SetOutput(caught)
	set("v", "2")
	defer func() {
		set("v", "0")
		klog.SetOutput(os.Stderr)
		klog.LogToStderr(true)
	}()
	func() {
		defer func() { _ = recover() }()
		if _, err := s.whole.Compile(in...); err != nil && caught.text == "" {
			t.Fatal(err)
		}
	}()
	if caught.text == "" {
		t.Fatal("go-xla has logged no program")
	}
	return caught.text
}

// TestStableHLO reads the training steps of both networks at their full size.
// Convolutions are the forward ones and two gradients of each, but for that of
// the photos, which XLA drops. Products are the resizings; sums, that is batch
// statistics, biases and the norm of the gradient, are reductions.
func TestStableHLO(t *testing.T) {
	b := backendtest.XLA(t, 1)
	for _, c := range []struct {
		name                 string
		change               func(*configs.Train)
		convs, dots, reverse int
	}{
		{"deeplab-v2", func(c *configs.Train) { c.Batch = 10 }, 972, 16, 324},
		{"deeplab-v3plus", func(c *configs.Train) {
			c.Arch, c.MSC, c.BatchNorm, c.OutputStride, c.StrideIn, c.Input = "deeplab-v3plus", false, "train", 16, "3x3", "torch"
			c.Crop, c.Batch = 513, 16
		}, 339, 12, 113},
	} {
		for _, precision := range []string{"float32", "bf16"} {
			t.Run(c.name+"/"+precision, func(t *testing.T) {
				cfg := configs.Default().Train
				cfg.Precision, cfg.Accumulate = precision, 1
				c.change(&cfg)
				text := stableHLO(t, b, cfg)
				count := func(op string) int { return strings.Count(text, "\"stablehlo."+op+"\"") }
				got := map[string]int{}
				for _, op := range []string{"convolution", "dot_general", "reverse", "transpose", "reduce", "reduce_window", "convert",
					"gather", "dynamic_gather", "scatter", "sort", "select_and_scatter", "custom_call"} {
					got[op] = count(op)
				}
				t.Logf("%v, %d bytes of constants in a program of %d bytes", got, constants(text), len(text))
				if got["convolution"] != c.convs || got["dot_general"] != c.dots || got["reverse"] != c.reverse {
					t.Errorf("%d convolutions, %d products, %d reversed kernels: want %d, %d, %d",
						got["convolution"], got["dot_general"], got["reverse"], c.convs, c.dots, c.reverse)
				}
				if got["transpose"] > 40 {
					t.Errorf("%d transpositions", got["transpose"])
				}
				for _, op := range []string{"gather", "dynamic_gather", "scatter", "sort", "select_and_scatter", "custom_call"} {
					if got[op] > 0 {
						t.Errorf("%d of %s", got[op], op)
					}
				}
				if n := constants(text); n > 2<<20 {
					t.Errorf("%d bytes of constants", n)
				}
				want := map[string]string{"float32": "f32", "bf16": "bf16"}[precision]
				for _, op := range strings.Split(text, "\"stablehlo.") {
					switch {
					case strings.HasPrefix(op, "convolution") && !strings.HasSuffix(result(op), "x"+want):
						t.Fatalf("a convolution to %q, want %s", result(op), want)
					case strings.HasPrefix(op, "dot_general") && strings.Contains(op, "tf32"):
						t.Fatalf("a rounded product: %.300s", op)
					}
				}
			})
		}
	}
}

var arrow = regexp.MustCompile(`-> tensor<([^>]*)>`)

// result is the type that the text of an operation ends with.
func result(op string) string {
	if m := arrow.FindStringSubmatch(op); m != nil {
		return m[1]
	}
	return ""
}

// constants is the length of the constants' text.
func constants(text string) (n int) {
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, "stablehlo.constant") {
			n += len(line)
		}
	}
	return n
}
