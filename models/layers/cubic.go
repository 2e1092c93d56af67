package layers

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// ResizeCubic scales x [batch, height, width, channels] bicubically to
// height×width, pixel areas aligned, as PyTorch's interpolate with mode
// "bicubic"; with antialias, a pixel of a smaller result is a mean over all that
// it covers, and the kernel is Keys' of −0.5 instead of −0.75.
func ResizeCubic(x *Node, height, width int, antialias bool) *Node {
	return resize(x, height, width, func(from, to int) []float32 { return CubicWeights(from, to, antialias) })
}

// CubicWeights is the [to, from] matrix of bicubic interpolation along an axis.
func CubicWeights(from, to int, antialias bool) []float32 {
	m := make([]float32, to*from)
	for i := range to {
		row := m[i*from : (i+1)*from]
		if antialias {
			antialiased(row, i, to)
			continue
		}
		at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
		first := int(math.Floor(at)) - 1
		for tap := first; tap < first+4; tap++ {
			row[min(max(tap, 0), from-1)] += float32(keys(at-float64(tap), -0.75))
		}
	}
	return m
}

// antialiased fills a row of weights for the i-th of to pixels: the kernel is as
// wide as the pixel, and what lies beyond the image has no weight.
func antialiased(row []float32, i, to int) {
	from := len(row)
	scale := float64(from) / float64(to)
	wide := max(scale, 1)
	centre := (float64(i) + 0.5) * scale
	lo, hi := max(int(centre-2*wide+0.5), 0), min(int(centre+2*wide+0.5), from)
	sum := 0.0
	for k := lo; k < hi; k++ {
		sum += keys((float64(k)-centre+0.5)/wide, -0.5)
	}
	for k := lo; k < hi; k++ {
		row[k] = float32(keys((float64(k)-centre+0.5)/wide, -0.5) / sum)
	}
}

// keys is Keys' cubic convolution kernel with parameter a.
func keys(x, a float64) float64 {
	x = math.Abs(x)
	switch {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a
	}
	return 0
}
