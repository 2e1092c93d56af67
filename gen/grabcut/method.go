package grabcut

import (
	"context"
	"fmt"
	"image"
	"sync"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/source"
)

func init() {
	gen.RegisterOf("grabcut", gen.Spec{
		Doc:  "GrabCut: colour mixtures and minimum cuts, no weights (boxes, points, scribbles; tags only as a weak guess)",
		Weak: []data.WeakKind{data.WeakBoxes, data.WeakScribbles, data.WeakPoints, data.WeakTags},
	}, gen.Of[options]{
		Decode: func(table map[string]any) (options, error) { return gen.Decode(table, defaults(), options.check) },
		New:    newGrabCut,
		Inner:  func(o options) []configs.Gen { return o.From.Inner() },
		Needs:  func(o options) gen.Needs { return o.From.Needs() },
	})
}

// method is the gen method; solvers are reused between images.
type method struct {
	env             gen.Env
	opts            options
	source.Optional // another method's labels
	solvers         sync.Pool
}

func newGrabCut(env gen.Env, opts options) (_ gen.Method, err error) {
	m := &method{env: env, opts: opts}
	switch env.Weak {
	case data.WeakBoxes, data.WeakScribbles, data.WeakPoints, data.WeakTags:
	default:
		return nil, fmt.Errorf("gen.weak = %q: grabcut works from boxes, scribbles, points or tags", env.Weak)
	}
	if opts.From.Given() {
		if m.From, err = source.Open(env, "gen.options.from", opts.From); err != nil {
			return nil, err
		}
	}
	m.solvers.New = func() any { return &Solver{Gamma: m.opts.Gamma} }
	return m, nil
}

// Generate cuts one mask per box, or one per class that has points, strokes or
// a tag. It is an error when the sample lacks that form of label.
func (m *method) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, fmt.Errorf("grabcut needs the image, and it has no pixels")
	}
	solver := m.solvers.Get().(*Solver)
	defer m.solvers.Put(solver)
	c := &cutter{ctx: ctx, opts: m.opts, seed: m.env.Seed, solver: solver, img: s.Image}
	if m.From != nil && m.labelled(s.Weak) {
		var err error
		if c.start, err = startOf(ctx, m.From, s); err != nil {
			return nil, err
		}
	}
	switch weak := s.Weak; {
	case m.env.Weak == data.WeakBoxes && weak.Boxes != nil:
		return c.boxes(weak.Boxes)
	case m.env.Weak == data.WeakPoints && weak.Points != nil:
		return c.seeds(pointSeeds(weak.Points))
	case m.env.Weak == data.WeakScribbles && weak.Scribbles != nil:
		return c.seeds(strokeSeeds(weak.Scribbles))
	case m.env.Weak == data.WeakTags && weak.Tags != nil && c.start != nil:
		return c.tagsFrom(weak.Tags)
	case m.env.Weak == data.WeakTags && weak.Tags != nil:
		return c.tags(weak.Tags)
	}
	return nil, gen.Unlabelled(m.env.Weak)
}

// labelled tells whether a sample has anything to cut out.
func (m *method) labelled(weak data.WeakLabels) bool {
	switch m.env.Weak {
	case data.WeakBoxes:
		return len(weak.Boxes) > 0
	case data.WeakPoints:
		return len(weak.Points) > 0
	case data.WeakScribbles:
		return len(weak.Scribbles) > 0
	}
	return len(weak.Tags) > 0
}

// cutter is the work on one image.
type cutter struct {
	ctx    context.Context
	opts   options
	seed   int64
	solver *Solver
	img    *image.NRGBA
	maxCut int             // see the constant, which 0 stands for
	pin    func(r *region) // settles pixels of a box; may be nil
	start  *start          // nil: no other method's labels

	last    image.Rectangle // the region that was cut last
	gaveWay bool            // a box got an ellipse instead of a cut
}

// stabilityOffset is how far, in nats, the log odds are moved to see whether
// the cut stays.
const stabilityOffset = 2

// region is one cut to make: hard labels and prior for the pixels of rect,
// row-major.
type region struct {
	rect   image.Rectangle
	trimap []uint8
	prior  []float32
}

// newRegion returns a region of definite background.
func newRegion(rect image.Rectangle) *region {
	n := rect.Dx() * rect.Dy()
	return &region{rect: rect, trimap: make([]uint8, n), prior: make([]float32, n)}
}

// cut segments the region: at a reduced size first where it is large, then at
// full size, or that of maxCut, within a band around the first border. Masks are
// W×H of the region's rect.
func (c *cutter) cut(r *region) (inside []uint8, score, stability float32, err error) {
	if err := c.ctx.Err(); err != nil {
		return nil, 0, 0, err
	}
	c.last = r.rect
	s, shrink, fine := c.solver, c.shrink(r.rect), c.fine(r.rect)
	shrink = max(shrink, fine)
	s.Load(c.img, r.rect, shrink)
	small := r
	if shrink > 1 {
		small = r.shrunk(shrink)
	}
	s.Run(small.trimap, small.prior, c.opts.Iterations, false, c.seed)
	score, stability = s.Score(), s.Stability(stabilityOffset)
	inside = append([]uint8(nil), s.Inside()...)
	if shrink == fine {
		return r.enlarged(inside, fine), score, stability, nil
	}
	if err := c.ctx.Err(); err != nil {
		return nil, 0, 0, err
	}
	last := r
	if fine > 1 {
		last = r.shrunk(fine)
	}
	band := last.band(inside, s.W, s.H, fine, shrink)
	s.Load(c.img, r.rect, fine)
	s.Run(band, last.prior, 1, true, c.seed)
	return r.enlarged(append(inside[:0], s.Inside()...), fine), score, stability, nil
}

// maxCut bounds the pixels of a region that is cut, each of which takes some
// 120 bytes. Regions with more are cut at a half, a third, … of their size, and
// the masks enlarged.
const maxCut = 1 << 22

// fine is by how much a region is reduced for the last cut, 1 unless it is
// enormous.
func (c *cutter) fine(r image.Rectangle) int {
	most := c.maxCut
	if most == 0 {
		most = maxCut
	}
	f := 1
	for ((r.Dx()+f-1)/f)*((r.Dy()+f-1)/f) > most {
		f++
	}
	return f
}

// enlarged brings a cut that was made at 1/f of the region's size to its size.
func (r *region) enlarged(inside []uint8, f int) []uint8 {
	if f == 1 {
		return inside
	}
	w, h := r.rect.Dx(), r.rect.Dy()
	blocks := (w + f - 1) / f
	out := make([]uint8, w*h)
	for y := range h {
		row := inside[y/f*blocks:]
		for x := range w {
			out[y*w+x] = row[x/f]
		}
	}
	return out
}

// shrink is by how much a region is reduced for the first cuts.
func (c *cutter) shrink(r image.Rectangle) int {
	if side := max(r.Dx(), r.Dy()); c.opts.MaxSide > 0 && side > c.opts.MaxSide {
		return (side + c.opts.MaxSide - 1) / c.opts.MaxSide
	}
	return 1
}

// shrunk is the region at 1/f of its size. A block keeps a hard label when
// most of it has it, or, for the object, when any of it has: seeds are thin.
func (r *region) shrunk(f int) *region {
	w, h := r.rect.Dx(), r.rect.Dy()
	out := newRegion(image.Rect(0, 0, (w+f-1)/f, (h+f-1)/f))
	for by := range out.rect.Dy() {
		for bx := range out.rect.Dx() {
			var count [4]int
			var prior float32
			n := 0
			for y := by * f; y < min(h, by*f+f); y++ {
				for x := bx * f; x < min(w, bx*f+f); x++ {
					count[r.trimap[y*w+x]]++
					prior += r.prior[y*w+x]
					n++
				}
			}
			i := by*out.rect.Dx() + bx
			out.prior[i] = prior / float32(n)
			switch {
			case count[Fgd] > 0:
				out.trimap[i] = Fgd
			case 2*count[Bgd] > n:
				out.trimap[i] = Bgd
			case count[ProbFgd] >= count[ProbBgd]:
				out.trimap[i] = ProbFgd
			default:
				out.trimap[i] = ProbBgd
			}
		}
	}
	return out
}

// band is the trimap for refining a cut that was made at 1/f of the size, w×h
// blocks, where the region is at 1/own itself: blocks away from its border are
// settled, the others open within the region's own hard labels.
func (r *region) band(inside []uint8, w, h, own, f int) []uint8 {
	full := r.rect.Dx()
	out := make([]uint8, len(r.trimap))
	for y := range r.rect.Dy() {
		for x := range full {
			i := y*full + x
			if t := r.trimap[i]; t == Bgd || t == Fgd {
				out[i] = t
				continue
			}
			bx, by := x*own/f, y*own/f
			out[i] = inside[by*w+bx]
			if nearBorder(inside, w, h, bx, by) {
				out[i] += 2
			}
		}
	}
	return out
}

// nearBorder tells whether the 3×3 blocks around (x, y) have both labels.
func nearBorder(inside []uint8, w, h, x, y int) bool {
	v := inside[y*w+x]
	for ny := max(0, y-1); ny <= min(h-1, y+1); ny++ {
		for nx := max(0, x-1); nx <= min(w-1, x+1); nx++ {
			if inside[ny*w+nx] != v {
				return true
			}
		}
	}
	return false
}

// mask places a region's cut into the image.
func (c *cutter) mask(r *region, inside []uint8) data.RLE {
	full := make([]uint8, c.img.Rect.Dx()*c.img.Rect.Dy())
	w := r.rect.Dx()
	for y := range r.rect.Dy() {
		to := (r.rect.Min.Y+y)*c.img.Rect.Dx() + r.rect.Min.X
		copy(full[to:to+w], inside[y*w:(y+1)*w])
	}
	return data.EncodeRLE(full, c.img.Rect.Dx(), c.img.Rect.Dy())
}
