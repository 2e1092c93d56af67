package clip

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/train/multilabel"
)

// TestRecompute: gradients of activations that are computed again are those of
// activations that are kept, within 1e-5 of the weight's largest.
func TestRecompute(t *testing.T) {
	f := load(t)
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		cfg := f.config("bce")
		_, want := f.gradients(t, f.network(t, b, cfg))
		for recompute, cuts := range map[int]int{1: 3, 2: 2, 9: 2} {
			cfg.Recompute = recompute
			n := f.network(t, b, cfg)
			if len(n.cuts) != cuts {
				t.Fatalf("recompute %d: cut at %v, want %d", recompute, n.cuts, cuts)
			}
			names, got := f.gradients(t, n)
			worst := math.Abs(float64(flat(t, got[0])[0] - flat(t, want[0])[0]))
			for i := range names {
				x, y := flat(t, got[1+i]), flat(t, want[1+i])
				size, diff := 1e-3, 0.0
				for k := range y {
					size, diff = max(size, math.Abs(float64(y[k]))), max(diff, math.Abs(float64(x[k]-y[k])))
				}
				worst = max(worst, diff/size)
			}
			if worst > 1e-5 {
				t.Errorf("recompute %d: gradients differ by %g", recompute, worst)
			}
		}
	})
	cfg := f.config("bce")
	cfg.Recompute, cfg.Freeze = 1, 1
	n := f.network(t, openOne(t), cfg)
	if names, _ := f.gradients(t, n); len(names) != 23 {
		t.Errorf("with a frozen block, %d weights are trained, want 23", len(names))
	}
}

// TestHalf: in bfloat16, losses of 20 updates are within 1 % of float32's, and
// an engine without it says so.
func TestHalf(t *testing.T) {
	f := load(t)
	for _, kind := range []string{"softmax", "bce"} {
		cfg := f.config(kind)
		want := f.losses(t, openOne(t), cfg, 20)
		cfg.Precision = "bf16"
		got := f.losses(t, openOne(t), cfg, 20)
		cfg.Recompute = 1
		for i, again := range f.losses(t, openOne(t), cfg, 3) {
			if math.Abs(again-got[i]) > 1e-5*want[i] {
				t.Errorf("%s: update %d: loss %g where blocks are computed again, else %g", kind, i, again, got[i])
			}
		}
		worst := 0.0
		for i := range want {
			worst = max(worst, math.Abs(got[i]-want[i])/want[i])
		}
		if worst == 0 || worst > 1e-2 {
			t.Errorf("%s: losses differ by %g of float32's", kind, worst)
		}
		t.Logf("%s: losses differ by at most %.1e of float32's", kind, worst)
	}
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		if backend.CheckPrecision(b, "bf16") == nil {
			return
		}
		cfg := f.config("bce")
		cfg.Precision = "bf16"
		if _, err := newNetwork(b, cfg, 3, 1, nil); err == nil || !strings.Contains(err.Error(), "finetune_clip.compute.precision") || !strings.Contains(err.Error(), "go and xla do") {
			t.Error(err)
		}
	})
}

// TestGraphUpdates: updates in the graph, which accelerators have, are those on
// the host, which TestUpdatesEqualPyTorch tests.
func TestGraphUpdates(t *testing.T) {
	f := load(t)
	b := openOne(t)
	cfg := f.config("bce")
	want := f.losses(t, b, cfg, 20)
	// Without the methods of multilabel.Host.
	got := f.lossesOf(t, b, struct{ multilabel.Net }{f.network(t, b, cfg)}, cfg, 20)
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-5 {
			t.Errorf("update %d: loss %g in the graph, %g on the host", i, got[i], want[i])
		}
	}
}

// TestAdvice: a step that finds no memory names what would need less.
func TestAdvice(t *testing.T) {
	j := job(t, nil)
	j.Backend = &full{Backend: j.Backend}
	_, err := Run(context.Background(), j)
	if err == nil || !strings.Contains(err.Error(), `finetune_clip.compute.recompute = 1 (slower, the same result), then finetune_clip.compute.precision = "bf16"`) ||
		!strings.Contains(err.Error(), "finetune_clip.batch below 8") {
		t.Errorf("out of memory: %v", err)
	}
}

// full is an engine that compiles the first graph, which only asks for shapes,
// and then has no memory left.
type full struct {
	compute.Backend
	graphs int
}

func (b *full) Builder(name string) compute.Builder {
	if b.graphs++; b.graphs == 1 {
		return b.Backend.Builder(name)
	}
	return fullBuilder{b.Backend.Builder(name)}
}

type fullBuilder struct{ compute.Builder }

func (fullBuilder) Compile() (compute.Executable, error) { return nil, errors.New("bad_alloc") }
