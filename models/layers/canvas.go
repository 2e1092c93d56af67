package layers

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Canvas lets images of many sizes share a graph: each lies in the upper left
// corner of an array of the graph's size, and its own size is known when the
// graph runs. Layers see what lies beyond as the padding of the image, at every
// depth, so that results within the image's size are those of the image alone.
// It is for inference, and for one run of a network over its input: arrays of
// one height and width have the same sizes of images in them.
type Canvas struct {
	sizes map[[2]int]*Node // height and width of the images, [2] or [batch, 2], by those of the array
	masks map[[2]int]*Node // [1, height, width, 1] or [batch, height, width, 1]
}

// NewCanvas is the canvas of images [batch, height, width, channels]. size is
// that of all of them, [height, width] as float32, or of each, [batch, 2].
func NewCanvas(images, size *Node) *Canvas {
	return &Canvas{sizes: map[[2]int]*Node{area(images): size}, masks: map[[2]int]*Node{}}
}

func area(x *Node) [2]int { return [2]int{x.Shape().Dim(1), x.Shape().Dim(2)} }

// Size is how much of x, an array of the network, is image: [height, width], or
// that of each image; nil for a nil canvas, which is all of it.
func (c *Canvas) Size(x *Node) *Node {
	if c == nil {
		return nil
	}
	size := c.sizes[area(x)]
	if size == nil {
		exceptions.Panicf("layers.Canvas: no layer made %s", x.Shape())
	}
	return size
}

// note tells the size of y, which a window of reach+1 pixels made of x.
func (c *Canvas) note(x, y *Node, reach, stride, pad int) {
	if c == nil || c.sizes[area(y)] != nil {
		return
	}
	size := c.Size(x)
	if stride > 1 || reach != 2*pad {
		size = AddScalar(Floor(DivScalar(AddScalar(size, float64(2*pad-reach-1)), float64(stride))), 1)
	}
	c.sizes[area(y)] = size
}

// fill is x with a value beyond the image; x itself for a nil canvas.
func (c *Canvas) fill(x *Node, value float64) *Node {
	if c == nil {
		return x
	}
	key, size := area(x), c.Size(x)
	mask := c.masks[key]
	if mask == nil {
		g := x.Graph()
		at := shapes.Make(dtypes.Float32, imagesOf(size), key[0], key[1], 1)
		within := func(axis int) *Node {
			return LessThan(Iota(g, at, axis), BroadcastToShape(side(size, axis-1, 4), at))
		}
		mask = LogicalAnd(within(1), within(2))
		c.masks[key] = mask
	}
	return Where(BroadcastToDims(mask, x.Shape().Dimensions...), x, Scalar(x.Graph(), x.DType(), value))
}

// imagesOf is the number of images whose sizes are told, 1 where all have one.
func imagesOf(size *Node) int {
	if size.Rank() == 1 {
		return 1
	}
	return size.Shape().Dim(0)
}

// side is the height (axis 0) or width (1) of all images, or of each, as an array
// of that rank whose first axis is that of the images.
func side(size *Node, axis, rank int) *Node {
	if size.Rank() == 1 {
		size = InsertAxes(size, 0)
	}
	dims := []int{size.Shape().Dim(0), 1, 1, 1}
	return Reshape(Slice(size, AxisRange(), AxisElem(axis)), dims[:rank]...)
}

// Mirror is x with the image mirrored, left to right; for a nil canvas all of x.
func (c *Canvas) Mirror(x *Node) *Node {
	if c == nil {
		return Reverse(x, 2)
	}
	size := c.Size(x)
	return ResizeWithin(c.fill(x, 0), area(x)[0], area(x)[1], Within{From: size, To: size, Mirror: true})
}

// MaxPool3s2 is the function of that name within the canvas.
func (n Net) MaxPool3s2(x *Node, ceil bool) *Node {
	y := MaxPool3s2(n.Canvas.fill(x, math.Inf(-1)), ceil)
	if c := n.Canvas; c != nil && ceil {
		c.sizes[area(y)] = AddScalar(Floor(MulScalar(c.Size(x), 0.5)), 1)
	} else {
		c.note(x, y, 2, 2, 1)
	}
	return n.Canvas.fill(y, 0) // no layer computes with infinities
}

// MaxPool3s1 is the function of that name within the canvas.
func (n Net) MaxPool3s1(x *Node) *Node {
	return n.Canvas.fill(MaxPool3s1(n.Canvas.fill(x, math.Inf(-1))), 0)
}

// MeanPool3s1 is the mean of 3×3 pixels, zeros around the image among them.
func (n Net) MeanPool3s1(x *Node) *Node {
	ninth := BroadcastToDims(Scalar(x.Graph(), x.DType(), 1.0/9), 3, 3, 1, x.Shape().Dim(3))
	return n.within(Depthwise, x, ninth, nil, ConvOptions{Pad: 1})
}

// MeanImage is the function of that name within the canvas.
func (n Net) MeanImage(x *Node) *Node {
	if n.Canvas == nil {
		return MeanImage(x)
	}
	size := n.Canvas.Size(x)
	pixels := Mul(side(size, 0, 4), side(size, 1, 4))
	n.Canvas.sizes[[2]int{1, 1}] = Const(x.Graph(), []float32{1, 1})
	sum := MulScalar(MeanImage(n.Canvas.fill(x, 0)), float64(area(x)[0]*area(x)[1]))
	return Div(sum, ConvertDType(pixels, x.DType()))
}

// Resize scales x bilinearly to like's size, within the canvas.
func (n Net) Resize(x, like *Node, alignCorners bool) *Node {
	if n.Canvas == nil {
		return Resize(x, area(like)[0], area(like)[1], alignCorners)
	}
	return ResizeWithin(n.Canvas.fill(x, 0), area(like)[0], area(like)[1], Within{From: n.Canvas.Size(x), To: n.Canvas.Size(like), AlignCorners: alignCorners})
}
