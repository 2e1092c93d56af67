package train

import (
	"image"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/layers"
)

// Sides of canvases are multiples of these. Of several scales, each has a graph
// of its own, so that theirs are coarser.
const (
	canvasStep  = 32
	canvasSteps = 64
)

// up rounds a side up to a multiple of step, or of twice and four times it where
// the side is long.
func up(n, step int) int {
	for n > 24*step {
		step *= 2
	}
	return (n + step - 1) / step * step
}

// canvas is the one for images of a size.
func (p *Predictor) canvas(size image.Point) image.Point {
	step := canvasStep
	if len(p.opts.Scales) > 1 {
		step = canvasSteps
	}
	return image.Pt(up(size.X, step), up(size.Y, step))
}

// viewCanvas is the canvas at a scale of images that have a canvas.
func viewCanvas(canvas image.Point, scale float64) image.Point {
	return image.Pt(up(scaled(canvas.X, scale), canvasStep), up(scaled(canvas.Y, scale), canvasStep))
}

// views puts an image on a canvas at each scale, [1, height, width, 3], or
// [2, …] with its mirror image; sizes are those of the image there.
func (p *Predictor) views(img *image.NRGBA, canvas image.Point) (views []*tensors.Tensor, sizes [][]float32) {
	w, h := max(img.Rect.Dx(), p.least()), max(img.Rect.Dy(), p.least())
	n := 1
	if p.opts.Flip {
		n = 2
	}
	for _, s := range p.opts.Scales {
		size, on := image.Pt(scaled(w, s), scaled(h, s)), viewCanvas(canvas, s)
		pixels := make([]float32, 3*size.X*size.Y)
		p.in.Stretch(pixels, size, img)
		t := tensors.FromShape(shapes.Make(dtypes.Float32, n, on.Y, on.X, 3))
		tensors.MustMutableFlatData(t, func(flat []float32) {
			clear(flat)
			for y := range size.Y {
				row := pixels[3*y*size.X:][:3*size.X]
				copy(flat[3*y*on.X:], row)
				if p.opts.Flip {
					mirror(flat[3*(on.Y+y)*on.X:], row)
				}
			}
		})
		views, sizes = append(views, t), append(sizes, sizeOf(size))
	}
	return views, sizes
}

// mirror copies a row of pixels, last one first.
func mirror(dst, row []float32) {
	for i := 0; i < len(row); i += 3 {
		copy(dst[i:i+3], row[len(row)-3-i:])
	}
}

// onCanvas is compute where images share canvases. One scale is one graph. Of
// several, each is one that all images with such a canvas share, whatever the
// scale, and a small one joins them.
func (p *Predictor) onCanvas(in prepared, scores bool) (*tensors.Tensor, error) {
	args := make([]any, 0, 2*len(in.pixels)+1)
	if len(in.pixels) == 1 {
		args = append(args, in.pixels[0], in.sizes[0])
	} else {
		defer func() {
			for _, a := range args[:len(args)/2*2] {
				a.(*tensors.Tensor).FinalizeAll() //nolint:errcheck // memory only
			}
		}()
		for i, pixels := range in.pixels {
			d := pixels.Shape().Dimensions
			exec, err := p.graphs.Get(compiled{image.Pt(d[2], d[1]), toView}, p.viewGraph)
			if err != nil {
				return nil, err
			}
			out, err := exec.Call(pixels, in.sizes[i])
			if err != nil {
				return nil, err
			}
			args = append(args, out[0], out[1])
		}
	}
	key := compiled{in.shape, partOf(scores)}
	exec, err := p.graphs.Get(key, func() (*model.Exec, error) { return p.joined(key, len(in.pixels) == 1) })
	if err != nil {
		return nil, err
	}
	return exec.Call1(append(args, sizeOf(in.size))...)
}

// viewGraph takes images on a canvas, and their size there, to the network's
// logits and the size of these.
func (p *Predictor) viewGraph() (*model.Exec, error) {
	return model.NewExec(p.net.backend, p.net.store, func(_ *model.Scope, images, size *Node) []*Node {
		z, of := p.viewLogits(images, size)
		return []*Node{z, of}
	})
}

func (p *Predictor) viewLogits(images, size *Node) (z, of *Node) {
	return p.on.LogitsWithin(p.net.store.Scope(p.root), images, size)
}

// joined is the mean of the logits of all views, at the size of the image, or
// its labels. It takes the logits of each view and their size, or the pixels of
// the only one, and the size of the image.
func (p *Predictor) joined(key compiled, fromPixels bool) (*model.Exec, error) {
	return model.NewExec(p.net.backend, p.net.store, func(_ *model.Scope, in []*Node) *Node {
		size := in[len(in)-1]
		var sum *Node
		seen := 0
		for i := 0; i+1 < len(in); i += 2 {
			z, of := in[i], in[i+1]
			if fromPixels {
				z, of = p.viewLogits(z, of)
			}
			for k := range z.Shape().Dim(0) { // the image, and its mirror image
				y := layers.ResizeWithin(Slice(z, AxisElem(k)), key.size.Y, key.size.X, layers.Within{From: of, To: size, Mirror: k == 1})
				if seen++; sum == nil {
					sum = y
				} else {
					sum = Add(sum, y)
				}
			}
		}
		return key.of(MulScalar(sum, 1/float64(seen)))
	})
}
