package backend

import (
	"fmt"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// numbered is a tensor of float32 or uint8 that holds 0, 1, 2 …
func numbered(bytes bool, dims ...int) *tensors.Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	if bytes {
		v := make([]uint8, n)
		for i := range v {
			v[i] = uint8(i)
		}
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i)
	}
	return tensors.FromFlatDataAndDimensions(v, dims...)
}

// values are a tensor's as float64.
func values(t *tensors.Tensor) []float64 {
	var out []float64
	t.MustConstFlatData(func(flat any) {
		switch v := flat.(type) {
		case []float32:
			for _, x := range v {
				out = append(out, float64(x))
			}
		case []uint8:
			for _, x := range v {
				out = append(out, float64(x))
			}
		}
	})
	return out
}

// expect reads [d0, d1, d2, d3] at every index of the result.
func expect(bytes bool, dims, to []int, source func(at []int) []int) []float64 {
	var want []float64
	n := to[0] * to[1] * to[2] * to[3]
	for i := range n {
		at := []int{i / (to[1] * to[2] * to[3]), i / (to[2] * to[3]) % to[1], i / to[3] % to[2], i % to[3]}
		s := source(at)
		v := ((s[0]*dims[1]+s[1])*dims[2]+s[2])*dims[3] + s[3]
		if bytes {
			v %= 256
		}
		want = append(want, float64(v))
	}
	return want
}

func TestGoSlice(t *testing.T) {
	b, err := Open("go")
	if err != nil {
		t.Fatal(err)
	}
	dims := []int{3, 41, 37, 33}
	for _, c := range []struct{ start, limit, stride [4]int }{
		{[4]int{}, [4]int{3, 41, 37, 33}, [4]int{1, 1, 1, 1}},
		{[4]int{1, 0, 0, 0}, [4]int{3, 41, 37, 33}, [4]int{1, 1, 1, 1}},
		{[4]int{0, 2, 3, 0}, [4]int{3, 39, 36, 33}, [4]int{1, 1, 1, 1}},
		{[4]int{0, 2, 3, 5}, [4]int{2, 40, 30, 20}, [4]int{1, 1, 1, 1}},
		{[4]int{0, 1, 0, 2}, [4]int{3, 41, 37, 33}, [4]int{2, 3, 1, 4}},
		{[4]int{2, 7, 7, 7}, [4]int{3, 8, 8, 8}, [4]int{1, 1, 1, 1}},
	} {
		for _, bytes := range []bool{false, true} {
			t.Run(fmt.Sprint(c, bytes), func(t *testing.T) {
				var specs []SliceAxisSpec
				to := make([]int, 4)
				for i := range 4 {
					specs = append(specs, AxisRange(c.start[i], c.limit[i]).Stride(c.stride[i]))
					to[i] = (c.limit[i]-c.start[i]-1)/c.stride[i] + 1
				}
				got := MustNewExec(b, func(x *Node) *Node { return Slice(x, specs...) }).MustCall1(numbered(bytes, dims...))
				want := expect(bytes, dims, to, func(at []int) []int {
					s := make([]int, 4)
					for i := range at {
						s[i] = c.start[i] + at[i]*c.stride[i]
					}
					return s
				})
				if !slices.Equal(values(got), want) {
					t.Errorf("slice to %s is wrong", got.Shape())
				}
			})
		}
	}
}

func TestGoTranspose(t *testing.T) {
	b, err := Open("go")
	if err != nil {
		t.Fatal(err)
	}
	dims := []int{7, 33, 9, 65}
	for code := range 256 {
		p := []int{code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6}
		if sorted := slices.Sorted(slices.Values(p)); !slices.Equal(sorted, []int{0, 1, 2, 3}) {
			continue
		}
		for _, bytes := range []bool{false, true} {
			got := MustNewExec(b, func(x *Node) *Node { return TransposeAllAxes(x, p...) }).MustCall1(numbered(bytes, dims...))
			want := expect(bytes, dims, got.Shape().Dimensions, func(at []int) []int {
				s := make([]int, 4)
				for i, axis := range p {
					s[axis] = at[i]
				}
				return s
			})
			if !slices.Equal(values(got), want) {
				t.Errorf("transposition %v is wrong", p)
			}
		}
	}
}

// TestGoSharedMemory reshapes values that others read or overwrite before and
// after the reshaped ones are read, and parameters.
func TestGoSharedMemory(t *testing.T) {
	b, err := Open("go")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	exec, err := NewExec(b, func(x *Node) []*Node {
		seen := Reshape(Identity(x), 6) // of a parameter
		y := AddScalar(x, 1)
		flat := Reshape(y, 6)
		twice := MulScalar(y, 2) // must not overwrite what flat shows
		back := Reshape(Reshape(MulScalar(flat, 3), 3, 2), 2, 3)
		return []*Node{MulScalar(seen, 10), twice, Add(back, Reshape(flat, 2, 3)), Reshape(y, 3, 2), Identity(x)}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	factors := [][2]float64{{10, 0}, {2, 2}, {4, 4}, {1, 1}, {1, 0}} // times x, plus
	for range 2 {                                                    // the second run takes memory of the first
		out := exec.MustCall(numbered(false, 2, 3))
		for i, f := range factors {
			want := make([]float64, 6)
			for k := range want {
				want[k] = f[0]*float64(k) + f[1]
			}
			if got := values(out[i]); !slices.Equal(got, want) {
				t.Errorf("output %d: %v, want %v", i, got, want)
			}
		}
	}
}
