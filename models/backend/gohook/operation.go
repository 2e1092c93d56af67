package gohook

import (
	"slices"

	"github.com/gomlx/compute/internal/gobackend"
)

// operation is f of two arrays, each of which may be broadcast.
func operation(f func(dst, a, b []float32)) executor {
	return func(b *gobackend.Backend, node *gobackend.Node, inputs []*gobackend.Buffer, owned []bool) (*gobackend.Buffer, error) {
		x, ok := floats(inputs[0])
		y, ok2 := floats(inputs[1])
		if !ok || !ok2 || node.Shape.IsDynamic() {
			return nil, nil
		}
		loops, ok := broadcast(node.Shape.Dimensions, inputs[0].RawShape.Dimensions, inputs[1].RawShape.Dimensions)
		if !ok {
			return nil, nil
		}
		output, dst, err := result(b, node, inputs, owned)
		if err != nil {
			return nil, err
		}
		run := loops[0]
		pieces := (run.n + block - 1) / block
		inParallel(b, len(dst)/run.n*pieces, 4*len(dst), func(first, end int) {
			for i := first; i < end; i++ {
				from, to := i%pieces*block, min((i%pieces+1)*block, run.n)
				atX, atY := from*run.x, from*run.y
				for rest, l := i/pieces, 1; l < len(loops); l++ {
					atX += rest % loops[l].n * loops[l].x
					atY += rest % loops[l].n * loops[l].y
					rest /= loops[l].n
				}
				base := i / pieces * run.n
				f(dst[base+from:base+to], x[atX:atX+1+(to-from-1)*run.x], y[atY:atY+1+(to-from-1)*run.y])
			}
		})
		return output, nil
	}
}

// loop is n steps in the result, of x values in one operand and y in the other.
type loop struct{ n, x, y int }

// broadcast is the loops over the axes of a result, the inner one first and
// neighbouring axes joined. It fails where ranks differ: GoMLX broadcasts
// only scalars then.
func broadcast(out, x, y []int) ([]loop, bool) {
	x, okX := sameRank(out, x)
	y, okY := sameRank(out, y)
	if !okX || !okY {
		return nil, false
	}
	loops := []loop{{1, 0, 0}}
	stepX, stepY := 1, 1
	for i, n := range slices.Backward(out) {
		if n == 1 {
			continue
		}
		l := loop{n: n}
		if x[i] == n {
			l.x, stepX = stepX, stepX*n
		}
		if y[i] == n {
			l.y, stepY = stepY, stepY*n
		}
		last := &loops[len(loops)-1]
		switch {
		case last.n == 1:
			*last = l
		case l.x == last.n*last.x && l.y == last.n*last.y:
			last.n *= n
		default:
			loops = append(loops, l)
		}
	}
	return loops, true
}

// sameRank gives a single value as many axes as the result has.
func sameRank(out, x []int) ([]int, bool) {
	if product(x) == 1 {
		return slices.Repeat([]int{1}, len(out)), true
	}
	return x, len(x) == len(out)
}
