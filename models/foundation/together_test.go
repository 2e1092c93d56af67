package foundation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend/backendtest"
)

// twice doubles its input; flat gives the values of all items in one row.
type twice struct {
	mu    sync.Mutex
	sizes []int
	flat  bool
	err   error

	single bool // fails for several items
}

func (s *twice) Inputs() []Port  { return []Port{{"x", dtypes.Float32, []int{-1, 2}}} }
func (s *twice) Outputs() []Port { return []Port{{"y", dtypes.Float32, []int{-1, -1}}} }

func (s *twice) Run(_ context.Context, in map[string]*tensors.Tensor, _ ...string) (map[string]*tensors.Tensor, error) {
	x := in["x"]
	s.mu.Lock()
	s.sizes = append(s.sizes, x.Shape().Dim(0))
	s.mu.Unlock()
	if s.single && x.Shape().Dim(0) > 1 {
		return nil, errors.New("one item, please")
	}
	values := tensors.MustCopyFlatData[float32](x)
	for i := range values {
		values[i] *= 2
	}
	dims := x.Shape().Dimensions
	if s.flat {
		dims = []int{1, len(values)}
	}
	return map[string]*tensors.Tensor{"y": tensors.FromFlatDataAndDimensions(values, dims...)}, s.err
}

// TestTogether: everybody gets its own answer, and every run is of the same size;
// a network that mixes the items of a run is asked for one at a time.
func TestTogether(t *testing.T) {
	four := func(int) int { return 4 }
	for _, flat := range []bool{false, true} {
		s := &twice{flat: flat}
		both := Together(s, four)
		var wg sync.WaitGroup
		for i := range 6 {
			v := float32(i)
			wg.Go(func() {
				out, err := both.Run(t.Context(), map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions([]float32{v, -v}, 1, 2)}, "y")
				if err != nil {
					t.Errorf("%v: %v", v, err)
				} else if got := tensors.MustCopyFlatData[float32](out["y"]); len(got) != 2 || got[0] != 2*v || got[1] != -2*v {
					t.Errorf("%v became %v", v, got)
				}
			})
		}
		wg.Wait()
		ones := 0
		for _, n := range s.sizes {
			if n == 1 {
				ones++
			} else if n != 4 {
				t.Errorf("a run of %d items", n)
			}
		}
		if flat && ones != 6 || !flat && ones != 0 {
			t.Errorf("flat %v: runs of %v items", flat, s.sizes)
		}
	}
	single := &twice{single: true}
	for range 3 {
		out, err := Together(single, four).Run(t.Context(), map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions([]float32{1, 2}, 1, 2)}, "y")
		if err != nil || tensors.MustCopyFlatData[float32](out["y"])[1] != 4 {
			t.Errorf("a file that takes one item: %v, %v", out, err)
		}
	}
	s := &twice{err: errors.New("out of memory")}
	if _, err := Together(s, four).Run(t.Context(), map[string]*tensors.Tensor{"x": tensors.FromFlatDataAndDimensions([]float32{1, 2}, 1, 2)}); !errors.Is(err, s.err) {
		t.Error(err)
	}
	if Together(&fixed{}, four).(*fixed) == nil {
		t.Error("an export for one item was wrapped")
	}
}

type fixed struct{ twice }

// TestCut: a large result is cut where it is, a small one on the host, and items
// are of any type.
func TestCut(t *testing.T) {
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		s := Together(&twice{}, func(int) int { return 3 }).(*shared)
		for _, width := range []int{2, staysFrom / 4} {
			values := make([]float32, 3*width)
			for i := range values {
				values[i] = float32(i)
			}
			x := tensors.FromFlatDataAndDimensions(values, 3, width)
			if err := x.ToDevice(b, 0); err != nil {
				t.Fatal(err)
			}
			parts, err := s.cut(x, 3)
			if err != nil || len(parts) != 3 {
				t.Fatalf("%d parts, %v", len(parts), err)
			}
			for i, part := range parts {
				if part.IsOnAnyDevice() != (width > 2) {
					t.Errorf("width %d: on a device %t", width, part.IsOnAnyDevice())
				}
				if got := tensors.MustCopyFlatData[float32](part); !slices.Equal(got, values[i*width:(i+1)*width]) || part.Shape().Dim(0) != 1 || part.Rank() != 2 {
					t.Errorf("width %d: item %d is %s", width, i, part.Shape())
				}
			}
		}
		s.cuts.Clear()
	})
	all, err := stack([]*tensors.Tensor{tensors.FromFlatDataAndDimensions([]int64{1, 2}, 1, 2), tensors.FromFlatDataAndDimensions([]int64{3, 4}, 1, 2)})
	if err != nil || !slices.Equal(tensors.MustCopyFlatData[int64](all), []int64{1, 2, 3, 4}) {
		t.Errorf("%v, %v", all, err)
	}
	all, err = stack([]*tensors.Tensor{tensors.FromFlatDataAndDimensions([]bool{true}, 1, 1), tensors.FromFlatDataAndDimensions([]bool{false}, 1, 1)})
	if err != nil || !slices.Equal(tensors.MustCopyFlatData[bool](all), []bool{true, false}) {
		t.Errorf("%v, %v", all, err)
	}
}

func (*fixed) Inputs() []Port { return []Port{{"x", dtypes.Float32, []int{1, 2}}} }
