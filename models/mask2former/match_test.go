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

// cheapest tries all assignments of rows from row on.
func cheapest(cost [][]float32, row int, taken []bool) float64 {
	if row == len(cost) {
		return 0
	}
	best := math.Inf(1)
	for q, c := range cost[row] {
		if taken[q] {
			continue
		}
		taken[q] = true
		best = min(best, float64(c)+cheapest(cost, row+1, taken))
		taken[q] = false
	}
	return best
}

// TestMatch: the matching is as cheap as the cheapest of all, of random costs, of
// costs with many ties, and of as many columns as rows.
func TestMatch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		for _, size := range [][2]int{{1, 1}, {1, 4}, {3, 3}, {5, 5}, {5, 7}} {
			const problems = 40
			rows, columns := size[0], size[1]
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
			out := MustNewExec(b, func(x *Node) *Node { return match(x) }).MustCall(cost)[0]
			flat := tensors.MustCopyFlatData[float32](out)
			for p := range cost {
				total, used := 0.0, map[int]bool{}
				for k := range rows {
					for q := range columns {
						switch flat[(p*rows+k)*columns+q] {
						case 1:
							if used[q] {
								t.Errorf("%v: column %d twice", size, q)
							}
							used[q] = true
							total += float64(cost[p][k][q])
						case 0:
						default:
							t.Fatalf("%v: %g", size, flat[(p*rows+k)*columns+q])
						}
					}
				}
				if len(used) != rows {
					t.Errorf("%v: %d rows have a column", size, len(used))
				}
				if want := cheapest(cost[p], 0, make([]bool, columns)); math.Abs(total-want) > 1e-5 {
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
