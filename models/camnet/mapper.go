package camnet

import (
	"context"
	"fmt"
	"image"
	"math"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/backend"
	"wsss/models/foundation/imageproc"
	"wsss/models/layers"
	"wsss/models/shapecache"
)

// MapOptions are the choices of inference.
type MapOptions struct {
	Scales []float64 // sizes at which the image is seen
	Flip   bool      // and mirrored
	// Bucket rounds the sides of scaled images to the nearest multiple of so many
	// pixels, so that images share compiled graphs. 1 is the reference's size; on
	// xla images share canvases then, beside which no layer looks
	// (layers.Canvas). 0 chooses by what a new size costs: 1 on go and xla, 16 on
	// onnx.
	Bucket  int
	MaxSide int // scaled images are no longer than this, so that memory is bounded
	Shapes  int // compiled sizes kept

	Prototypes *Prototypes // LPCAM's, in the place of the classifier; nil = the classifier
}

var defaultBucket = map[backend.Kind]int{backend.Go: 1, backend.ONNX: 16, backend.XLA: 1}

// Mapper computes class activation maps. It is safe for concurrent use; calls
// run one at a time.
type Mapper struct {
	net     *Network
	backend compute.Backend
	store   *model.Store
	opts    MapOptions
	canvas  bool // images share canvases

	mu     sync.Mutex
	graphs shapecache.Cache[view, *model.Exec]
}

// view is what a graph is compiled for.
type view struct {
	size     image.Point
	features bool // of the last stage, in the place of maps
}

// SetPrototypes puts LPCAM's prototypes in the place of the classifier, before
// the first call of Maps.
func (m *Mapper) SetPrototypes(p *Prototypes) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.graphs.Clear()
	m.opts.Prototypes = p
}

// NewMapper takes a network and its variables, which go with it.
func NewMapper(b compute.Backend, n *Network, store *model.Store, opts MapOptions) *Mapper {
	if opts.Bucket == 0 {
		opts.Bucket = DefaultBucket(b)
	}
	return &Mapper{net: n, backend: b, store: store, opts: opts, canvas: backend.KindOf(b) == backend.XLA && opts.Bucket == 1 && n.onCanvas(),
		graphs: shapecache.Cache[view, *model.Exec]{Limit: backend.GraphsKept(b, opts.Shapes), Free: (*model.Exec).Finalize}}
}

// DefaultBucket is what MapOptions.Bucket is by what a new size costs.
func DefaultBucket(b compute.Backend) int { return defaultBucket[backend.KindOf(b)] }

// Stride is the image pixels per pixel of a map.
func (m *Mapper) Stride() int { return m.net.stride }

// Close frees the network.
func (m *Mapper) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.graphs.Clear()
	m.store.Finalize()
}

// Map has the activations of all classes at one scale, with those of the
// mirrored image added: [H][W][classes]. A classifier's are after ReLU.
type Map struct {
	W, H, Classes int
	Values        []float32
}

// Plane copies the map of one class, counted from 0 without the background.
func (m *Map) Plane(class int) []float32 {
	out := make([]float32, m.W*m.H)
	for i := range out {
		out[i] = m.Values[i*m.Classes+class]
	}
	return out
}

// Maps returns a map per scale of an image (docs/sources.md §11.1).
func (m *Mapper) Maps(ctx context.Context, img *imageproc.RGB) ([]*Map, error) {
	var all []*Map
	for _, s := range m.opts.Scales {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		one, err := m.run(m.scaled(img, s), m.opts.Flip, false)
		if err != nil {
			return nil, fmt.Errorf("image of %d×%d pixels at scale %g: %w", img.W, img.H, s, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// Features are those of the network's last stage for the image as it is:
// [H][W][channels].
func (m *Mapper) Features(img *imageproc.RGB) (*Map, error) {
	f, err := m.run(m.scaled(img, 1), false, true)
	if err != nil {
		return nil, fmt.Errorf("image of %d×%d pixels: %w", img.W, img.H, err)
	}
	return f, nil
}

func (m *Mapper) scaled(img *imageproc.RGB, scale float64) *imageproc.RGB {
	fits := min(scale, float64(m.opts.MaxSide)/float64(max(img.W, img.H)))
	return img.Resize(m.side(img.W, fits), m.side(img.H, fits), imageproc.Bicubic)
}

// side is a scaled side, rounded as NumPy does, then to the bucket.
func (m *Mapper) side(n int, scale float64) int {
	v := math.RoundToEven(float64(n) * scale)
	b := float64(max(m.opts.Bucket, 1))
	return max(int(math.Round(v/b)*b), int(b))
}

// run returns the maps of an image, or its features.
func (m *Mapper) run(img *imageproc.RGB, flip, features bool) (*Map, error) {
	views := 1
	if flip {
		views = 2
	}
	shape := m.Shape(image.Pt(img.W, img.H))
	pixels := make([]float32, 3*views*shape.X*shape.Y)
	img.Interleaved(imageproc.ImageNetNorm, pixels, shape.X, image.Point{})
	if flip {
		mirrored := img.Crop(image.Rect(0, 0, img.W, img.H))
		mirrored.Mirror()
		mirrored.Interleaved(imageproc.ImageNetNorm, pixels[len(pixels)/2:], shape.X, image.Point{})
	}
	in := tensors.FromFlatDataAndDimensions(pixels, views, shape.Y, shape.X, 3)
	defer in.FinalizeAll() //nolint:errcheck // memory only
	m.mu.Lock()
	defer m.mu.Unlock()
	exec, err := m.graphs.Get(view{shape, features}, func() (*model.Exec, error) {
		return model.NewExec(m.backend, m.store, func(scope *model.Scope, images, size *Node) *Node {
			// Else the onnx backend keeps a copy of the weights per image size.
			m.store.SetTraining(images.Graph(), true)
			return m.graph(scope, images, size, features)
		})
	})
	if err != nil {
		return nil, err
	}
	out, err := exec.Call1(in, []float32{float32(img.H), float32(img.W)})
	if err != nil {
		return nil, err
	}
	defer out.FinalizeAll() //nolint:errcheck // memory only
	d := out.Shape().Dimensions
	result := &Map{W: d[2], H: d[1], Classes: d[3]}
	if m.canvas {
		result.W, result.H = (img.W+m.net.stride-1)/m.net.stride, (img.H+m.net.stride-1)/m.net.stride
	}
	err = tensors.ConstFlatData(out, func(flat []float32) {
		result.Values = make([]float32, 0, result.H*result.W*d[3])
		for y := range result.H {
			result.Values = append(result.Values, flat[y*d[2]*d[3]:][:result.W*d[3]]...)
		}
		if n := d[1] * d[2] * d[3]; len(flat) > n {
			result.addMirrored(flat[n:], d[2])
		}
	})
	return result, err
}

// graph is what run computes of images, and of their size where they lie on a
// canvas.
func (m *Mapper) graph(scope *model.Scope, images, size *Node, features bool) *Node {
	var canvas *layers.Canvas
	if m.canvas {
		canvas = layers.NewCanvas(images, size)
	}
	switch {
	case features:
		return m.net.features(canvas, scope, images, false)
	case m.opts.Prototypes != nil:
		return m.net.PrototypeMaps(canvas, scope, images, m.opts.Prototypes)
	}
	return m.net.Maps(canvas, scope, images)
}

// canvasStep is what the sides of canvases are multiples of.
const canvasStep = 64

// Shape is the size of the graph that a scaled image needs: its own, or its
// canvas.
func (m *Mapper) Shape(size image.Point) image.Point {
	if !m.canvas {
		return size
	}
	up := func(n int) int { return (n + canvasStep - 1) / canvasStep * canvasStep }
	return image.Pt(up(size.X), up(size.Y))
}

// addMirrored adds the map of the mirrored image, whose rows are width apart.
func (m *Map) addMirrored(v []float32, width int) {
	for y := range m.H {
		for x := range m.W {
			to, from := (y*m.W+x)*m.Classes, (y*width+m.W-1-x)*m.Classes
			for c := range m.Classes {
				m.Values[to+c] += v[from+c]
			}
		}
	}
}
