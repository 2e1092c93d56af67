package foundation

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// slow doubles its input; a run waits for a word.
type slow struct {
	began, proceed chan struct{}
	sizes          []int
	err            error
}

func (s *slow) Inputs() []Port  { return []Port{{"x", dtypes.Float32, []int{-1, 2}}} }
func (s *slow) Outputs() []Port { return []Port{{"y", dtypes.Float32, []int{-1, 2}}} }

func (s *slow) Run(_ context.Context, in map[string]*tensors.Tensor, _ ...string) (map[string]*tensors.Tensor, error) {
	s.began <- struct{}{}
	<-s.proceed
	x := in["x"]
	s.sizes = append(s.sizes, x.Shape().Dim(0))
	values := tensors.MustCopyFlatData[float32](x)
	for i := range values {
		values[i] *= 2
	}
	return map[string]*tensors.Tensor{"y": tensors.FromFlatDataAndDimensions(values, x.Shape().Dimensions...)}, s.err
}

// TestTogether: calls that come while one runs share the next run; everybody gets
// its own answer, and every run is of the same size.
func TestTogether(t *testing.T) {
	s := &slow{began: make(chan struct{}), proceed: make(chan struct{})}
	both := Together(s, 4)
	var wg sync.WaitGroup
	ask := func(v float32, want error) {
		wg.Go(func() {
			out, err := both.Run(t.Context(), map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions([]float32{v, -v}, 1, 2)}, "y")
			if !errors.Is(err, want) {
				t.Errorf("%v: %v", v, err)
			}
			if err == nil {
				if got := tensors.MustCopyFlatData[float32](out["y"]); got[0] != 2*v || got[1] != -2*v {
					t.Errorf("%v became %v", v, got)
				}
			}
		})
	}
	wait := func(n int) { // until so many wait for their turn
		for {
			both.(*together).mu.Lock()
			have := len(both.(*together).waiting)
			both.(*together).mu.Unlock()
			if have == n {
				return
			}
		}
	}
	ask(1, nil)
	<-s.began
	for i := range 5 {
		ask(float32(2+i), nil)
	}
	wait(5)
	s.proceed <- struct{}{}
	for range 2 { // four, then one
		<-s.began
		s.proceed <- struct{}{}
	}
	wg.Wait()
	if len(s.sizes) != 3 || s.sizes[0] != 4 || s.sizes[2] != 4 {
		t.Errorf("runs of %v items for six calls, want three of 4", s.sizes)
	}
	s.err = errors.New("out of memory")
	ask(9, s.err)
	<-s.began
	s.proceed <- struct{}{}
	wg.Wait()
	if Together(&fixed{}, 4).(*fixed) == nil {
		t.Error("an export for one item was wrapped")
	}
}

type fixed struct{ slow }

func (*fixed) Inputs() []Port { return []Port{{"x", dtypes.Float32, []int{1, 2}}} }
