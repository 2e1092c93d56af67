package refine

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"maps"
	"slices"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/weak/npy"
	"wsss/gen"
	"wsss/gen/affinity"
	"wsss/gen/source"
)

func init() {
	register("random-walk", "class scores spread along given affinities, as IRN and PSA do", decodeWalk, newWalk,
		func(o walkOptions) source.Options { return o.From })
}

// walkOptions are the keys of [gen.options]. With the background "constant"
// the walk is IRN's: scores are divided by their greatest value afterwards and
// compared with from.threshold, 0.25 by default. With "power" it is PSA's: the
// background walks along (docs/sources.md §11.2, §11.3). Labels walk as scores of 0
// and 1.
type walkOptions struct {
	From     source.Options `toml:"from"`
	Edges    string         `toml:"edges"`    // folder of boundary strengths 0..1: <id>.npy [h, w], or <id>.png with 255 for 1
	Features string         `toml:"features"` // folder of features, <id>.npy [channel, h, w]
	Colour   float64        `toml:"colour"`   // without either: the image's own colours, divided by this many levels; default 40, no paper's
	Stride   int            `toml:"stride"`   // image pixels per raster pixel: IRN 4 (default), PSA 8
	affinity.Options
}

type walkMethod struct {
	opts walkOptions
	from *source.Source

	// Of the methods with a network, which finds what the scores walk on.
	name   string
	found  func(ctx context.Context, s *data.Sample) (*raster, error)
	hashes map[string]string // of its file
}

func decodeWalk(table map[string]any) (walkOptions, error) {
	return gen.Decode(table, walkOptions{Colour: 40, Stride: 4, Options: affinity.IRN()}, nil)
}

func newWalk(env gen.Env, o walkOptions) (gen.Method, error) { return openWalk(env, o) }

func openWalk(env gen.Env, o walkOptions) (*walkMethod, error) {
	if o.From.Threshold == nil {
		threshold := 0.25
		o.From.Threshold = &threshold
	}
	from, err := source.Open(env, "gen.options.from", o.From)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("[gen.options] %w", err)
	}
	return &walkMethod{opts: o, from: from, name: "random-walk"}, nil
}

func (o walkOptions) check() error {
	switch {
	case o.Edges != "" && o.Features != "":
		return errors.New("edges and features: allowed is one of them")
	case !(o.Colour > 0):
		return fmt.Errorf("colour = %v: allowed are numbers > 0", o.Colour)
	case o.Stride < 1 || o.Stride > 64:
		return fmt.Errorf("stride = %d: allowed are 1..64", o.Stride)
	}
	if dir := o.Edges + o.Features; dir != "" {
		if _, err := files.Stat(dir); err != nil {
			return err
		}
	}
	return o.Options.Validate()
}

func (m *walkMethod) Weights() map[string]string {
	all := maps.Clone(m.hashes)
	if all == nil {
		return m.from.Weights()
	}
	maps.Copy(all, m.from.Weights())
	return all
}

// Learn lets the source learn (gen.Learner).
func (m *walkMethod) Learn(ctx context.Context, from gen.Lesson) error {
	return m.from.Learn(ctx, from)
}

func (m *walkMethod) InputFiles(id string) ([]string, error) {
	own, err := below(m.opts.Edges+m.opts.Features, id+".npy", id+".png")
	if err != nil {
		return nil, err
	}
	return inputFiles(id, own, m.from)
}

func (m *walkMethod) Inputs() (map[string]string, error) {
	more := folders{}
	if dir := m.opts.Edges + m.opts.Features; dir != "" {
		more[dir] = func() (string, error) {
			arrays, err1 := source.Describe(dir, ".npy")
			images, err2 := source.Describe(dir, ".png")
			return arrays + "; " + images, errors.Join(err1, err2)
		}
	}
	return inputs(more, m.from)
}

// Generate returns one mask per class of the label after the walk.
func (m *walkMethod) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	size := s.Image.Rect.Size()
	r, err := m.raster(ctx, s)
	if err != nil {
		return nil, err
	}
	scores, err := m.scores(ctx, s)
	if err != nil {
		return nil, err
	}
	power := m.from.Rule().Background == "power"
	if power {
		scores = scores.WithBackground(m.from.Rule())
	}
	scores = m.shrink(scores, r, size)
	walked := &source.Scores{W: size.X, H: size.Y, Classes: scores.Classes}
	step := 1 / float64(m.opts.Stride)
	for _, plane := range scores.Maps {
		for i, e := range r.edges {
			plane[i] *= 1 - e
		}
	}
	for _, plane := range r.graph.WalkAll(scores.Maps) {
		walked.Maps = append(walked.Maps, source.Bilinear(plane, r.w, r.h, size.X, size.Y, step, step))
	}
	if !power {
		divideByMax(walked.Maps)
	}
	label, confidence := walked.Label(m.from.Rule())
	return gen.LabelMasks(label, confidence, m.name), nil
}

// divideByMax divides all maps by the greatest value of any.
func divideByMax(maps [][]float32) {
	var top float32
	for _, m := range maps {
		top = max(top, slices.Max(m))
	}
	if top == 0 {
		return
	}
	for _, m := range maps {
		for i := range m {
			m[i] /= top
		}
	}
}

// scores are the source's at the size of its files, or its label as scores.
func (m *walkMethod) scores(ctx context.Context, s *data.Sample) (*source.Scores, error) {
	if m.from.HasScores() {
		return m.from.RawScores(ctx, s)
	}
	label, _, err := m.from.Label(ctx, s)
	if err != nil {
		return nil, err
	}
	out := &source.Scores{W: label.W, H: label.H}
	for _, class := range present(label)[1:] {
		plane := make([]float32, len(label.Pix))
		for i, v := range label.Pix {
			if int(v) == class {
				plane[i] = 1
			}
		}
		out.Classes, out.Maps = append(out.Classes, class), append(out.Maps, plane)
	}
	return out, nil
}

// shrink brings scores to the raster: as they are where they have its size
// already, else averaged over stride×stride pixels of the image, with zeros
// beyond its border (docs/sources.md §11.3). The maps are new.
func (m *walkMethod) shrink(s *source.Scores, r *raster, size image.Point) *source.Scores {
	out := &source.Scores{W: r.w, H: r.h, Classes: s.Classes}
	if s.W == r.w && s.H == r.h {
		for _, plane := range s.Maps {
			out.Maps = append(out.Maps, slices.Clone(plane))
		}
		return out
	}
	if len(s.Classes) > 0 {
		s = s.Resize(size.X, size.Y)
	}
	for _, plane := range s.Maps {
		out.Maps = append(out.Maps, pool(plane, size, r, m.opts.Stride))
	}
	return out
}

func pool(plane []float32, size image.Point, r *raster, stride int) []float32 {
	out := make([]float32, r.w*r.h)
	for i, v := range plane {
		out[i/size.X/stride*r.w+i%size.X/stride] += v
	}
	for i := range out {
		out[i] /= float32(stride * stride)
	}
	return out
}

// raster is what an image's scores walk on.
type raster struct {
	w, h  int
	edges []float32 // nil without boundaries
	graph *affinity.Graph
}

func (m *walkMethod) raster(ctx context.Context, s *data.Sample) (*raster, error) {
	switch {
	case m.found != nil:
		return m.found(ctx, s)
	case m.opts.Edges != "":
		return m.edges(s)
	case m.opts.Features != "":
		path, err := files.Join(m.opts.Features, s.ID+".npy")
		if err != nil {
			return nil, err
		}
		a, err := npy.Read(path)
		if err != nil {
			return nil, err
		}
		if len(a.Shape) != 3 {
			return nil, fmt.Errorf("%s: features of shape %v: allowed is [channel, height, width]", path, a.Shape)
		}
		r := &raster{w: a.Shape[2], h: a.Shape[1]}
		if err := m.covers(r, s.Image.Rect.Size(), path); err != nil {
			return nil, err
		}
		r.graph, err = affinity.FromFeatures(a.Float32(), a.Shape[0], r.w, r.h, m.opts.Options)
		return r, err
	}
	return m.colours(s.Image)
}

func (m *walkMethod) edges(s *data.Sample) (*raster, error) {
	path, err := files.Join(m.opts.Edges, s.ID+".npy")
	if err != nil {
		return nil, err
	}
	r := &raster{}
	a, err := npy.Read(path)
	switch {
	case err == nil:
		shape := a.Shape
		if len(shape) == 3 && shape[0] == 1 {
			shape = shape[1:]
		}
		if len(shape) != 2 {
			return nil, fmt.Errorf("%s: edges of shape %v: allowed is [height, width]", path, a.Shape)
		}
		r.w, r.h, r.edges = shape[1], shape[0], a.Float32()
	case errors.Is(err, fs.ErrNotExist):
		path = path[:len(path)-len(".npy")] + ".png"
		label, err := data.ReadLabelMap(path)
		if err != nil {
			return nil, err
		}
		r.w, r.h = label.W, label.H
		for _, v := range label.Pix {
			r.edges = append(r.edges, float32(v)/255)
		}
	default:
		return nil, err
	}
	if err := m.covers(r, s.Image.Rect.Size(), path); err != nil {
		return nil, err
	}
	r.graph, err = affinity.FromEdges(r.edges, r.w, r.h, m.opts.Options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// padding is how far a raster may go beyond the image: networks see images
// padded to a multiple of 16.
const padding = 16

// covers checks that the raster fits the image.
func (m *walkMethod) covers(r *raster, size image.Point, path string) error {
	stride := m.opts.Stride
	for _, side := range [][2]int{{r.w, size.X}, {r.h, size.Y}} {
		if over := side[0]*stride - side[1]; over < 0 || over >= max(padding, stride) {
			return fmt.Errorf("%s: %d×%d values at stride %d do not fit the image of %d×%d pixels; see stride", path, r.w, r.h, stride, size.X, size.Y)
		}
	}
	return nil
}

// colours makes a raster from the image's own colours.
func (m *walkMethod) colours(img *image.NRGBA) (*raster, error) {
	size, stride := img.Rect.Size(), m.opts.Stride
	r := &raster{w: (size.X + stride - 1) / stride, h: (size.Y + stride - 1) / stride}
	n := r.w * r.h
	features, count := make([]float32, 3*n), make([]float32, n)
	for y := range size.Y {
		for x := range size.X {
			at := y/stride*r.w + x/stride
			count[at]++
			for c := range 3 {
				features[c*n+at] += float32(img.Pix[y*img.Stride+4*x+c])
			}
		}
	}
	for i := range features {
		features[i] /= count[i%n] * float32(m.opts.Colour)
	}
	var err error
	r.graph, err = affinity.FromFeatures(features, 3, r.w, r.h, m.opts.Options)
	return r, err
}
