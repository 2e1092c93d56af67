package layers

import (
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A part that is recomputed has the result, the gradients and the running
// statistics of one that is kept.
func TestRecompute(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend) {
		for _, trainNorm := range []bool{false, true} {
			net := Net{Training: true, TrainNorm: trainNorm}
			part := func(scope *model.Scope, x *Node) *Node {
				y := net.ConvNorm(scope, "conv1", "bn1", x, 4, 3, ConvOptions{Pad: 1, ReLU: true})
				y = net.ConvNorm(scope, "conv2", "bn2", y, 3, 3, ConvOptions{Pad: 1})
				return AddReLU(x, y)
			}
			// The loss, the gradients of x and of the weights, and the statistics
			// that two chained parts leave.
			run := func(recompute bool) [][]float32 {
				store := model.NewStore()
				store.SetParam(model.ParamInitialSeed, int64(3))
				exec := func(again bool) []*tensors.Tensor {
					return model.MustNewExec(b, store, func(root *model.Scope, x *Node) []*Node {
						store.SetTraining(x.Graph(), true)
						y := x
						for _, name := range []string{"a", "b"} {
							scope := root.At("%s", name)
							if again {
								y = Recompute([]*model.Scope{scope}, y, func(x *Node) *Node { return part(scope, x) })
							} else {
								y = part(scope, y)
							}
						}
						loss := ReduceAllSum(Mul(y, Const(x.Graph(), random(9, 2, 6, 5, 3).tensor())))
						targets := []*Node{x}
						for v := range store.IterVariables() {
							if v.Trainable && v.Name() == "weight" && v.InUseByGraph(x.Graph()) {
								targets = append(targets, v.NodeValue(x.Graph()))
							}
						}
						return append([]*Node{loss}, Gradient(loss, targets...)...)
					}).MustCall(random(1, 2, 6, 5, 3).tensor())
				}
				exec(false) // makes the variables, and moves the statistics once
				var all [][]float32
				for _, x := range exec(recompute) {
					all = append(all, tensors.MustCopyFlatData[float32](x))
				}
				for v := range store.IterVariables() {
					if v.Name() == "running_mean" || v.Name() == "running_var" {
						all = append(all, tensors.MustCopyFlatData[float32](v.MustValue()))
					}
				}
				return all
			}
			want, got := run(false), run(true)
			if len(got) != len(want) || len(got) < 10 {
				t.Fatalf("%d arrays, want %d", len(got), len(want))
			}
			for i := range want {
				for k := range want[i] {
					if d := got[i][k] - want[i][k]; d > 1e-4 || d < -1e-4 {
						t.Fatalf("train norm %v: array %d, value %d: %v, want %v", trainNorm, i, k, got[i][k], want[i][k])
					}
				}
			}
		}
	})
}
