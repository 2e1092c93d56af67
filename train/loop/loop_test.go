package loop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints"
)

// counter is a network of one number, the updates made.
type counter struct {
	t       *testing.T
	value   float32
	busy    atomic.Int32      // updates under way
	began   chan int          // takes the step of every update; may be nil
	batches func(i int) error // why there is no batch; may be nil
	bad     int               // update whose loss is no number; 0 = none
}

func (c *counter) Begin(context.Context, int) (func(), error) {
	return func() { c.alone("the end") }, nil
}

func (c *counter) Update(step int) (Update, error) {
	if c.busy.Add(1) > 1 {
		c.t.Error("two updates at a time")
	}
	defer c.busy.Add(-1)
	if c.began != nil {
		c.began <- step
	}
	if c.batches != nil {
		if err := c.batches(step); err != nil {
			return Update{}, err
		}
	}
	if float32(step) != c.value {
		c.t.Errorf("update %d of the state after %v", step, c.value)
	}
	c.value++
	loss := 1 / float64(c.value)
	if step+1 == c.bad {
		loss = math.NaN()
	}
	return Update{Loss: loss, GradNorm: 1, IDs: []string{"photo"}, Record: map[string]int{"step": step + 1}}, nil
}

// alone: nothing looks at the network while it is updated.
func (c *counter) alone(what string) {
	if c.busy.Load() > 0 {
		c.t.Errorf("%s while an update is under way", what)
	}
}

func (c *counter) State() (map[string]*tensors.Tensor, error) {
	c.alone("a checkpoint")
	return map[string]*tensors.Tensor{checkpoints.WeightPrefix + "/n": tensors.FromScalar(c.value)}, nil
}

func (c *counter) Restore(k *checkpoints.Checkpoint) error {
	t, err := k.Tensor(checkpoints.WeightPrefix + "/n")
	if err == nil {
		c.value = tensors.ToScalar[float32](t)
	}
	return err
}

func (c *counter) Validate(_ context.Context, step int) (Validation, error) {
	c.alone("a validation")
	return Validation{Value: 0.5, Record: map[string]int{"validated": step}}, nil
}

func newLoop(t *testing.T, c *counter, dir string, total int, ahead bool) *Loop {
	t.Helper()
	l := &Loop{Task: c, Table: "train", Dir: dir, Total: total, Drawn: 1, Images: 4, LR: 1, SaveEvery: 4, ValEvery: 6, Validates: true, Keep: 1, Measure: "mIoU", Ahead: ahead,
		Identity: Identity{New: checkpoints.Meta{Images: 4, Log: "log.jsonl", Model: checkpoints.Model{Classes: []string{"background", "thing"}}, Backend: "none"},
			Same: func(checkpoints.Meta) bool { return true }, Describe: func(checkpoints.Meta) string { return "" }},
		Progress: func(int, int) {}, Log: func(string) {}, Warn: func(line string) { t.Log(line) },
		Event:     func(step int, text string) any { return map[string]string{"event": text} },
		Validated: func(line []byte, step int) bool { return string(line) == fmt.Sprintf("{\"validated\":%d}\n", step) },
	}
	if _, err := l.Resume(); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestAhead: the next update is under way while the hooks deal with the one
// before, unless that is saved or validated, and what is written is the same.
func TestAhead(t *testing.T) {
	const total = 14
	logs := map[bool][]byte{}
	for _, ahead := range []bool{false, true} {
		c := &counter{t: t, began: make(chan int, 1)}
		l := newLoop(t, c, t.TempDir(), total, ahead)
		var overlapped []int
		l.Hooks = []Hook{{Updated: func(step int, _ Update) error {
			if s := <-c.began; s != step-1 {
				t.Errorf("update %d began, want %d", s, step-1)
			}
			alone := step == total || step%4 == 0 || step%6 == 0
			if !ahead || alone {
				return nil
			}
			select { // the next one begins before this one is dealt with
			case s := <-c.began:
				overlapped = append(overlapped, s)
				c.began <- s
			case <-time.After(10 * time.Second):
				t.Errorf("update %d waits for the end of %d", step+1, step)
			}
			return nil
		}}}
		if err := l.Run(t.Context()); err != nil || c.value != total || l.Step != total {
			t.Fatalf("%v updates, %v", c.value, err)
		}
		if want := []int{1, 2, 3, 5, 7, 9, 10, 11, 13}; ahead && !slices.Equal(overlapped, want) {
			t.Errorf("updates ahead: %v, want %v", overlapped, want)
		}
		raw, err := os.ReadFile(filepath.Join(l.Dir, "log.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		logs[ahead] = raw
	}
	if string(logs[true]) != string(logs[false]) {
		t.Errorf("ahead the log is\n%s, else\n%s", logs[true], logs[false])
	}
}

// TestAheadEnds: a training that is interrupted, or whose batch fails, with an
// update under way, leaves the state after whole updates, and goes on from there.
func TestAheadEnds(t *testing.T) {
	broken := errors.New("a photo is gone")
	for _, tc := range []struct {
		name  string
		batch func(cancel func(), i int) error
		bad   int
		saved float32 // of the last checkpoint
	}{
		{"interrupted in the hooks", nil, 0, 6}, // the sixth is under way
		{"interrupted for a batch", func(cancel func(), i int) error {
			if i == 5 {
				cancel()
				return context.Canceled
			}
			return nil
		}, 0, 5},
		{"no batch", func(_ func(), i int) error {
			if i == 5 {
				return broken
			}
			return nil
		}, 0, 4},
		{"no number", nil, 6, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := &counter{t: t, bad: tc.bad}
			if tc.batch != nil {
				c.batches = func(i int) error { return tc.batch(cancel, i) }
			}
			l := newLoop(t, c, t.TempDir(), 14, true)
			l.ValEvery = 0
			l.Progress = func(done, _ int) {
				if tc.batch == nil && tc.bad == 0 && done == 5 {
					cancel()
				}
			}
			if err := l.Run(ctx); err == nil {
				t.Fatal("no error")
			}
			c.alone("the end")
			again := &counter{t: t}
			l = newLoop(t, again, l.Dir, 14, true)
			if l.ValEvery = 0; again.value != tc.saved || l.Step != int(tc.saved) {
				t.Errorf("saved after %v updates, step %d, want %v", again.value, l.Step, tc.saved)
			}
			if err := l.Run(t.Context()); err != nil || again.value != 14 {
				t.Errorf("resumed: %v updates, %v", again.value, err)
			}
		})
	}
}
