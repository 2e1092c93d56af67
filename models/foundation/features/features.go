// Package features gives photos a dense map of features from a frozen network:
// DINOv2, any ImageNet classifier, CLIP's image tower, or whatever an ONNX file makes of
// a photo, as a map or as tokens. Each kind of network registers itself.
package features

import (
	"context"
	"errors"
	"fmt"
	"image"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/vector"
	"wsss/models/backend"
	"wsss/models/together"
)

// Options say how a network sees a photo and where its features are.
type Options struct {
	Side      int            // the longer side of a photo is made so many pixels; 0 = as it is, up to MaxSide
	MaxSide   int            // no longer side is larger; 0 = 1024
	Square    int            // photos are stretched to a square of so many pixels, whatever Side says; 0 = not
	Fit       string         // how sides become multiples of the network's step: FitPad (also "") or FitStretch
	Norm      imageproc.Norm // of the pixels; the zero value is ImageNet's
	Stride    int            // of a CNN's map, 8, 16 or 32; 0 = 16
	Output    string         // of an ONNX file: the value with the features, an output or any other; "" = the first that can be
	Layout    string         // of that value: one of Layouts; "" = by its shape
	Prefix    int            // tokens before those of the patches (class token, registers); 0 = what the shape leaves, -1 = none
	Patch     int            // pixels a side of a patch; 0 = as the file's first convolution says
	MaxShapes int            // compiled sizes that are kept; 0 = 8
}

// How a photo is brought to a size that the network takes.
const (
	FitPad     = "pad"     // black at the right and below, as ModuSeg does
	FitStretch = "stretch" // each side resized on its own
)

// Layouts of a value with features.
const (
	LayoutMaps   = "bchw" // [batch, channels, height, width]
	LayoutLast   = "bhwc" // [batch, height, width, channels]
	LayoutTokens = "bnc"  // [batch, tokens, channels], patches row by row behind the prefix
)

// Layouts lists them.
var Layouts = []string{LayoutMaps, LayoutLast, LayoutTokens}

// Norms are the normalisations by their names.
var Norms = imageproc.Named

const (
	defaultMaxSide = 1024
	defaultStride  = 16
	defaultShapes  = 8
	maxBatch       = 64 // photos of one size in a run
)

// Network gives photos their features. It is safe for concurrent use.
type Network struct {
	opts   Options
	engine engine
	hash   string // of the weights
	file   string
	cache  *Cache // nil: none
	runs   together.Runs[image.Point, []float32, grid]
}

// grid is what a network gives for a photo: [h][w][channels].
type grid struct {
	values []float32
	w, h   int
}

// engine is a kind of network at work.
type engine interface {
	// step is what sides are multiples of, pixels; fixed the only size that
	// photos can have, or the zero point.
	step() int
	fixed() image.Point
	// run computes the features of n photos of one size: pixels are normalised,
	// [n, h, w, 3], results [gridH, gridW, channels] each.
	run(ctx context.Context, pixels []float32, n, w, h int) (values [][]float32, gridW, gridH int, err error)
	Close() error
}

// loner is an engine of which some look at one photo in a run, or gather photos
// themselves.
type loner interface{ alone() bool }

// opener makes an engine of a file, or returns errOther for one of another kind.
type opener func(b compute.Backend, path string, o Options) (engine, error)

var errOther = errors.New("a file of another kind")

var openers []opener

// register adds a kind of network; files are offered to kinds in turn. Call it
// from init in the kind's own file.
func register(o opener) { openers = append(openers, o) }

// Open opens a network of any kind. Errors name the file.
func Open(b compute.Backend, path string, o Options) (*Network, error) {
	if b == nil {
		return nil, fmt.Errorf("%s: features need a backend, and there is none", path)
	}
	o, err := o.defaults()
	if err != nil {
		return nil, err
	}
	sum, err := files.SHA256(path)
	if err != nil {
		return nil, err
	}
	for _, open := range openers {
		e, err := open(b, path, o)
		if errors.Is(err, errOther) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		n := &Network{opts: o, engine: e, hash: sum, file: path}
		n.runs.Size = func(size image.Point) int {
			if a, ok := e.(loner); ok && a.alone() {
				return 1
			}
			return backend.AtOnce(b, size.X*size.Y)
		}
		n.runs.Run = n.run
		return n, nil
	}
	return nil, fmt.Errorf("%s: no network that gives features: known are ONNX files, and weights of DINOv2, of timm's ViT, of CLIP's image tower, of EfficientNet-Lite or of torchvision's ResNets (.pth, .safetensors)", path)
}

func (o Options) defaults() (Options, error) {
	if o.MaxSide == 0 {
		o.MaxSide = defaultMaxSide
	}
	if o.Stride == 0 {
		o.Stride = defaultStride
	}
	if o.MaxShapes == 0 {
		o.MaxShapes = defaultShapes
	}
	if o.Fit == "" {
		o.Fit = FitPad
	}
	if o.Norm == (imageproc.Norm{}) {
		o.Norm = imageproc.ImageNetNorm
	}
	return o, o.Check()
}

// Check names the first option that makes no sense.
func (o Options) Check() error {
	switch {
	case o.Side < 0 || o.Side > 1<<13:
		return fmt.Errorf("side = %d: allowed are 0 to %d pixels", o.Side, 1<<13)
	case o.MaxSide < 0 || o.MaxSide > 1<<13:
		return fmt.Errorf("max_side = %d: allowed are 0 to %d pixels", o.MaxSide, 1<<13)
	case o.Square < 0 || o.Square > 1<<13:
		return fmt.Errorf("square = %d: allowed are 0 to %d pixels", o.Square, 1<<13)
	case o.Fit != "" && o.Fit != FitPad && o.Fit != FitStretch:
		return fmt.Errorf("fit = %q: allowed are %s, %s", o.Fit, FitPad, FitStretch)
	case o.Stride != 0 && o.Stride != 8 && o.Stride != 16 && o.Stride != 32:
		return fmt.Errorf("stride = %d: allowed are 8, 16, 32", o.Stride)
	case o.Layout != "" && !slices.Contains(Layouts, o.Layout):
		return fmt.Errorf("layout = %q: allowed are %s", o.Layout, strings.Join(Layouts, ", "))
	case o.Prefix < -1 || o.Prefix > 1024:
		return fmt.Errorf("prefix = %d: allowed are 0 (what the shape leaves), -1 (none) and 1 to 1024 tokens", o.Prefix)
	case o.Patch < 0 || o.Patch > 1024:
		return fmt.Errorf("patch = %d: allowed are 0 to 1024 pixels", o.Patch)
	}
	return nil
}

// Hash identifies the network's weights: the SHA-256 of its file.
func (n *Network) Hash() string { return n.hash }

// Files maps the file's name to its hash, for provenance.
func (n *Network) Files() map[string]string { return map[string]string{filepath.Base(n.file): n.hash} }

// Close frees what the network holds.
func (n *Network) Close() error { return n.engine.Close() }

// Key identifies all that the features of a photo depend on beside its pixels:
// weights, size, normalisation and place of the features.
func (n *Network) Key() string {
	o, text := n.opts, n.hash
	for _, k := range []struct {
		key   string
		value any
		set   bool
	}{
		{"side", o.Side, o.Side > 0}, {"max_side", o.MaxSide, o.Side == 0}, {"square", o.Square, o.Square > 0}, {"fit", o.Fit, true}, {"norm", normName(o.Norm), true},
		{"stride", o.Stride, true}, {"output", o.Output, o.Output != ""}, {"layout", o.Layout, o.Layout != ""}, {"prefix", o.Prefix, o.Prefix != 0}, {"patch", o.Patch, o.Patch > 0},
	} {
		if k.set {
			text += fmt.Sprintf(" %s=%v", k.key, k.value)
		}
	}
	return text
}

// normName is a normalisation's name, or its numbers.
func normName(n imageproc.Norm) string {
	for _, name := range slices.Sorted(maps.Keys(Norms)) {
		if Norms[name] == n {
			return name
		}
	}
	return fmt.Sprintf("%+v", n)
}

// Map is the features of a photo, on a grid of cells.
type Map struct {
	W, H, C int
	// ScaleX and ScaleY are the cells to a pixel of the photo; cells beyond the
	// photo are padding.
	ScaleX, ScaleY float64
	Values         []float32 // [H][W][C], of length 1 each, or all zeros
	Norms          []float32 // [H][W]: their lengths before
}

// size is that of a photo as the network sees it, without and with padding.
func (n *Network) size(w, h int) (inner, outer image.Point) {
	if f := n.engine.fixed(); f != (image.Point{}) {
		return f, f
	}
	if s := n.opts.Square; s > 0 {
		return image.Pt(s, s), image.Pt(s, s)
	}
	scale := 1.0
	if long := max(w, h); n.opts.Side > 0 {
		scale = float64(n.opts.Side) / float64(long)
	} else if long > n.opts.MaxSide {
		scale = float64(n.opts.MaxSide) / float64(long)
	}
	step := n.engine.step()
	side := func(v int) (in, out int) {
		in = max(1, int(math.Round(float64(v)*scale)))
		if n.opts.Fit == FitStretch {
			in = max(step, (in+step/2)/step*step)
		}
		return in, (in + step - 1) / step * step
	}
	inner.X, outer.X = side(w)
	inner.Y, outer.Y = side(h)
	return inner, outer
}

// Maps are the features of photos. Those that the network sees at one size share
// a run, on a GPU those of other callers too; those that the cache has need none.
func (n *Network) Maps(ctx context.Context, photos ...*imageproc.RGB) ([]*Map, error) {
	out := make([]*Map, len(photos))
	groups, order := map[image.Point][]int{}, []image.Point{}
	for i, p := range photos {
		if p.W < 1 || p.H < 1 {
			return nil, errors.New("a photo without pixels has no features")
		}
		if m := n.cache.get(n, p); m != nil {
			out[i] = m
			continue
		}
		_, size := n.size(p.W, p.H)
		if groups[size] == nil {
			order = append(order, size)
		}
		groups[size] = append(groups[size], i)
	}
	for _, size := range order {
		for list := range slices.Chunk(groups[size], maxBatch) {
			grids, err := n.ofSize(ctx, photos, list, size)
			if err != nil {
				return nil, fmt.Errorf("features at %d×%d pixels: %w", size.X, size.Y, err)
			}
			for k, i := range list {
				if out[i], err = n.finish(grids[k], photos[i], size); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}

// ofSize runs photos that the network sees at one size.
func (n *Network) ofSize(ctx context.Context, photos []*imageproc.RGB, list []int, size image.Point) ([]grid, error) {
	if n.runs.Single() || n.runs.Size(size) <= 1 {
		own := make([][]float32, len(list))
		for k, i := range list {
			own[k] = n.pixels(photos[i], size)
		}
		return n.runs.All(ctx, size, own)
	}
	grids := make([]grid, len(list))
	return grids, data.ParallelWorkers(ctx, len(list), len(list), nil, func(_, k int) (err error) {
		grids[k], err = n.runs.Do(ctx, size, n.pixels(photos[list[k]], size))
		return err
	})
}

// pixels are a photo's, normalised, as the network sees it: [height, width, 3].
func (n *Network) pixels(p *imageproc.RGB, size image.Point) []float32 {
	inner, _ := n.size(p.W, p.H)
	if inner != image.Pt(p.W, p.H) {
		p = p.Resize(inner.X, inner.Y, imageproc.Bicubic)
	}
	canvas := make([]float32, 3*size.X*size.Y)
	if inner != size { // black, as any pixel
		imageproc.NewRGB(size.X, size.Y).Interleaved(n.opts.Norm, canvas, size.X, image.Point{})
	}
	p.Interleaved(n.opts.Norm, canvas, size.X, image.Point{})
	return canvas
}

// run is that of photos of one size.
func (n *Network) run(ctx context.Context, size image.Point, photos [][]float32) ([]grid, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	values, w, h, err := n.engine.run(ctx, together.Join(photos), len(photos), size.X, size.Y)
	if err != nil {
		return nil, err
	}
	grids := make([]grid, len(photos))
	for i := range grids {
		grids[i] = grid{values[i], w, h}
	}
	return grids, nil
}

// finish makes the map of a photo of what the network gave, and has the cache
// keep it.
func (n *Network) finish(g grid, p *imageproc.RGB, size image.Point) (*Map, error) {
	m, err := newMap(g.values, g.w, g.h)
	if err != nil {
		return nil, err
	}
	inner, _ := n.size(p.W, p.H)
	m.ScaleX = float64(inner.X) / float64(p.W) * float64(g.w) / float64(size.X)
	m.ScaleY = float64(inner.Y) / float64(p.H) * float64(g.h) / float64(size.Y)
	return m, n.cache.put(n, p, m)
}

// newMap takes the lengths off the features.
func newMap(values []float32, w, h int) (*Map, error) {
	if w*h == 0 || len(values) == 0 || len(values)%(w*h) != 0 {
		return nil, fmt.Errorf("%d features for %d×%d cells", len(values), w, h)
	}
	m := &Map{W: w, H: h, C: len(values) / (w * h), Values: values, Norms: make([]float32, w*h)}
	for i := range m.Norms {
		cell := values[i*m.C : (i+1)*m.C]
		m.Norms[i] = float32(vector.Normalise(cell))
		if l := m.Norms[i]; l != l || math.IsInf(float64(l), 0) {
			return nil, errors.New("the network gives features that are no numbers")
		}
	}
	return m, nil
}
