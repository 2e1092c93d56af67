package mask2former

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend/backendtest"
)

// cheapest is the least cost of all assignments: column by column, that of each set
// of rows among the columns so far.
func cheapest(cost [][]float32) float64 {
	least := make([]float64, 1<<len(cost))
	for set := range least {
		least[set] = math.Inf(1)
	}
	least[0] = 0
	for q := range cost[0] {
		for set := len(least) - 1; set > 0; set-- {
			for k := range cost {
				if set>>k&1 == 1 {
					least[set] = min(least[set], least[set&^(1<<k)]+float64(cost[k][q]))
				}
			}
		}
	}
	return least[len(least)-1]
}

// costsOf are random: of every second problem with many ties.
func costsOf(r *rand.Rand, problems, rows, columns int) [][][]float32 {
	cost := make([][][]float32, problems)
	for p := range cost {
		cost[p] = make([][]float32, rows)
		for k := range cost[p] {
			cost[p][k] = make([]float32, columns)
			for q := range cost[p][k] {
				cost[p][k][q] = r.Float32()*8 - 4
				if p%2 == 1 {
					cost[p][k][q] = float32(r.IntN(3))
				}
			}
		}
	}
	return cost
}

// matched is the column of each row, of a matching that gives each its own.
func matched(t *testing.T, flat []float32, rows, columns int) []int {
	t.Helper()
	of, used := make([]int, rows), map[int]bool{}
	for k := range rows {
		of[k] = -1
		for q := range columns {
			switch v := flat[k*columns+q]; {
			case v == 1 && of[k] < 0 && !used[q]:
				of[k], used[q] = q, true
			case v != 0:
				t.Fatalf("row %d, column %d: %g, where the row has %d, and those before have %v", k, q, v, of[k], used)
			}
		}
		if of[k] < 0 {
			t.Fatalf("row %d has no column", k)
		}
	}
	return of
}

// TestMatch: the matching is as cheap as the cheapest of all, of random costs, of
// costs with many ties, and of as many columns as rows.
func TestMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		for _, size := range [][2]int{{1, 1}, {1, 4}, {2, 2}, {3, 3}, {5, 5}, {5, 7}, {7, 7}, {12, 12}, {12, 30}} {
			rows, columns := size[0], size[1]
			cost := costsOf(r, 40, rows, columns)
			flat := tensors.MustCopyFlatData[float32](MustNewExec(b, func(x *Node) *Node { return match(x) }).MustCall(cost)[0])
			for p := range cost {
				total := 0.0
				for k, q := range matched(t, flat[p*rows*columns:][:rows*columns], rows, columns) {
					total += float64(cost[p][k][q])
				}
				if want := cheapest(cost[p]); math.Abs(total-want) > 1e-5 {
					t.Errorf("%v, problem %d: cost %g, the cheapest is %g", size, p, total, want)
				}
			}
		}
	})
}

// TestMoreObjects: of more objects than queries, those that cost the least have one,
// and places without an object have none.
func TestMoreObjects(t *testing.T) {
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		cost := [][][]float32{
			{{5, 9}, {0, 0}, {1, 3}, {2, 8}}, // the third object takes the second query, the fourth the first
			{{7, 9}, {0, 0}, {0, 0}, {0, 0}}, // one object alone
		}
		present := [][]float32{{1, 0, 1, 1}, {1, 0, 0, 0}}
		out := MustNewExec(b, func(cost, present *Node) *Node {
			q := &question{network: &network{Options: Options{Queries: 2}}, layers: 1, batch: 2}
			q.present, q.number = present, present
			return q.match(cost)
		}).MustCall(cost, present)[0]
		want := []float32{0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0}
		if got := tensors.MustCopyFlatData[float32](out); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct{ objects, classes, most, want int }{{8, 21, 0, 8}, {8, 21, 8, 8}, {8, 21, 9, 16}, {8, 21, 17, 21}, {8, 3, 2, 3}, {20, 81, 21, 40}, {255, 255, 255, 255}} {
		n := network{Options: Options{Objects: c.objects}, classes: c.classes}
		if got := n.Places(c.most); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// TestChosen: the lowest values are chosen, exactly so many unless they are equal.
func TestChosen(t *testing.T) {
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		out := MustNewExec(b, func(x *Node) *Node { return chosen(x, 3) }).MustCall([][]float32{{5, 0, 3, 1, 2, 9}, {0, 0, 0, 0, 0, 0}, {1e-6, 3e4, 2e-6, 1e4, 5, 6}})[0]
		want := [][]float32{{0, 1, 0, 1, 1, 0}, {1, 1, 1, 1, 1, 1}, {1, 0, 1, 0, 1, 0}}
		flat := tensors.MustCopyFlatData[float32](out)
		for i := range flat {
			if flat[i] != want[i/6][i%6] {
				t.Errorf("value %d of row %d: %g, want %g", i%6, i/6, flat[i], want[i/6][i%6])
			}
		}
	})
}

// BenchmarkMatch is how long an engine compiles the matching of so many objects with
// 100 queries, for ten predictions, and how long it takes: WSSS_ENGINES=xla go test
// ./models/mask2former -run - -bench Match
func BenchmarkMatch(b *testing.B) {
	for _, engine := range backendtest.Names(b) {
		for _, rows := range []int{8, 16, 32, 64} {
			b.Run(fmt.Sprintf("%s/%d", engine, rows), func(b *testing.B) {
				r, cost := rand.New(rand.NewPCG(1, 2)), make([]float32, 10*rows*100)
				for i := range cost {
					cost[i] = r.Float32()
				}
				x := tensors.FromFlatDataAndDimensions(cost, 10, rows, 100)
				exec := MustNewExec(backendtest.Open(b, engine), func(x *Node) *Node { return match(x) })
				start := time.Now()
				exec.MustCall(x)
				compiled := time.Since(start).Seconds()
				for b.Loop() {
					exec.MustCall(x)
				}
				b.ReportMetric(compiled, "s/first")
			})
		}
	}
}
