package mask2former

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/data"
	"wsss/models"
	"wsss/models/layers"
)

// Learn is models.Learner's: the loss of all predictions, each matched with the
// masks of the classes of its image. Pixels that nobody knows are left out of
// masks, and images without a labelled pixel altogether.
func (n *network) Learn(scope *model.Scope, l models.Lesson) *Node {
	all := n.predict(n.net(true), scope, l.Images)
	p := n.draw(scope, l.Images.Graph(), len(all)*l.Images.Shape().Dim(0), n.objects())
	terms := n.terms(all, l, p)
	return Add(Add(ReduceAllSum(terms.class), ReduceAllSum(terms.mask)), ReduceAllSum(terms.dice))
}

// objects is how many masks an image may have.
func (n *network) objects() int { return min(n.Objects, n.classes, n.Queries) }

// terms are the weighted parts of the loss, one per prediction, and which query
// has which mask, [predictions·batch, objects, queries].
type terms struct{ class, mask, dice, matching *Node }

// terms compares predictions with labels.
func (n *network) terms(all []prediction, l models.Lesson, p points) terms {
	var classes, masks []*Node
	for _, one := range all {
		classes, masks = append(classes, one.classes), append(masks, one.masks)
	}
	s := all[0].masks.Shape()
	q := &question{network: n, layers: len(all), batch: s.Dim(0), h: s.Dim(1), w: s.Dim(2)}
	q.classes = Concatenate(classes, 0)
	q.masks = Reshape(Concatenate(masks, 0), q.layers*q.batch, q.h*q.w, n.Queries)
	q.truth = n.newTruth(l, q.layers)
	q.update = l.Update
	matching := Mul(match(q.costs(p.match)), InsertAxes(q.present, -1))
	mask, dice := q.maskLoss(matching, p.masks)
	return terms{MulScalar(q.classLoss(matching), n.ClassWeight), MulScalar(mask, n.MaskWeight), MulScalar(dice, n.DiceWeight), matching}
}

// question is what the queries are asked, for all predictions at once: those of a
// layer follow each other, one per image.
type question struct {
	*network
	truth
	layers, batch, h, w int
	classes             *Node // [predictions, queries, classes+1]
	masks               *Node // [predictions, h·w, queries]
	update              *Node
}

func (q *question) predictions() int { return q.layers * q.batch }

// costs are those of giving each object a query, [predictions, objects, queries];
// 0 for objects that are none.
func (q *question) costs(at *Node) *Node {
	g := at.Graph()
	truth, weight := q.sample(at, false)
	logits := newSampler(at, q.h, q.w, starts(g, q.predictions(), q.h*q.w, 1, q.predictions(), 1)).bilinear(Reshape(StopGradient(q.masks), -1, q.Queries))
	known := Mul(truth, weight)   // [predictions, objects, points]
	each := func(x *Node) *Node { // the sum over points, for each query
		return DotGeneral(weight, []int{2}, []int{0}, x, []int{1}, []int{0})
	}
	pair := func(x *Node) *Node { return DotGeneral(known, []int{2}, []int{0}, x, []int{1}, []int{0}) }
	count := MaxScalar(layers.SumLast(weight), 1e-6)
	mask := Div(Sub(each(softplus(logits)), pair(logits)), count)
	sure := Sigmoid(logits)
	dice := OneMinus(Div(AddScalar(MulScalar(pair(sure), 2), 1), AddScalar(Add(each(sure), layers.SumLast(known)), 1)))
	class := DotGeneral(q.which, []int{2}, []int{0}, Slice(layers.SoftmaxLast(StopGradient(q.classes)), AxisRange(), AxisRange(), AxisRange(0, q.network.classes)), []int{2}, []int{0})
	cost := Sub(Add(MulScalar(mask, q.MaskWeight), MulScalar(dice, q.DiceWeight)), MulScalar(class, q.ClassWeight))
	return StopGradient(Mul(cost, InsertAxes(q.present, -1)))
}

// classLoss is the cross-entropy of the queries' classes, for each layer.
func (q *question) classLoss(matching *Node) *Node {
	z := Sub(q.classes, StopGradient(ReduceAndKeep(q.classes, ReduceMax, -1)))
	wanted := DotGeneral(matching, []int{1}, []int{0}, q.which, []int{1}, []int{0}) // [predictions, queries, classes]
	some := layers.SumLast(wanted)
	wanted = StopGradient(Concatenate([]*Node{wanted, OneMinus(some)}, -1))
	cost := Sub(Log(layers.SumLast(Exp(z))), layers.SumLast(Mul(z, wanted)))
	weight := Add(some, MulScalar(OneMinus(some), q.NoObject))
	weight = Mul(weight, Reshape(ReduceMax(q.present, 1), q.predictions(), 1, 1))
	perLayer := func(x *Node) *Node { return layers.SumLast(Reshape(x, q.layers, q.batch*q.Queries)) }
	return Div(perLayer(Mul(StopGradient(weight), cost)), StopGradient(MaxScalar(perLayer(weight), 1e-6)))
}

// maskLoss is the binary cross-entropy and the dice loss of the matched masks,
// for each layer.
func (q *question) maskLoss(matching, at *Node) (mask, dice *Node) {
	g, d, k := at.Graph(), q.predictions(), q.objects()
	own := DotGeneral(matching, []int{2}, []int{0}, q.masks, []int{2}, []int{0}) // [predictions, objects, h·w]
	s := newSampler(at, q.h, q.w, starts(g, d*k, q.h*q.w, 1, d, k, 1))
	logits := Reshape(s.bilinear(Reshape(own, -1, 1)), d, k, -1)
	truth, weight := q.sample(at, true)
	if drawn, uncertain, _ := q.counts(); drawn > 0 {
		first := chosen(Abs(Slice(logits, AxisRange(), AxisRange(), AxisRange(0, drawn))), uncertain)
		first = Mul(first, Slice(weight, AxisRange(), AxisRange(), AxisRange(0, drawn)))
		weight = Concatenate([]*Node{first, Slice(weight, AxisRange(), AxisRange(), AxisRangeToEnd(drawn))}, -1)
	}
	truth = q.noise.believed(truth, logits, q.update)
	cost := q.noise.bounded(Sub(softplus(logits), Mul(logits, truth)), q.update)
	sure := Sigmoid(logits)
	sum := func(x *Node) *Node { return layers.SumLast(Mul(x, weight)) }
	mask = Div(sum(cost), MaxScalar(layers.SumLast(weight), 1e-6))
	dice = OneMinus(Div(AddScalar(MulScalar(sum(Mul(sure, truth)), 2), 1), AddScalar(Add(sum(sure), sum(truth)), 1)))
	perLayer := func(x *Node) *Node {
		x = Mul(Reshape(x, q.layers, q.batch*k), Reshape(q.present, q.layers, q.batch*k))
		return Div(layers.SumLast(x), MaxScalar(layers.SumLast(Reshape(q.present, q.layers, q.batch*k)), 1))
	}
	return perLayer(mask), perLayer(dice)
}

// softplus is log(1 + exp(x)).
func softplus(x *Node) *Node {
	return layers.WithGradient([]*Node{x}, func(in []*Node) *Node {
		return Add(MaxScalar(in[0], 0), Log1P(Exp(Neg(Abs(in[0])))))
	}, func(_, dy *Node) []*Node { return []*Node{Mul(dy, Sigmoid(x))} })
}

// truth is what the labels of a batch say, repeated for every prediction.
type truth struct {
	height, width int
	batch, times  int
	labels        *Node // of all pixels, [batch·height·width, 1] float32
	doubt         *Node // 1 less the weight of a pixel, 1 where nobody knows; the same shape
	which         *Node // 1 at the class of each object, [predictions, objects, classes]
	number        *Node // the class of each object, −1 for none, [predictions, objects]
	present       *Node // 1 for objects, 0 for none, [predictions, objects]
}

// newTruth finds the classes of each image, the largest ones first.
func (n *network) newTruth(l models.Lesson, times int) truth {
	g, d := l.Labels.Graph(), l.Labels.Shape().Dimensions
	t := truth{height: d[1], width: d[2], batch: d[0], times: times}
	labels := ConvertDType(l.Labels, dtypes.Float32)
	doubt := ConvertDType(Equal(l.Labels, Scalar(g, dtypes.Uint8, data.Ignore)), dtypes.Float32)
	if l.Weights != nil {
		doubt = OneMinus(Mul(OneMinus(doubt), l.Weights))
	}
	t.labels, t.doubt = Reshape(labels, -1, 1), Reshape(doubt, -1, 1)
	rows := Reshape(labels, d[0], d[1]*d[2])
	areas := make([]*Node, n.classes)
	for c := range areas {
		areas[c] = layers.SumLast(ConvertDType(Equal(rows, Scalar(g, dtypes.Float32, c)), dtypes.Float32))
	}
	area := Concatenate(areas, 1) // [batch, classes]
	// How many classes are larger, of equal ones those before.
	square := shapes.Make(dtypes.Float32, 1, n.classes, n.classes)
	before := MulScalar(ConvertDType(LessThan(Iota(g, square, 2), Iota(g, square, 1)), dtypes.Float32), 0.5)
	larger := GreaterThan(Add(InsertAxes(area, 1), before), InsertAxes(area, 2))
	rank := layers.SumLast(ConvertDType(larger, dtypes.Float32)) // [batch, classes, 1]
	k := n.objects()
	which := Equal(BroadcastToDims(TransposeAllAxes(rank, 0, 2, 1), d[0], k, n.classes), BroadcastToDims(Iota(g, shapes.Make(dtypes.Float32, 1, k, 1), 1), d[0], k, n.classes))
	which = LogicalAnd(which, BroadcastToDims(InsertAxes(GreaterThan(area, ScalarZero(g, dtypes.Float32)), 1), d[0], k, n.classes))
	every := func(x *Node) *Node { // for each layer
		dims := x.Shape().Dimensions
		x = BroadcastToDims(InsertAxes(x, 0), append([]int{times}, dims...)...)
		return StopGradient(Reshape(x, append([]int{times * dims[0]}, dims[1:]...)...))
	}
	t.which = every(ConvertDType(which, dtypes.Float32))
	t.present = Reshape(layers.SumLast(t.which), times*d[0], k)
	next := Mul(t.which, Iota(g, shapes.Make(dtypes.Float32, 1, 1, n.classes), 2))
	t.number = Sub(Reshape(layers.SumLast(next), times*d[0], k), OneMinus(t.present))
	return t
}

// sample is what the labels say at points, [predictions, objects, points]: how
// much of each is the object's, and its weight, that of an axis of size 1 where
// all objects have the same points [predictions, points, 2].
func (t truth) sample(at *Node, apart bool) (share, weight *Node) {
	g, d := at.Graph(), t.times*t.batch
	first := starts(g, t.batch, t.height*t.width, t.times, d, 1, 1)
	if !apart {
		at = InsertAxes(at, 1)
	}
	s := newSampler(at, t.height, t.width, first)
	k := t.number.Shape().Dim(1)
	dims := []int{d, k, at.Shape().Dim(2)}
	number := BroadcastToDims(InsertAxes(t.number, -1), dims...)
	for i, index := range s.index {
		label := Reshape(Gather(t.labels, Reshape(index, index.Shape().Size(), 1)), index.Shape().Dimensions...)
		hit := ConvertDType(Equal(BroadcastToDims(label, dims...), number), dtypes.Float32)
		hit = Mul(hit, s.weight[i])
		if i == 0 {
			share = hit
		} else {
			share = Add(share, hit)
		}
	}
	doubt := Reshape(s.bilinear(t.doubt), at.Shape().Dimensions[:3]...)
	return StopGradient(share), StopGradient(OneMinus(doubt))
}

// noise is what makes the masks' loss robust against wrong labels, as of
// train.noise for other networks: of the points at which masks are compared.
type noise struct{ bootstrap, clip, warmup float64 }

func newNoise(t configs.Train) noise {
	return noise{t.Bootstrap, t.LossClip, math.Floor(t.NoiseWarmup * float64(t.Iterations))}
}

// believed blends the truth with the network's own opinion.
func (o noise) believed(truth, logits, update *Node) *Node {
	if o.bootstrap == 0 {
		return truth
	}
	own := ConvertDType(GreaterThan(StopGradient(logits), ScalarZero(logits.Graph(), logits.DType())), truth.DType())
	return Add(truth, Mul(o.once(update, o.bootstrap, 0), Sub(own, truth)))
}

// bounded leaves out the gradient of points of a higher loss.
func (o noise) bounded(cost, update *Node) *Node {
	if o.clip == 0 {
		return cost
	}
	return Min(cost, o.once(update, o.clip, math.MaxFloat32))
}

// once is a value after the warm-up, and another before.
func (o noise) once(update *Node, v, before float64) *Node {
	g := update.Graph()
	return Where(GreaterThan(update, Scalar(g, update.DType(), o.warmup)), Scalar(g, dtypes.Float32, v), Scalar(g, dtypes.Float32, before))
}
