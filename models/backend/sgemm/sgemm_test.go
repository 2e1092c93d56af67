package sgemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// goroutines runs a task in n of them.
func goroutines(n int) func(func()) {
	return func(task func()) {
		var wg sync.WaitGroup
		for range n {
			wg.Go(task)
		}
		wg.Wait()
	}
}

func random(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func TestProduct(t *testing.T) {
	if !Available() {
		t.Skip("this CPU has no AVX2 with FMA")
	}
	for _, dims := range [][4]int{
		{1, 1, 1, 1}, {1, 6, 16, 4}, {1, 7, 17, 3}, {1, 1, 40, 300}, {1, 5, 16, 257}, {1, 130, 33, 513},
		{1, 12, 64, 70}, {1, 500, 16, 144}, {1, 40, 700, 31}, {1, 9, 1100, 20}, {3, 13, 21, 34}, {9, 6, 16, 8}, {2, 300, 48, 40}, {1, 4, 4, 0},
	} {
		for _, transposed := range []bool{false, true} {
			t.Run(fmt.Sprint(dims, transposed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(dims[1])))
				p := Product{Batch: dims[0], M: dims[1], N: dims[2], K: dims[3], Transposed: transposed}
				p.A, p.B = random(r, p.Batch*p.M*p.K), random(r, p.Batch*p.K*p.N)
				p.C = slices.Repeat([]float32{float32(math.NaN())}, p.Batch*p.M*p.N)
				p.Run(1, goroutines(1))
				p.check(t)
				alone := slices.Clone(p.C)
				p.Run(3, goroutines(3))
				if !slices.Equal(alone, p.C) {
					t.Error("three workers give other bits than one")
				}
			})
		}
	}
}

// check compares C with sums in float64.
func (p Product) check(t *testing.T) {
	t.Helper()
	for i, got := range p.C {
		b, r, c := i/(p.M*p.N), i/p.N%p.M, i%p.N
		want, size := 0.0, 1.0
		for k := range p.K {
			at := b*p.K*p.N + k*p.N + c
			if p.Transposed {
				at = b*p.K*p.N + c*p.K + k
			}
			x := float64(p.A[(b*p.M+r)*p.K+k]) * float64(p.B[at])
			want += x
			size += math.Abs(x)
		}
		if !(math.Abs(float64(got)-want) <= 1e-6*size) {
			t.Fatalf("matrix %d, row %d, column %d: %v, want %v", b, r, c, got, want)
		}
	}
}

// BenchmarkProduct has the shapes of DeepLab's products; it reports GFLOP/s.
func BenchmarkProduct(b *testing.B) {
	if !Available() {
		b.Skip("this CPU has no AVX2 with FMA")
	}
	for _, d := range [][3]int{{1352, 16, 144}, {144, 16, 1352}, {128, 64, 576}, {3362, 256, 2304}, {3362, 1024, 256}, {2304, 256, 3362}, {1, 1024, 3362}} {
		for _, transposed := range []bool{false, true} {
			b.Run(fmt.Sprint(d, transposed), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 1))
				p := Product{Batch: 1, M: d[0], N: d[1], K: d[2], Transposed: transposed, C: make([]float32, d[0]*d[1])}
				p.A, p.B = random(r, p.M*p.K), random(r, p.K*p.N)
				for b.Loop() {
					p.Run(1, goroutines(1))
				}
				b.ReportMetric(2*float64(p.M*p.N*p.K)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
