// Package owl finds objects that look like given ones: OWLv2 (Minderer et al.,
// NeurIPS 2023), asked with boxes of photos instead of words. Each patch of a
// photo gives a box, a vector that says what is in it, and how sure it is that
// something is.
package owl

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/metrics"
	"wsss/data/prob"
	"wsss/models/foundation/imageproc"
	"wsss/models/imagenet"
	"wsss/models/layers"
	"wsss/models/vit"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// Model is a network with its weights. It is safe for concurrent use.
type Model struct {
	net  *imagenet.Backbone
	side int // of the square that it sees, pixels
	grid int // patches along it
	dim  int // of a query
	hash string
	file string
}

// heads are the modules behind the tower, and the numbers of a patch that each
// gives; those of the class head are dim.
const (
	headNorm  = "layer_norm"
	headClass = "class_head.dense0"
	headShift = "class_head.logit_shift"
	headScale = "class_head.logit_scale"
	headBox   = "box_head"
	extra     = 6 // numbers of a patch behind the vector: shift, scale, box
)

// Open reads the weights of transformers' Owlv2ForObjectDetection
// (.safetensors, .pth). Errors name the file.
func Open(b compute.Backend, path string) (*Model, error) {
	if b == nil {
		return nil, fmt.Errorf("%s: OWLv2 needs a backend, and there is none", path)
	}
	m := &Model{file: path}
	var err error
	if m.hash, err = files.SHA256(path); err != nil {
		return nil, err
	}
	src, err := formats.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if err := m.open(b, src, 0); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// open builds the network; heads is their number in an attention, 0 for that of
// the published networks.
func (m *Model) open(b compute.Backend, src weights.Source, heads int) error {
	c, ok, err := vit.Detect(src)
	if err != nil {
		return err
	}
	shape, err := src.Shape(headClass + ".weight")
	if !ok || err != nil || len(shape) != 2 || !c.PreNorm {
		return fmt.Errorf("not the weights of OWLv2: wanted are CLIP's image tower (owlv2.vision_model.…) and %s.weight, as in google/owlv2-base-patch16-ensemble", headClass)
	}
	c.Heads = cmp.Or(heads, c.Heads)
	m.grid, m.side, m.dim = c.Grid, c.Grid*c.Patch, shape[0]
	build := func(scope *model.Scope, images *Node) *Node { return patches(c, m.dim, scope, images) }
	store, err := layers.NewVariables(0, c.Patch, func(scope *model.Scope, x *Node) []*Node { return []*Node{build(scope, x)} })
	if err != nil {
		return err
	}
	if _, err := vit.Load(store.RootScope(), src, c); err != nil {
		return err
	}
	m.net = imagenet.NewBackbone(b, store, imagenet.Options{Shapes: 1}, build)
	return nil
}

// patches are what each patch of normalised images [batch, height, width, 3]
// says: [batch, h, w, dim + extra].
func patches(c vit.Config, dim int, scope *model.Scope, images *Node) *Node {
	net := layers.Net{Epsilon: c.Epsilon}
	t := c.Tokens(net, scope, images)
	x := net.LayerNorm(scope, headNorm, Mul(t.Patches, Reshape(t.Class, t.Class.Shape().Dim(0), 1, 1, c.Width)))
	dense := func(module string, x *Node, out int) *Node { return net.Dense(scope, module, x, out, true, 0.02) }
	box := x
	for _, layer := range []string{".dense0", ".dense1"} {
		box = layers.GELU(dense(headBox+layer, box, c.Width))
	}
	return Concatenate([]*Node{dense(headClass, x, dim), dense(headShift, x, 1), dense(headScale, x, 1), dense(headBox+".dense2", box, 4)}, -1)
}

// Files maps the file's name to its hash, for provenance.
func (m *Model) Files() map[string]string { return map[string]string{filepath.Base(m.file): m.hash} }

// Photo is what the network says of a photo.
type Photo struct {
	w, h    int
	patches []patch
}

type patch struct {
	vector       []float32 // what it shows, of length 1
	length       float32   // that the network gave it
	shift, scale float32   // of the logits
	box          data.Box  // in pixels of the photo, perhaps beyond it
}

// grey is what photos are padded with, as the authors do.
const grey = 128

// Look runs the network on a photo: made a square by grey at the right or below,
// as the authors do, and resized.
func (m *Model) Look(ctx context.Context, img *imageproc.RGB) (*Photo, error) {
	if img.W < 1 || img.H < 1 {
		return nil, fmt.Errorf("a photo without pixels has no objects")
	}
	canvas := imageproc.NewRGB(m.side, m.side)
	for i := range canvas.Pix {
		canvas.Pix[i] = grey
	}
	scale := float64(m.side) / float64(max(img.W, img.H))
	side := func(n int) int { return min(max(int(math.Round(float64(n)*scale)), 1), m.side) }
	small := img.Resize(side(img.W), side(img.H), imageproc.Bilinear)
	pixels := make([]float32, 3*m.side*m.side)
	canvas.Interleaved(imageproc.CLIPNorm, pixels, m.side, image.Point{})
	small.Interleaved(imageproc.CLIPNorm, pixels, m.side, image.Point{})
	return m.look(ctx, pixels, img.W, img.H)
}

// look reads the network's numbers for the normalised pixels of a square that
// holds a photo of w×h.
func (m *Model) look(ctx context.Context, pixels []float32, w, h int) (*Photo, error) {
	values, gw, gh, err := m.net.Features(ctx, pixels, 1, m.side, m.side)
	if err != nil {
		return nil, err
	}
	p := &Photo{w: w, h: h, patches: make([]patch, gw*gh)}
	long := float32(max(w, h))
	for i := range p.patches {
		v := values[0][i*(m.dim+extra):][:m.dim+extra]
		q := patch{shift: v[m.dim], scale: elu(v[m.dim+1]) + 1}
		q.vector, q.length = unit(v[:m.dim])
		var b [4]float32 // centre and size, in 0..1
		for k := range b {
			at := [4]float64{float64(i%gw+1) / float64(gw), float64(i/gw+1) / float64(gh), 1 / float64(gw), 1 / float64(gh)}[k]
			b[k] = float32(1 / (1 + math.Exp(-float64(v[m.dim+2+k])-bias(at))))
		}
		q.box = data.Box{X0: (b[0] - b[2]/2) * long, Y0: (b[1] - b[3]/2) * long, X1: (b[0] + b[2]/2) * long, Y1: (b[1] + b[3]/2) * long}
		for _, n := range []float32{q.shift, q.scale, b[0] + b[1] + b[2] + b[3], q.vector[0]} {
			if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
				return nil, fmt.Errorf("the network gives what is no number at patch %d", i)
			}
		}
		p.patches[i] = q
	}
	return p, nil
}

// bias is what a box's numbers are moved by before the sigmoid: a patch's box
// starts at its place, and has its size.
func bias(at float64) float64 { return math.Log(at+1e-4) - math.Log1p(-at+1e-4) }

func elu(x float32) float32 {
	if x > 0 {
		return x
	}
	return float32(math.Expm1(float64(x)))
}

// unit is v scaled to length 1, nearly, as transformers does, and its length.
func unit(v []float32) ([]float32, float32) {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	out, length := make([]float32, len(v)), math.Sqrt(sum)+1e-6
	for i, x := range v {
		out[i] = float32(float64(x) / length)
	}
	return out, float32(length)
}

func dot(a, b []float32) (sum float32) {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

// Query is what an object looks like: a vector of length 1.
type Query []float32

// nearBest is the share of the best IoU with an object's box that a patch's box
// needs to speak for it.
const nearBest = 0.8

// Query is what the object in a box looks like. Of the patches whose boxes fit
// it about best, only one was trained to speak for it: the one that differs most
// from the photo's mean, as the authors choose it. It is nil where no patch's
// box meets the box.
func (p *Photo) Query(box data.Box) Query {
	fits, best := make([]float32, len(p.patches)), float32(0)
	mean := make([]float32, len(p.patches[0].vector))
	for i, q := range p.patches {
		fits[i] = float32(metrics.BoxIoU(q.box, box))
		best = max(best, fits[i])
		for c, v := range q.vector {
			mean[c] += v * q.length / float32(len(p.patches))
		}
	}
	if best == 0 {
		return nil
	}
	at, least := -1, float32(0)
	for i, q := range p.patches {
		if fits[i] < nearBest*best {
			continue
		}
		if s := dot(mean, q.vector) * q.length; at < 0 || s < least {
			at, least = i, s
		}
	}
	return p.patches[at].vector
}

// Detection is an object that was found.
type Detection struct {
	Box   data.Box // of the query's class, inside the photo
	Score float32  // in 0..1
	Query int      // that it looks most like
}

// Find lists the objects that look like one of the queries with at least a score
// of least, the best first; classes are those of the queries. A patch speaks for
// the query that it looks most like. Several patches may have found one object.
func (p *Photo) Find(queries []Query, classes []int, least float64) []Detection {
	if len(queries) == 0 {
		return nil
	}
	var list []Detection
	for _, q := range p.patches {
		at, logit := q.nearest(queries)
		score := prob.Sigmoid(logit)
		box := q.box
		box.X0, box.Y0 = max(box.X0, 0), max(box.Y0, 0)
		box.X1, box.Y1 = min(box.X1, float32(p.w)), min(box.Y1, float32(p.h))
		if float64(score) < least || box.X1-box.X0 < 1 || box.Y1-box.Y0 < 1 {
			continue
		}
		box.Class = classes[at]
		list = append(list, Detection{box, score, at})
	}
	slices.SortStableFunc(list, func(a, b Detection) int { return cmp.Compare(b.Score, a.Score) })
	return list
}

// nearest is the query that a patch looks most like, and the logit that it does.
func (q patch) nearest(queries []Query) (at int, logit float32) {
	best := float32(math.Inf(-1))
	for k, v := range queries {
		if s := dot(q.vector, v); s > best {
			best, at = s, k
		}
	}
	return at, (best + q.shift) * q.scale
}
