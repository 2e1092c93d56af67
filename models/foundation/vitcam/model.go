// Package vitcam makes class activation maps from a vision transformer that is
// imported from ONNX: CLIP's image tower by the words for the classes (CLIP-ES,
// docs/sources.md §6.1), or a classifier that was fine-tuned from it. The files give
// only the embedding, so the graph is cut at the last block: the blocks before
// run once an image, the last one with the gradient of every class.
package vitcam

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/models/backend"
	"wsss/models/foundation"
	"wsss/models/foundation/positions"
	"wsss/models/onnximport"
	"wsss/models/onnximport/onnxfile"
	"wsss/models/onnximport/vit"
	"wsss/models/shapecache"
	"wsss/models/together"
)

// Options say how maps are made.
type Options struct {
	// Output is the network's output that the maps are for: an embedding,
	// [batch, width], or logits.
	Output string
	// Texts are the embeddings of words, each of length 1: the logits are then
	// Scale · cosine with each. None: the output is the logits.
	Texts [][]float32
	Scale float32
	// Softmax maps the probability of a class among the given ones; else its
	// logit.
	Softmax bool
	// ClassToken takes the output of the class token, as the network was
	// trained; else the mean over the patches, as CLIP-ES does.
	ClassToken bool
	// Blocks is the number of last blocks whose attention is averaged; 0 means 8.
	Blocks int
	// Step is what sides are rounded up to, in pixels, a multiple of the patch;
	// 0 means the patch. A larger one makes fewer shapes to compile.
	Step int
	// Zoom resizes images before; 0 means 1.
	Zoom float64
	// MaxSide bounds the longer side, in pixels; larger images are reduced.
	// 0 means 1024.
	MaxSide int
	// MaxShapes bounds the sizes whose compiled graphs are kept; 0 means 8.
	MaxShapes int
}

const (
	defaultBlocks  = 8
	defaultMaxSide = 1024
	defaultShapes  = 8
)

// Model makes maps. It is safe for concurrent use; runs take turns, and on a GPU
// images that are asked for at a time share them.
type Model struct {
	opt       Options
	backend   compute.Backend
	tower     *vit.Tower
	positions *positions.Embedding
	hash      string

	embedder *onnximport.Model // image → stream and attention
	last     *onnximport.Model // stream → embedding
	texts    *tensors.Tensor   // [classes, width]
	classes  int

	embeds together.Runs[image.Point, *tensors.Tensor, *Image]
	cams   together.Runs[kind, query, []float32]
	one    bool // the file says that it takes one image at a time

	mu     sync.Mutex
	store  *model.Store
	shapes shapecache.Cache[image.Point, *shape]
}

// Open opens the ONNX file of a vision transformer. It is an error when its
// blocks cannot be told, or the words are not of its width.
func Open(b compute.Backend, path string, opt Options) (*Model, error) {
	m := &Model{opt: opt, backend: b, store: model.NewStore()}
	m.opt.Blocks, m.opt.MaxSide, m.opt.MaxShapes = or(opt.Blocks, defaultBlocks), or(opt.MaxSide, defaultMaxSide), or(opt.MaxShapes, defaultShapes)
	m.shapes.Limit, m.shapes.Free = backend.GraphsKept(b, m.opt.MaxShapes), (*shape).free
	m.opt.Zoom = or(opt.Zoom, 1)
	m.embeds.Size, m.embeds.Run = m.together, m.embed
	m.embeds.Free = func(im *Image) { _ = im.stream.FinalizeAll() } // the pixels are another's
	m.cams.Size, m.cams.Run = func(k kind) int { return m.together(k.grid) }, m.maps
	if err := m.open(path); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (m *Model) open(path string) error {
	f, err := onnxfile.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if m.hash, err = f.Hash(); err != nil {
		return err
	}
	if m.tower, err = vit.Find(f.Proto.Graph, m.opt.Output); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	m.opt.Step = or(m.opt.Step, m.tower.Patch)
	if m.opt.Step%m.tower.Patch != 0 {
		return fmt.Errorf("sides in steps of %d pixels: allowed are multiples of the patch, %d", m.opt.Step, m.tower.Patch)
	}
	if m.positions, err = positions.Read(m.backend, path, m.tower); err != nil {
		return err
	}
	resize := func(f *onnxfile.File) error { return m.tower.Resize(f, m.positions.Tokens()) }
	attention := m.tower.Attention[max(0, len(m.tower.Attention)-m.opt.Blocks):]
	if m.embedder, err = onnximport.Open(path, onnximport.Options{Edit: resize, Outputs: append([]string{m.tower.Stream}, attention...)}); err != nil {
		return err
	}
	cut := func(f *onnxfile.File) error {
		m.tower.Cut(f)
		return resize(f)
	}
	if m.last, err = onnximport.Open(path, onnximport.Options{Edit: cut, Outputs: []string{m.tower.Norm, m.tower.Embedding}}); err != nil {
		return err
	}
	for _, p := range m.embedder.Inputs() {
		if p.Name == m.tower.Input && len(p.Dims) > 0 && p.Dims[0] >= 0 {
			m.one = true
		}
	}
	if m.classes = len(m.opt.Texts); m.classes > 0 {
		m.texts = tensors.FromFlatDataAndDimensions(slices.Concat(m.opt.Texts...), len(m.opt.Texts), len(m.opt.Texts[0]))
		return nil
	}
	for _, o := range m.last.Outputs() {
		if o.Name == m.opt.Output && len(o.Dims) == 2 {
			m.classes = o.Dims[1]
		}
	}
	if m.classes < 1 {
		return fmt.Errorf("%s: the file does not tell how many classes %q has", path, m.opt.Output)
	}
	return nil
}

// Hash is the SHA-256 of the file.
func (m *Model) Hash() string { return m.hash }

// Close frees what the model holds.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shapes.Clear()
	for v := range m.store.IterVariables() {
		_ = v.Finalize()
	}
	var errs []error
	for _, o := range []*onnximport.Model{m.embedder, m.last} {
		if o != nil {
			errs = append(errs, o.Close())
		}
	}
	return errors.Join(errs...)
}

// Size is the size that an image of w×h pixels is resized to, each side on its
// own (docs/sources.md §6.1).
func (m *Model) Size(w, h int) (int, int) {
	zoom := min(m.opt.Zoom, float64(m.opt.MaxSide)/float64(max(w, h)))
	side := func(n int) int {
		return max(1, int(math.Ceil(math.Round(float64(n)*zoom*1e6)/1e6/float64(m.opt.Step)))) * m.opt.Step
	}
	return side(w), side(h)
}

// Image is what the blocks before the last made of an image.
type Image struct {
	W, H      int       // of the grid of patches
	Attention []float32 // [W·H, W·H]: of each patch for each, the mean over heads and the last blocks; docs/sources.md §6.2

	pixels, stream *tensors.Tensor
}

// Free releases the image's tensors at once.
func (im *Image) Free() {
	_ = im.pixels.FinalizeAll() // memory that cannot be freed now is freed later
	_ = im.stream.FinalizeAll()
}

// together is how many images of a grid a run takes.
func (m *Model) together(grid image.Point) int {
	if m.one {
		return 1
	}
	n := backend.AtOnce(m.backend, grid.X*grid.Y*m.tower.Patch*m.tower.Patch)
	if n > grid.X*grid.Y { // the axis of images could not be told from that of tokens
		return 1
	}
	return n
}

// Embed runs all but the last block. Images that are asked for at a time share runs
// where one would leave a GPU idle.
func (m *Model) Embed(ctx context.Context, img *imageproc.RGB) (*Image, error) {
	defer stages.Start(ctx, stages.Embed)()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, h := m.Size(img.W, img.H)
	pixels := make([]float32, 3*w*h)
	img.Resize(w, h, imageproc.Bicubic).Planar(imageproc.CLIPNorm, pixels, w, h)
	return m.embeds.Do(ctx, image.Pt(w/m.tower.Patch, h/m.tower.Patch), tensors.FromFlatDataAndDimensions(pixels, 1, 3, h, w))
}

// embed is a run of images of one grid.
func (m *Model) embed(_ context.Context, grid image.Point, pixels []*tensors.Tensor) ([]*Image, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.shape(grid)
	if err != nil {
		return nil, err
	}
	args := []any{s.positions}
	for _, p := range pixels {
		args = append(args, p)
	}
	out, err := s.embed.Exec(args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.embedder.Path(), err)
	}
	images := make([]*Image, len(pixels))
	for i, p := range pixels {
		images[i] = &Image{W: grid.X, H: grid.Y, pixels: p, stream: out[i]}
		images[i].Attention, _, err = foundation.Floats(map[string]*tensors.Tensor{"attention": out[len(pixels)+i]}, "attention", 2)
		if err != nil {
			return nil, err
		}
	}
	return images, nil
}

// mostClasses bounds the classes whose gradients one graph takes, and with it
// the graphs that are compiled for a size.
const mostClasses = 4

// kind is what images must share to be in one run: grid and number of classes.
type kind struct {
	grid    image.Point
	classes int
}

// query asks for maps of an image's classes: rows of target and mask.
type query struct {
	image        *Image
	target, mask *tensors.Tensor
}

// CAMs are the maps of classes, [H, W] of the image's grid each, not negative
// and not scaled: the activations after the first layer norm of the last block,
// each channel weighted by the mean over the patches of the gradient (docs/sources.md
// §6.1), negative sums cut off. among lists the classes that the probability of
// a class is relative to, beside itself; classes count from 0. Up to four
// classes share one pass through the block.
func (m *Model) CAMs(ctx context.Context, im *Image, classes, among []int) ([][]float32, error) {
	var all [][]float32
	for part := range slices.Chunk(classes, mostClasses) {
		target, mask, err := m.targets(part, among)
		if err != nil {
			return nil, err
		}
		maps, err := m.cams.Do(ctx, kind{image.Pt(im.W, im.H), len(part)}, query{im, target, mask})
		if err != nil {
			return nil, err
		}
		for k := range part {
			all = append(all, maps[k*im.W*im.H:(k+1)*im.W*im.H])
		}
	}
	return all, nil
}

// maps is a run of images of one kind: of each the maps of its classes, one behind
// the other.
func (m *Model) maps(_ context.Context, of kind, asked []query) ([][]float32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.shape(of.grid)
	if err != nil {
		return nil, err
	}
	args := []any{s.positions}
	if m.texts != nil {
		args = append(args, m.texts)
	}
	for _, q := range asked {
		args = append(args, q.image.pixels, q.image.stream, q.target, q.mask)
	}
	out, err := s.cam.Exec(args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.last.Path(), err)
	}
	all := make([][]float32, len(asked))
	for i, cam := range out {
		if all[i], _, err = foundation.Floats(map[string]*tensors.Tensor{"cam": cam}, "cam", 2); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// targets are a row for each class: target is 1 for it, mask far below 0 for
// the classes not among.
func (m *Model) targets(classes, among []int) (target, mask *tensors.Tensor, err error) {
	const never = -1e9
	t, k := make([]float32, len(classes)*m.classes), slices.Repeat([]float32{never}, len(classes)*m.classes)
	for i, class := range classes {
		for _, c := range append([]int{class}, among...) {
			if c < 0 || c >= m.classes {
				return nil, nil, fmt.Errorf("class %d: allowed are 0..%d", c, m.classes-1)
			}
			k[i*m.classes+c] = 0
		}
		t[i*m.classes+class] = 1
	}
	return tensors.FromFlatDataAndDimensions(t, len(classes), m.classes), tensors.FromFlatDataAndDimensions(k, len(classes), m.classes), nil
}
