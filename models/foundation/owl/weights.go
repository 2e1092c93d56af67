package owl

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/imagenet"
	"wsss/models/layers"
	"wsss/models/vit"
	"wsss/models/weights"
	"wsss/models/weights/formats"
)

// fromWeights is the network built here.
type fromWeights struct {
	net     *imagenet.Backbone
	pixels  int // a side of the square
	patches int // along it
	dim     int // of a vector
}

func (t *fromWeights) side() int { return t.pixels }
func (t *fromWeights) grid() int { return t.patches }

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

func openWeights(b compute.Backend, path string) (tower, error) {
	src, err := formats.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return newWeights(b, src, 0)
}

// newWeights builds the network; heads is their number in an attention, 0 for that of
// the published networks.
func newWeights(b compute.Backend, src weights.Source, heads int) (tower, error) {
	c, ok, err := vit.Detect(src)
	if err != nil {
		return nil, err
	}
	shape, err := src.Shape(headClass + ".weight")
	if !ok || err != nil || len(shape) != 2 || !c.PreNorm {
		return nil, fmt.Errorf("not the weights of OWLv2: wanted are CLIP's image tower (owlv2.vision_model.…) and %s.weight, as in google/owlv2-base-patch16-ensemble", headClass)
	}
	c.Heads = cmp.Or(heads, c.Heads)
	t := &fromWeights{patches: c.Grid, pixels: c.Grid * c.Patch, dim: shape[0]}
	build := func(scope *model.Scope, images *Node) *Node { return patches(c, t.dim, scope, images) }
	store, err := layers.NewVariables(0, c.Patch, func(scope *model.Scope, x *Node) []*Node { return []*Node{build(scope, x)} })
	if err != nil {
		return nil, err
	}
	if _, err := vit.Load(store.RootScope(), src, c); err != nil {
		return nil, err
	}
	t.net = imagenet.NewBackbone(b, store, imagenet.Options{Shapes: 1}, build)
	return t, nil
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

// see runs the network, and gives each patch's box its place: it starts where the
// patch is.
func (t *fromWeights) see(ctx context.Context, pixels []float32) (s seen, err error) {
	values, gw, gh, err := t.net.Features(ctx, pixels, 1, t.pixels, t.pixels)
	if err != nil {
		return s, err
	}
	for i := range gw * gh {
		v := values[0][i*(t.dim+extra):][:t.dim+extra]
		s.vectors = append(s.vectors, v[:t.dim]...)
		s.shifts, s.scales = append(s.shifts, v[t.dim]), append(s.scales, elu(v[t.dim+1])+1)
		for k, at := range [4]float64{float64(i%gw+1) / float64(gw), float64(i/gw+1) / float64(gh), 1 / float64(gw), 1 / float64(gh)} {
			s.boxes = append(s.boxes, float32(1/(1+math.Exp(-float64(v[t.dim+2+k])-bias(at)))))
		}
	}
	return s, nil
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
