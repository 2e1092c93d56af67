package layers

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/backend/backendtest"
)

// BenchmarkConv is a convolution and its two gradients, by columns and by tiles of
// each size. It prints milliseconds of all processors together.
func BenchmarkConv(b *testing.B) {
	all := tiles
	defer func() { tiles = all }()
	for _, engine := range []string{"go", "onnx"} {
		if !slices.Contains(backendtest.Names(b), engine) {
			continue
		}
		e, err := backend.Open(engine)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct{ n, side, in, out, dilation int }{
			{2, 41, 256, 256, 2}, {2, 81, 64, 64, 1}, {2, 41, 128, 128, 1}, {2, 41, 512, 512, 4},
		} {
			for _, way := range [][]tile{nil, all[:1], all[1:]} {
				name := "columns"
				if len(way) > 0 {
					name = fmt.Sprint("tiles of ", way[0].m)
				}
				b.Run(fmt.Sprintf("%s/%d×%d²×%d→%d dilated by %d/%s", engine, c.n, c.side, c.in, c.out, c.dilation, name), func(b *testing.B) {
					tiles = way
					for _, part := range []string{"forward", "image", "kernel"} {
						exec := MustNewExec(e, func(x, w, dy *Node) *Node {
							geo := geometry{3, 3, c.dilation, padding{c.dilation, c.dilation, c.dilation, c.dilation}}
							switch part {
							case "image":
								return geo.gradInput(dy, w, x.Shape())
							case "kernel":
								return geo.gradKernel(x, dy, w.Shape())
							}
							return geo.forward(x, w)
						})
						tensor := func(dims ...int) *tensors.Tensor { return tensors.FromShape(shapes.Make(dtypes.Float32, dims...)) }
						x, w, dy := tensor(c.n, c.side, c.side, c.in), tensor(3, 3, c.in, c.out), tensor(c.n, c.side, c.side, c.out)
						exec.MustCall(x, w, dy)
						before := spent()
						for range b.N {
							exec.MustCall(x, w, dy)
						}
						b.ReportMetric(float64(spent()-before)/1e6/float64(b.N), part+"-cpu-ms")
						exec.Finalize()
					}
				})
			}
		}
	}
}

// spent are the nanoseconds of CPU time that this process has taken.
func spent() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
