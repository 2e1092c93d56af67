package layers

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// rows applies a function to each row of the last axis.
func rows(x array, f func(row []float64)) array {
	y := newArray(x.dims...)
	copy(y.v, x.v)
	c := x.dims[len(x.dims)-1]
	for i := 0; i < len(y.v); i += c {
		f(y.v[i : i+c])
	}
	return y
}

func refSoftmax(row []float64) {
	sum := 0.0
	for i := range row {
		row[i] = math.Exp(row[i])
		sum += row[i]
	}
	for i := range row {
		row[i] /= sum
	}
}

func TestTransformerParts(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		t.Run("LayerNorm", func(t *testing.T) {
			checkOp(t, b, func(in []*Node) *Node {
				return Reshape(layerNorm(flat(in[0]), in[1], in[2], Epsilon), in[0].Shape().Dimensions...)
			}, func(in []array) array {
				return rows(in[0], func(row []float64) {
					mean, variance := 0.0, 0.0
					for _, v := range row {
						mean += v / float64(len(row))
					}
					for _, v := range row {
						variance += (v - mean) * (v - mean) / float64(len(row))
					}
					for i, v := range row {
						row[i] = (v-mean)/math.Sqrt(variance+Epsilon)*in[1].v[i] + in[2].v[i]
					}
				})
			}, random(1, 2, 3, 5), random(2, 5), random(3, 5))
		})
		t.Run("GELU", func(t *testing.T) {
			checkOp(t, b, func(in []*Node) *Node { return GELU(in[0]) }, func(in []array) array {
				return rows(in[0], func(row []float64) {
					for i, v := range row {
						row[i] = v * (1 + math.Erf(v/math.Sqrt2)) / 2
					}
				})
			}, random(1, 4, 6))
		})
		t.Run("Softmax", func(t *testing.T) {
			checkOp(t, b, func(in []*Node) *Node { return SoftmaxLast(in[0]) },
				func(in []array) array { return rows(in[0], refSoftmax) }, random(1, 2, 3, 5))
		})
		t.Run("Attend", func(t *testing.T) {
			checkOp(t, b, func(in []*Node) *Node {
				return Attend(in[0], in[1], in[2], func(s *Node) *Node { return Add(s, in[3]) })
			}, func(in []array) array {
				q, k, v := in[0], in[1], in[2]
				scores, y := newArray(2, 3, 4), newArray(2, 3, 6)
				for b := range 2 {
					for i := range 3 {
						for j := range 4 {
							*scores.at(b, i, j) = *in[3].at(b, i, j)
							for c := range 6 {
								*scores.at(b, i, j) += *q.at(b, i, c) * *k.at(b, j, c) / math.Sqrt(6)
							}
						}
					}
				}
				scores = rows(scores, refSoftmax)
				for b := range 2 {
					for i := range 3 {
						for j := range 4 {
							for c := range 6 {
								*y.at(b, i, c) += *scores.at(b, i, j) * *v.at(b, j, c)
							}
						}
					}
				}
				return y
			}, random(1, 2, 3, 6), random(2, 2, 4, 6), random(3, 2, 4, 6), random(4, 2, 3, 4))
		})
		t.Run("Affine", func(t *testing.T) {
			checkOp(t, b, func(in []*Node) *Node { return Affine(in[0], in[1], in[2]) }, func(in []array) array {
				y := newArray(2, 3, 4)
				for p := range 6 {
					for o := range 4 {
						y.v[p*4+o] = in[2].v[o]
						for i := range 5 {
							y.v[p*4+o] += in[0].v[p*5+i] * in[1].v[o*5+i]
						}
					}
				}
				return y
			}, random(1, 2, 3, 5), random(2, 4, 5), random(3, 4))
		})
		t.Run("Heads", func(t *testing.T) {
			checkOp(t, b, func(in []*Node) *Node { return JoinHeads(SplitHeads(in[0], 3), 3) },
				func(in []array) array { return rows(in[0], func([]float64) {}) }, random(1, 2, 4, 6))
		})
	})
}
