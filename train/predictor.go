package train

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data"
	"wsss/data/augment"
	"wsss/models"
	"wsss/models/backend"
	"wsss/models/layers"
	"wsss/models/shapecache"
	"wsss/train/optim"
)

// PredictOptions are the test-time choices. The zero value is the protocol of
// docs/sources.md §8.1: the image at its own size, once.
type PredictOptions struct {
	Scales []float64 // the image is also seen at these sizes, logits averaged; nil = {1}
	Flip   bool      // and mirrored
	// Bucket lets images share compiled networks: each side from 768 pixels on
	// is stretched to the nearest multiple of so many pixels, shorter ones to
	// that of a half, a quarter …, so that 32 changes a side by 1/48 at most.
	// (Padding that the network sees would cost accuracy.) 1 computes every
	// image at its own size, which is exact; on xla images share canvases then,
	// beside which no layer looks (layers.Canvas). 0 chooses by what a new size
	// costs: 1 on go and xla, 32 on onnx.
	Bucket int
	Shapes int // compiled sizes kept, each with its working memory; 0 = 3, on xla what memory holds

	Warn func(line string) // told where a run folder's newest checkpoint is damaged; may be nil
}

// defaultBucket weighs the time to compile a new size against exactness.
var defaultBucket = map[backend.Kind]int{backend.Go: 1, backend.ONNX: 32, backend.XLA: 1}

// Predictor labels images with a trained network. It implements
// models.Predictor; calls run one at a time.
type Predictor struct {
	Meta checkpoints.Meta // of the checkpoint it was loaded from; zero for NewPredictor

	net   *network
	on    models.CanvasSegmenter // the network, where images share canvases; else nil
	in    augment.Input
	opts  PredictOptions
	root  string // scope of the variables
	owned bool   // they go with the predictor

	mu     sync.Mutex
	graphs shapecache.Cache[compiled, *model.Exec]
}

// NewPredictor predicts with a network whose variables are in store; they may
// change between calls. input names the pixel convention, as train.network.input does.
func NewPredictor(b compute.Backend, net models.Segmenter, store *model.Store, input string, opts PredictOptions) (*Predictor, error) {
	in, err := augment.InputByName(input)
	if err != nil {
		return nil, err
	}
	if len(opts.Scales) == 0 {
		opts.Scales = []float64{1}
	}
	if opts.Bucket == 0 {
		opts.Bucket = defaultBucket[backend.KindOf(b)]
	}
	if opts.Shapes <= 0 {
		opts.Shapes = backend.GraphsKept(b, 3)
	}
	p := &Predictor{net: &network{Segmenter: net, backend: b, store: store}, in: in, opts: opts,
		graphs: shapecache.Cache[compiled, *model.Exec]{Limit: opts.Shapes, Free: (*model.Exec).Finalize}}
	if backend.KindOf(b) == backend.XLA && opts.Bucket == 1 {
		if on, ok := net.(models.CanvasSegmenter); ok && on.OnCanvas() {
			p.on = on
		}
	}
	return p, nil
}

// LoadPredictor rebuilds a network from a checkpoint file, or from the newest
// whole checkpoint of a run folder. Where the training kept a moving average of
// the weights, that is what predicts.
func LoadPredictor(b compute.Backend, path string, opts PredictOptions) (*Predictor, error) {
	return loadPredictor(b, path, opts, NewSegmenter)
}

func loadPredictor(b compute.Backend, path string, opts PredictOptions, build func(configs.Train, int) (models.Segmenter, error)) (*Predictor, error) {
	c, err := checkpoints.OpenPath(path, opts.Warn)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Meta.Model.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	net, err := build(c.Meta.Model.Train, len(c.Meta.Model.Classes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	n := &network{Segmenter: net, backend: b, store: model.NewStore(), classes: len(c.Meta.Model.Classes)}
	if err := n.restore(c, c.Meta.Model.Train.Crop, false); err != nil {
		return nil, err
	}
	p, err := NewPredictor(b, net, n.store, c.Meta.Model.Train.Input, opts)
	if err != nil {
		return nil, err
	}
	p.owned, p.Meta = true, c.Meta
	return p, nil
}

// Bucket is the one in use: the engine's where PredictOptions leave it open.
func (p *Predictor) Bucket() int { return p.opts.Bucket }

// Predict returns the label map of one image: the class of the highest mean
// logit, each logit map first resized bilinearly to the image.
func (p *Predictor) Predict(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	return p.Prepare(img)(ctx)
}

// Prepare makes the network's input of an image, and leaves the rest to the
// function it returns. It may run while the network computes other images; it
// implements models.Preparer.
func (p *Predictor) Prepare(img *image.NRGBA) func(ctx context.Context) (*data.LabelMap, error) {
	in := p.input(img)
	return func(ctx context.Context) (*data.LabelMap, error) {
		labels := data.NewLabelMap(in.size.X, in.size.Y)
		err := p.run(ctx, in, false, func(out *tensors.Tensor, width int) {
			tensors.MustConstFlatData(out, func(flat []uint8) {
				for y := range labels.H {
					copy(labels.Pix[y*labels.W:][:labels.W], flat[y*width:])
				}
			})
		})
		return labels, err
	}
}

// scores calls f with the mean logits of every pixel; f must not keep z.
func (p *Predictor) scores(ctx context.Context, img *image.NRGBA, f func(pixel int, z []float32)) error {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	return p.run(ctx, p.input(img), true, func(out *tensors.Tensor, width int) {
		classes := out.Shape().Dim(-1)
		tensors.MustConstFlatData(out, func(flat []float32) {
			for y := range h {
				for x := range w {
					f(y*w+x, flat[(y*width+x)*classes:][:classes])
				}
			}
		})
	})
}

// prepared is an image as the network takes it, once.
type prepared struct {
	size   image.Point       // of the image
	shape  image.Point       // of its graph
	pixels []*tensors.Tensor // [1, height, width, 3], or the views on their canvases; nil for an empty image
	sizes  [][]float32       // of the views on their canvases: height, width
}

func (p *Predictor) input(img *image.NRGBA) prepared {
	in := prepared{size: img.Rect.Size(), shape: p.Shape(img.Rect.Size())}
	switch {
	case in.size.X == 0 || in.size.Y == 0:
	case p.on != nil:
		in.pixels, in.sizes = p.views(img, in.shape)
	default:
		pixels := tensors.FromShape(shapes.Make(dtypes.Float32, 1, in.shape.Y, in.shape.X, 3))
		tensors.MustMutableFlatData(pixels, func(flat []float32) { p.in.Stretch(flat, in.shape, img) })
		in.pixels = []*tensors.Tensor{pixels}
	}
	return in
}

func (in prepared) free() {
	for _, t := range in.pixels {
		t.FinalizeAll() //nolint:errcheck // memory only
	}
}

// run computes an image and passes on the result, which may be wider and
// higher than the image: labels [1, h, w] of uint8 or logits [1, h, w, classes].
func (p *Predictor) run(ctx context.Context, in prepared, scores bool, use func(out *tensors.Tensor, width int)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if in.pixels == nil {
		return fmt.Errorf("image of %d×%d pixels", in.size.X, in.size.Y)
	}
	defer in.free()
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := p.compute(in, scores)
	if err != nil {
		return fmt.Errorf("image of %d×%d pixels: %w", in.size.X, in.size.Y, err)
	}
	defer out.FinalizeAll() //nolint:errcheck // memory only
	use(out, out.Shape().Dim(2))
	return nil
}

// compute is run on the device.
func (p *Predictor) compute(in prepared, scores bool) (*tensors.Tensor, error) {
	if p.on != nil {
		return p.onCanvas(in, scores)
	}
	exec, err := p.graph(compiled{in.shape, partOf(scores)})
	if err != nil {
		return nil, err
	}
	return exec.Call1(in.pixels[0], sizeOf(in.size))
}

func sizeOf(size image.Point) []float32 { return []float32{float32(size.Y), float32(size.X)} }

// Shape is the size of the graph that an image needs: that at which the network
// sees it, or its canvas. It implements models.Shaper.
func (p *Predictor) Shape(size image.Point) image.Point {
	least := p.least()
	if p.on != nil {
		return p.canvas(image.Pt(max(size.X, least), max(size.Y, least)))
	}
	return image.Pt(nearest(max(size.X, least), p.opts.Bucket), nearest(max(size.Y, least), p.opts.Bucket))
}

// Foresee tells the graphs that images of these shapes need, those at hand not
// counted; it implements models.Foreseer.
func (p *Predictor) Foresee(shapes []image.Point) {
	need := map[compiled]bool{}
	for _, shape := range shapes {
		for _, key := range p.needs(shape) {
			need[key] = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for key := range need {
		if !p.graphs.Has(key) {
			n++
		}
	}
	backend.ForeseeCompilations(n)
}

// needs are the graphs that labels of images of a shape take.
func (p *Predictor) needs(shape image.Point) []compiled {
	keys := []compiled{{shape, toLabels}}
	if p.on != nil && len(p.opts.Scales) > 1 {
		for _, s := range p.opts.Scales {
			keys = append(keys, compiled{viewCanvas(shape, s), toView})
		}
	}
	return keys
}

// least is the shortest side at which an image is computed.
func (p *Predictor) least() int { return int(math.Ceil(leastSide / slices.Min(p.opts.Scales))) }

// leastSide is the shortest side, pixels, that a network is shown: smaller
// images vanish between its strides, so they are stretched.
const leastSide = 8

// fullBucket is the side in pixels from which on sizes are a whole bucket apart;
// from half of it on it is half a bucket, and so on.
const fullBucket = 768

// spacing is the distance between the sizes about n.
func spacing(n, bucket int) int {
	for from := fullBucket; n < from && bucket > 1; from /= 2 {
		bucket /= 2
	}
	return max(bucket, 1)
}

// nearest rounds n to its spacing. What is rounded to m is no larger than
// m + spacing(m)/2, as it grows only where both agree.
func nearest(n, bucket int) int {
	s := spacing(n, bucket)
	return max((n+s/2)/s*s, s)
}

// compiled identifies a graph.
type compiled struct {
	size image.Point
	what part
}

// part is what a graph computes.
type part int

const (
	toLabels part = iota // of an image
	toLogits             // of an image, at its size
	toView               // the network's own logits of a canvas
)

func partOf(scores bool) part {
	if scores {
		return toLogits
	}
	return toLabels
}

// graph returns the compiled network for an image size; the one used longest
// ago makes room.
func (p *Predictor) graph(key compiled) (*model.Exec, error) {
	return p.graphs.Get(key, func() (*model.Exec, error) {
		return model.NewExec(p.net.backend, p.net.store, func(_ *model.Scope, images, size *Node) *Node {
			return key.of(p.logits(p.net.store.Scope(p.root), images, size))
		})
	})
}

// of is what the graph returns of the logits of an image.
func (c compiled) of(z *Node) *Node {
	if c.what == toLogits {
		return z
	}
	return ConvertDType(ArgMax(z, -1, dtypes.Int32), dtypes.Uint8)
}

// logits builds the mean logits [batch, height, width, classes] over scales
// and flips. size is the height and width that images were stretched from, in
// pixels; the logits have that size, in the corner of the largest such canvas.
func (p *Predictor) logits(scope *model.Scope, images, size *Node) *Node {
	h, w := images.Shape().Dim(1), images.Shape().Dim(2)
	canvasH, canvasW := h+spacing(h, p.opts.Bucket)/2, w+spacing(w, p.opts.Bucket)/2
	var sum *Node
	seen := 0
	for _, s := range p.opts.Scales {
		x := layers.Resize(images, scaled(h, s), scaled(w, s), false)
		views := []*Node{x}
		if p.opts.Flip {
			views = append(views, Reverse(x, 2))
		}
		for i, view := range views {
			all := p.net.Logits(scope, view, false)
			y := all[len(all)-1]
			if i == 1 {
				y = Reverse(y, 2)
			}
			y = layers.ResizeWithin(y, canvasH, canvasW, layers.Within{To: size})
			if sum == nil {
				sum = y
			} else {
				sum = Add(sum, y)
			}
			seen++
		}
	}
	return MulScalar(sum, 1/float64(seen))
}

// Close frees the compiled graphs, and the variables of a loaded network.
func (p *Predictor) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.graphs.Clear()
	if p.owned {
		p.net.store.Finalize()
	}
}

func scaled(n int, s float64) int { return max(1, int(math.Round(float64(n)*s))) }

// Variables calls f with every variable of the network and its value, which f
// must not change.
func (p *Predictor) Variables(f func(path string, value *tensors.Tensor)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for v := range p.net.store.IterVariables() {
		if optim.IsNetwork(v.Path()) && v.HasValue() {
			f(v.Path(), v.MustValue())
		}
	}
}
