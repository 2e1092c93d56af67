package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var (
	inf  = float32(math.Inf(1))
	nan  = float32(math.NaN())
	tiny = math.Float32frombits(1) // the smallest subnormal
)

// edges are values where functions go wrong.
var edges = []float32{0, float32(math.Copysign(0, -1)), tiny, -tiny, 1e-40, -1e-40, 1.1754944e-38, 1e-20, 1e-8, 1e-4, -1e-4,
	0.3, 0.59999, 0.6, 0.60001, 0.87499, 0.875, 0.87501, 1, -1, 2, 3.99, 4, 4.01, -4.01, 8.9, 9.1, 10, 16, 17, 87, 88.72, 88.73, 89, 90,
	-87, -87.4, -88.8, -95, -103, -103.9, -104, -105, 1e4, -1e4, 3e38, -3e38, inf, -inf, nan}

// withAndWithout runs a test with the kernels, where the CPU has them, and without.
func withAndWithout(t *testing.T, test func(t *testing.T)) {
	if !fast {
		t.Log("this CPU has no AVX2 with FMA: the kernels are not tested")
	}
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			onlyPlain = plain
			defer func() { onlyPlain = false }()
			test(t)
		})
	}
}

func TestFunctions(t *testing.T) {
	x := slices.Clone(edges)
	for v := float32(-110); v < 110; v += 0.003 {
		x = append(x, v)
	}
	for v := float32(1e-6); v < 5; v *= 1.0007 {
		x = append(x, v, -v)
	}
	for _, c := range []struct {
		name  string
		f     func(dst, x []float32)
		exact func(float64) float64
		ulps  float64
		least float64 // magnitude below which any such is right
	}{
		{"exp", Exp, math.Exp, 2, 0},
		{"erf", Erf, math.Erf, 3, 0},
		{"tanh", Tanh, math.Tanh, 3, 0},
		{"logistic", Logistic, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 3, 1.1754944e-38},
		{"sqrt", Sqrt, math.Sqrt, 0.5, 0},
		{"rsqrt", Rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) }, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			withAndWithout(t, func(t *testing.T) {
				got := make([]float32, len(x))
				c.f(got, x)
				worst := 0.0
				for i, v := range x {
					want := c.exact(float64(v))
					if same(got[i], float32(want)) || math.Abs(want) < c.least && math.Abs(float64(got[i])) < c.least {
						continue
					}
					w32 := float32(want)
					unit := float64(math.Nextafter32(float32(math.Abs(float64(w32))), inf)) - math.Abs(float64(w32))
					off := math.Abs(float64(got[i])-want) / unit
					worst = max(worst, off)
					if !(off <= c.ulps) {
						t.Errorf("%s(%v) = %v, want %v, %.1f units off", c.name, v, got[i], w32, off)
					}
				}
				t.Logf("at most %.2f units off", worst)
			})
		})
	}
}

func TestGelu(t *testing.T) {
	withAndWithout(t, func(t *testing.T) {
		x := []float32{0, 1e-30, -1e-30, 1e-4, 0.5, -0.5, 1, -1, 1.3, 2, -2, 3, -3, 5, -5, 6, -6, 100, -100, inf}
		got := make([]float32, len(x))
		Gelu(got, x)
		for i, v := range x {
			want := float64(v) / 2 * (1 + math.Erf(float64(v)/math.Sqrt2))
			if !same(got[i], float32(want)) && !(math.Abs(float64(got[i])-want) <= 2e-7*math.Abs(float64(v))) {
				t.Errorf("gelu(%v) = %v, want %v", v, got[i], want)
			}
		}
	})
}

// same tells whether two values are equal or both NaN.
func same(a, b float32) bool { return a == b || a != a && b != b }

var operations = map[string]struct {
	f     func(dst, a, b []float32)
	exact func(a, b float32) float32
}{
	"add": {Add, func(a, b float32) float32 { return a + b }},
	"sub": {Sub, func(a, b float32) float32 { return a - b }},
	"mul": {Mul, func(a, b float32) float32 { return a * b }},
	"div": {Div, func(a, b float32) float32 { return a / b }},
	"max": {Max, func(a, b float32) float32 { return max(a, b) }},
	"min": {Min, func(a, b float32) float32 { return min(a, b) }},
}

// pairs are all pairs of edges.
func pairs() (a, b []float32) {
	for _, x := range edges {
		for _, y := range edges {
			a, b = append(a, x), append(b, y)
		}
	}
	return a, b
}

func TestOperations(t *testing.T) {
	a, b := pairs()
	for name, c := range operations {
		t.Run(name, func(t *testing.T) {
			withAndWithout(t, func(t *testing.T) {
				for _, n := range []int{1, 5, 8, 19, len(a)} {
					dst := make([]float32, n)
					for _, scalar := range []string{"", "a", "b"} {
						a, b := a[len(a)-n:], b[len(a)-n:]
						if scalar == "a" {
							a = a[:1]
						}
						if scalar == "b" {
							b = b[:1]
						}
						c.f(dst, a, b)
						for i, got := range dst {
							x, y := a[i*step(a)], b[i*step(b)]
							if want := c.exact(x, y); !same(got, want) {
								t.Fatalf("%d values, scalar %q: %s(%v, %v) = %v, want %v", n, scalar, name, x, y, got, want)
							}
						}
					}
				}
			})
		})
	}
}

func TestGreaterWhere(t *testing.T) {
	a, b := pairs()
	withAndWithout(t, func(t *testing.T) {
		for _, n := range []int{1, 5, 8, 19, len(a)} {
			for _, of := range []int{1, n} {
				a, b := a[:n], b[:of]
				cond, dst := make([]bool, n), make([]float32, n)
				Greater(cond, a, b)
				Where(dst, cond, b, a)
				for i, got := range cond {
					y := b[i*step(b)]
					if got != (a[i] > y) {
						t.Fatalf("%v > %v = %v", a[i], y, got)
					}
					want := a[i]
					if got {
						want = y
					}
					if !same(dst[i], want) {
						t.Fatalf("where: %v, want %v", dst[i], want)
					}
				}
			}
		}
	})
}

func random(n int) []float32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(3*r.NormFloat64() + 1)
	}
	return x
}

func TestRows(t *testing.T) {
	withAndWithout(t, func(t *testing.T) {
		for _, n := range []int{1, 3, 8, 9, 16, 24, 31, 40, 64, 197, 1000} {
			x, gamma, beta := random(n), random(n), random(n)
			sum, squares, total, peak := 0.0, 0.0, 0.0, slices.Max(x)
			for _, v := range x {
				sum += float64(v)
				total += math.Exp(float64(v))
			}
			mean := sum / float64(n)
			for _, v := range x {
				squares += (float64(v) - mean) * (float64(v) - mean)
			}
			near(t, n, "sum", Sum(x), sum, 1e-6*3*float64(n))
			near(t, n, "peak", Peak(x), float64(peak), 0)
			soft, norm := make([]float32, n), make([]float32, n)
			Softmax(soft, x)
			LayerNorm(norm, x, gamma, beta, 1e-5)
			for i, v := range x {
				near(t, n, "softmax", soft[i], math.Exp(float64(v))/total, 1e-6)
				want := (float64(v)-mean)/math.Sqrt(squares/float64(n)+1e-5)*float64(gamma[i]) + float64(beta[i])
				near(t, n, "layer norm", norm[i], want, 2e-5)
			}
		}
	})
}

func near(t *testing.T, n int, what string, got float32, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tolerance) {
		t.Fatalf("%d values: %s %v, want %v", n, what, got, want)
	}
}

func TestRowsOfEdges(t *testing.T) {
	withAndWithout(t, func(t *testing.T) {
		for _, n := range []int{4, 8, 21} {
			for at := range n {
				x := random(n)
				x[at] = nan
				if got := Peak(x); got == got {
					t.Fatalf("peak with a NaN at %d of %d: %v", at, n, got)
				}
				x[at] = 1000 // e^1000 is beyond float32
				Softmax(x, x)
				if x[at] != 1 || slices.Max(x) != 1 || Sum(x) != 1 {
					t.Fatalf("softmax with a peak at %d of %d: %v", at, n, x)
				}
				x[at] = -inf
				Softmax(x, x)
				if x[at] != 0 {
					t.Fatalf("softmax of -∞ at %d of %d: %v", at, n, x)
				}
			}
		}
	})
}

// TestCuts compares pieces of all lengths with the whole, bit by bit.
func TestCuts(t *testing.T) {
	x := random(67)
	for name, f := range map[string]func(dst, x []float32){"exp": Exp, "erf": Erf, "tanh": Tanh, "logistic": Logistic} {
		whole, cut := make([]float32, len(x)), make([]float32, len(x))
		f(whole, x)
		for n := range len(x) {
			f(cut[:n], x[:n])
			f(cut[n:], x[n:])
			if !slices.Equal(whole, cut) {
				t.Fatalf("%s: a cut at %d changes the result", name, n)
			}
		}
	}
}

func BenchmarkFunctions(b *testing.B) {
	x := random(4096)
	y := make([]float32, len(x))
	for name, f := range map[string]func(){
		"exp": func() { Exp(y, x) }, "erf": func() { Erf(y, x) }, "tanh": func() { Tanh(y, x) }, "logistic": func() { Logistic(y, x) },
		"add": func() { Add(y, x, x) }, "softmax": func() { Softmax(y, x) }, "layernorm": func() { LayerNorm(y, x, x, x, 1e-5) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*len(x)), "ns/value")
		})
	}
}

func TestWeightedRows(t *testing.T) {
	withAndWithout(t, func(t *testing.T) {
		for _, size := range []int{1, 7, 8, 24, 32, 45, 72} {
			table := make([]float32, 50*size)
			for i := range table {
				table[i] = rand.Float32() - 0.5
			}
			for _, count := range []int{0, 1, 5, 64} {
				rows, weights := make([]int32, count), make([]float32, count)
				for k := range rows {
					rows[k], weights[k] = rand.Int32N(50), rand.Float32()
				}
				got := make([]float32, size)
				WeightedRows(got, table, rows, weights)
				for i, v := range got {
					want := 0.0
					for k, r := range rows {
						want += float64(weights[k]) * float64(table[int(r)*size+i])
					}
					if !(math.Abs(float64(v)-want) <= 1e-5) {
						t.Fatalf("%d rows of %d: value %d is %v, want %v", count, size, i, v, want)
					}
				}
			}
		}
	})
}
