package camnet

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/imageproc"
	"wsss/models/backend"
	"wsss/models/layers"
	"wsss/models/shapecache"
	"wsss/models/together"
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

// Mapper computes class activation maps. It is safe for concurrent use; runs
// follow each other, and on a GPU images that are asked for at the same time share
// them.
type Mapper struct {
	net     *Network
	backend compute.Backend
	store   *model.Store
	opts    MapOptions
	canvas  bool // images share canvases

	runs   together.Runs[view, prepared, *Map]
	mu     sync.Mutex
	graphs shapecache.Cache[view, *model.Exec]
}

// view is what a graph is compiled for.
type view struct {
	size     image.Point
	flip     bool // each image, and its mirror image
	features bool // of the last stage, in the place of maps
}

func (v view) views() int {
	if v.flip {
		return 2
	}
	return 1
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
	m := &Mapper{net: n, backend: b, store: store, opts: opts, canvas: backend.KindOf(b) == backend.XLA && opts.Bucket == 1 && n.onCanvas(),
		graphs: shapecache.Cache[view, *model.Exec]{Limit: backend.GraphsKept(b, opts.Shapes), Free: (*model.Exec).Finalize}}
	m.runs.Size = func(v view) int { return backend.AtOnce(b, v.views()*v.size.X*v.size.Y) }
	m.runs.Run = m.run
	return m
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
		one, err := m.ask(ctx, m.scaled(img, s), m.opts.Flip, false)
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
	f, err := m.ask(context.Background(), m.scaled(img, 1), false, true)
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

// prepared is an image as the network takes it.
type prepared struct {
	w, h   int
	pixels []float32 // of all views, one behind the other
}

// ask returns the maps of an image, or its features.
func (m *Mapper) ask(ctx context.Context, img *imageproc.RGB, flip, features bool) (*Map, error) {
	v := view{m.Shape(image.Pt(img.W, img.H)), flip, features}
	area := 3 * v.size.X * v.size.Y
	p := prepared{img.W, img.H, make([]float32, v.views()*area)}
	norm := imageproc.NormOf(m.net.cfg.Input)
	img.Interleaved(norm, p.pixels, v.size.X, image.Point{})
	if flip {
		mirrored := img.Crop(image.Rect(0, 0, img.W, img.H))
		mirrored.Mirror()
		mirrored.Interleaved(norm, p.pixels[area:], v.size.X, image.Point{})
	}
	return m.runs.Do(ctx, v, p)
}

// run returns the maps, or features, of images that a graph takes together.
func (m *Mapper) run(_ context.Context, v view, images []prepared) (maps []*Map, err error) {
	var pixels, sizes [][]float32
	for _, p := range images {
		pixels = append(pixels, p.pixels)
		sizes = append(sizes, slices.Repeat([][]float32{{float32(p.h), float32(p.w)}}, v.views())...)
	}
	in := tensors.FromFlatDataAndDimensions(together.Join(pixels), len(sizes), v.size.Y, v.size.X, 3)
	defer in.FinalizeAll() //nolint:errcheck // memory only
	m.mu.Lock()
	defer m.mu.Unlock()
	exec, err := m.graphs.Get(v, func() (*model.Exec, error) {
		return model.NewExec(m.backend, m.store, func(scope *model.Scope, images, sizes *Node) *Node {
			return m.graph(scope, images, sizes, v)
		})
	})
	if err != nil {
		return nil, err
	}
	out, err := exec.Call1(in, sizes)
	if err != nil {
		return nil, err
	}
	defer out.FinalizeAll() //nolint:errcheck // memory only
	err = tensors.ConstFlatData(out, func(flat []float32) {
		d := out.Shape().Dimensions
		for i, img := range images {
			own := flat[i*len(flat)/len(images) : (i+1)*len(flat)/len(images)]
			maps = append(maps, m.cut(own, d[1], d[2], d[3], img))
		}
	})
	return maps, err
}

// cut takes an image's map, with that of its mirror image added where the graph
// gives both, [views, h, w, classes], off the canvas.
func (m *Mapper) cut(flat []float32, h, w, classes int, img prepared) *Map {
	one := &Map{W: w, H: h, Classes: classes}
	if m.canvas {
		one.W, one.H = (img.w+m.net.stride-1)/m.net.stride, (img.h+m.net.stride-1)/m.net.stride
	}
	one.Values = make([]float32, 0, one.H*one.W*classes)
	for y := range one.H {
		one.Values = append(one.Values, flat[y*w*classes:][:one.W*classes]...)
	}
	if n := h * w * classes; len(flat) > n {
		one.addMirrored(flat[n:], w)
	}
	return one
}

// graph is what run computes of images, and of their sizes where they lie on a
// canvas.
func (m *Mapper) graph(scope *model.Scope, images, sizes *Node, v view) *Node {
	var canvas *layers.Canvas
	if m.canvas {
		canvas = layers.NewCanvas(images, sizes)
	}
	switch {
	case v.features:
		return m.net.features(canvas, scope, images, false)
	case m.opts.Prototypes != nil:
		return m.net.PrototypeMaps(canvas, scope, images, v.flip, m.opts.Prototypes)
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
