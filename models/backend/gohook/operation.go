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
		if run.n <= short && len(loops) > 1 {
			shortRuns(b, f, dst, x, y, loops)
			return output, nil
		}
		pieces := (run.n + block - 1) / block
		inParallel(b, len(dst)/run.n*pieces, 4*len(dst), func(first, end int) {
			for i := first; i < end; i++ {
				from, to := i%pieces*block, min((i%pieces+1)*block, run.n)
				atX, atY := places(loops[1:], i/pieces)
				atX, atY = atX+from*run.x, atY+from*run.y
				base := i / pieces * run.n
				f(dst[base+from:base+to], x[atX:atX+1+(to-from-1)*run.x], y[atY:atY+1+(to-from-1)*run.y])
			}
		})
		return output, nil
	}
}

// loop is n steps in the result, of x values in one operand and y in the other.
type loop struct{ n, x, y int }

// places is where the operands are at the i-th step of nested loops.
func places(loops []loop, i int) (x, y int) {
	for _, l := range loops {
		x += i % l.n * l.x
		y += i % l.n * l.y
		i /= l.n
	}
	return x, y
}

// short is a run for which a call costs more than its arithmetic.
const short = 16

// shortRuns computes many runs at a time, for which it writes repeated operands
// out: those of the second loop, or a part of it.
func shortRuns(b *gobackend.Backend, f func(dst, a, b []float32), dst, x, y []float32, loops []loop) {
	run, next := loops[0], loops[1]
	steps := min(next.n, block/4/run.n) // of the second loop
	pieces := (next.n + steps - 1) / steps
	size := run.n * next.n
	inParallel(b, len(dst)/size*pieces, 4*len(dst), func(first, end int) {
		bufX, bufY := make([]float32, steps*run.n), make([]float32, steps*run.n)
		for i := first; i < end; i++ {
			from, to := i%pieces*steps, min((i%pieces+1)*steps, next.n)
			atX, atY := places(loops[2:], i/pieces)
			atX, atY = atX+from*next.x, atY+from*next.y
			base := i/pieces*size + from*run.n
			f(dst[base:base+(to-from)*run.n],
				writtenOut(bufX, x[atX:], run.n, run.x, to-from, next.x), writtenOut(bufY, y[atY:], run.n, run.y, to-from, next.y))
		}
	})
}

// writtenOut is runs of n values a step apart in v, as often as count says and
// that far apart: v itself, one value of it, or a copy in buf.
func writtenOut(buf, v []float32, n, step, count, apart int) []float32 {
	buf = buf[:n*count]
	switch {
	case step == 1 && apart == n:
		return v[:n*count]
	case step == 0 && apart == 0:
		return v[:1]
	case step == 0:
		for i := range count {
			c := v[i*apart]
			for k := range n {
				buf[i*n+k] = c
			}
		}
	case apart == 0:
		for done := copy(buf, v[:n]); done < len(buf); {
			done += copy(buf[done:], buf[:done])
		}
	default:
		for i := range count {
			copy(buf[i*n:(i+1)*n], v[i*apart:])
		}
	}
	return buf
}

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
