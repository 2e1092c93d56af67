package nearest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes/float16"
)

// unit are random vectors of length 1.
func unit(rng *rand.Rand, n, dim int) [][]float32 {
	out := make([][]float32, n)
	for i := range out {
		out[i] = make([]float32, dim)
		sum := 0.0
		for j := range out[i] {
			v := rng.NormFloat64()
			out[i][j] = float32(v)
			sum += v * v
		}
		for j := range out[i] {
			out[i][j] /= float32(math.Sqrt(sum))
		}
	}
	return out
}

// TestSearch compares with looking at every pair, whatever the number of rows
// and queries, by products of bytes and of numbers alone.
func TestSearch(t *testing.T) {
	able := roughly
	defer func() { roughly = able }()
	for _, roughly = range []bool{able, false} {
		t.Run(fmt.Sprint("bytes ", roughly), testSearch)
	}
}

func testSearch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		rows, queries, dim, k int
		ranges                [][2]int
		skip                  bool
	}{
		{0, 2, 5, 3, nil, false},
		{2, 3, 5, 9, nil, false},
		{1300, 300, 24, 9, nil, false},
		{1300, 7, 13, 9, [][2]int{{3, 4}, {600, 1250}}, true},
		{700, 1, 768, 1, nil, true},
		{1501, 40, 64, 9, nil, true},
		{1300, 17, 32, 3, [][2]int{{0, 5}, {9, 1300}}, false},
	} {
		x := New(c.dim)
		x.Grow(c.rows)
		for _, row := range unit(rng, c.rows, c.dim) {
			x.Add(row)
		}
		among := Among{Ranges: c.ranges}
		if c.skip {
			among.Skip = func(query, row int) bool { return (query+row)%3 == 0 }
		}
		queries := unit(rng, c.queries, c.dim)
		got, err := x.Search(t.Context(), queries, c.k, among)
		if err != nil {
			t.Fatal(err)
		}
		for q, query := range queries {
			var all []Neighbour
			for r := range x.Len() {
				in := c.ranges == nil
				for _, s := range c.ranges {
					in = in || r >= s[0] && r < s[1]
				}
				if !in || c.skip && among.Skip(q, r) {
					continue
				}
				sum := 0.0
				for i, v := range x.Row(r) {
					sum += float64(v) * float64(query[i])
				}
				all = append(all, Neighbour{r, float32(sum)})
			}
			slices.SortFunc(all, nearer)
			all = all[:min(c.k, len(all))]
			if len(got[q]) != len(all) {
				t.Fatalf("%+v, query %d: %d neighbours, want %d", c, q, len(got[q]), len(all))
			}
			for i, n := range got[q] {
				if math.Abs(float64(n.Similarity-all[i].Similarity)) > 1e-5 {
					t.Fatalf("%+v, query %d: neighbour %d is %v, want %v", c, q, i, n, all[i])
				}
			}
		}
	}
}

// TestTies: of equal rows the first ones are taken, on any number of CPUs.
func TestTies(t *testing.T) {
	x := New(8)
	for range 2000 {
		x.Add([]float32{1, 0, 0, 0, 0, 0, 0, 0})
	}
	for _, cpus := range []int{1, 4} {
		before := runtime.GOMAXPROCS(cpus)
		got, err := x.Search(t.Context(), [][]float32{{1, 0, 0, 0, 0, 0, 0, 0}}, 3, Among{})
		runtime.GOMAXPROCS(before)
		if err != nil || fmt.Sprint(got) != "[[{0 1} {1 1} {2 1}]]" {
			t.Errorf("%d CPUs: %v, %v", cpus, got, err)
		}
	}
}

func TestHalf(t *testing.T) {
	src := make([]uint16, 1<<16)
	for i := range src {
		src[i] = uint16(i)
	}
	dst := make([]float32, len(src))
	unpack(dst, src)
	for i, v := range dst {
		if want := float16.FromBits(uint16(i)).Float32(); v != want && v == v {
			t.Fatalf("%#x: %v, want %v", i, v, want)
		}
	}
	x, err := Of(Pack([]float32{1, 2}), 2)
	if err != nil || fmt.Sprint(x.Row(0), x.Half(0)) != "[1 2] [15360 16384]" {
		t.Errorf("%v, %v", x, err)
	}
	if _, err := Of(make([]uint16, 3), 2); err == nil {
		t.Error("3 values are no rows of 2")
	}
	if _, err := x.Search(t.Context(), [][]float32{{1}}, 1, Among{}); err == nil {
		t.Error("a query of another length passed")
	}
}

// TestDiverse: near-duplicates are grouped, also by way of a third row, and rows
// are chosen the farthest first.
func TestDiverse(t *testing.T) {
	x := New(2)
	for _, degrees := range []float64{0, 3, 6, 90, 180, 91, 45} {
		a := degrees / 180 * math.Pi
		x.Add([]float32{float32(math.Cos(a)), float32(math.Sin(a))})
	}
	groups, err := x.Duplicates(t.Context(), 0.998) // 3.6°
	if err != nil || fmt.Sprint(groups) != "[[0 1 2] [3 5]]" {
		t.Errorf("groups %v, %v", groups, err)
	}
	all := func(int) bool { return true }
	for _, c := range []struct {
		n       int
		taken   []int
		allowed func(int) bool
		want    string
	}{
		{3, nil, all, "[6 4 5]"}, // the mean lies at some 54°
		{2, []int{4}, all, "[0 3]"},
		{2, []int{4}, func(i int) bool { return i != 0 }, "[1 5]"},
		{99, nil, func(i int) bool { return i < 2 }, "[0 1]"},
	} {
		if got, _ := x.Spread(c.n, c.taken, c.allowed); fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %v, want %s", c, got, c.want)
		}
	}
}
