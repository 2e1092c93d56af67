package layers

import (
	"fmt"
	"os"
	"runtime"
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
							geo := geometry{kh: 3, kw: 3, dilation: c.dilation, pad: padding{c.dilation, c.dilation, c.dilation, c.dilation}}
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

// BenchmarkCompiled is what the compiled step of two convolutions of large images
// takes of memory before it runs, resident and in Go's heap.
func BenchmarkCompiled(b *testing.B) {
	for _, engine := range []string{"go", "onnx"} {
		if !slices.Contains(backendtest.Names(b), engine) {
			continue
		}
		b.Run(engine, func(b *testing.B) {
			e := backendtest.Open(b, engine)
			resident, heap := held(b)
			exec := MustNewExec(e, func(x, first, second *Node) []*Node {
				o := ConvOptions{Pad: 1, ReLU: true}
				return Gradient(ReduceAllSum(Conv(Conv(x, first, nil, o), second, nil, o)), x, first, second)
			})
			kernel := shapes.Make(dtypes.Float32, 3, 3, 64, 64)
			if _, err := exec.Compile(shapes.Make(dtypes.Float32, 10, 257, 257, 64), kernel, kernel); err != nil {
				b.Fatal(err)
			}
			r, h := held(b)
			b.ReportMetric(float64(r-resident)/1e6, "resident-MB")
			b.ReportMetric(float64(h-heap)/1e6, "heap-MB")
			exec.Finalize()
		})
	}
}

// held are the bytes of this process in memory, and those of Go's heap.
func held(b *testing.B) (resident, heap int64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var all, pages int64
	if _, err := fmt.Sscan(string(raw), &all, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize()), int64(m.HeapAlloc)
}

// spent are the nanoseconds of CPU time that this process has taken.
func spent() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
