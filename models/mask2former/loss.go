package mask2former

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data"
	"wsss/models"
	"wsss/models/layers"
)

// Learn is models.Learner's: the loss of all predictions, each matched with the
// masks of the classes of its image. Pixels that nobody knows are left out of
// masks, and images without a labelled pixel altogether.
func (n *network) Learn(scope *model.Scope, l models.Lesson) *Node {
	all := n.predict(n.net(true), scope, l.Images)
	p := n.draw(scope, l.Images.Graph(), len(all)*l.Images.Shape().Dim(0), l.Present.Shape().Dim(1))
	terms := n.terms(all, l, p)
	return Add(Add(ReduceAllSum(terms.class), ReduceAllSum(terms.mask)), ReduceAllSum(terms.dice))
}

// Places is models.Learner's: train.mask2former.objects, or twice, four times …
// as many.
func (n *network) Places(most int) int {
	places := n.Objects
	for places < most {
		places *= 2
	}
	return min(places, n.classes)
}

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
	q.truth, q.classWeights = n.newTruth(l, q.layers), l.ClassWeights
	q.acts = n.noise.acts(l, q.which)
	if l.Judge != nil {
		q.judge(all[len(all)-1], l)
	}
	matching := q.match(q.costs(p.match))
	mask, dice := q.maskLoss(matching, p.masks)
	return terms{MulScalar(q.classLoss(matching), n.ClassWeight), MulScalar(mask, n.MaskWeight), MulScalar(dice, n.DiceWeight), matching}
}

// dear is what it costs to leave an object without a query: more than any query.
const dear = 1 << 14

// match gives each object a query of its own, [predictions, objects, queries]. Of
// more objects than queries some have none: those whose masks cost the most.
func (q *question) match(cost *Node) *Node {
	k := q.places()
	if spare := k - q.Queries; spare > 0 {
		none := BroadcastToDims(InsertAxes(MulScalar(q.present, dear), -1), q.predictions(), k, spare)
		cost = Concatenate([]*Node{MinScalar(cost, dear), none}, 2)
	}
	matching := Slice(match(cost), AxisRange(), AxisRange(), AxisRange(0, q.Queries))
	return Mul(matching, InsertAxes(q.present, -1))
}

// judge tells what the network thinks of each class, at the size of its masks.
func (q *question) judge(last prediction, l models.Lesson) {
	g, batch := last.masks.Graph(), q.batch
	var at []int32 // of all pixels, those in the middle of the masks'
	for image := range batch {
		for y := range q.h {
			row := (image*q.height + (2*y+1)*q.height/(2*q.h)) * q.width
			for x := range q.w {
				at = append(at, int32(row+(2*x+1)*q.width/(2*q.w)))
			}
		}
	}
	labels := ConvertDType(Reshape(l.Labels, -1, 1), dtypes.Float32)
	labels = Gather(labels, ConstTensor(g, tensors.FromFlatDataAndDimensions(at, len(at), 1)))
	masks := Sigmoid(Reshape(StopGradient(last.masks), batch, q.h*q.w, q.Queries))
	scores := DotGeneral(masks, []int{2}, []int{0}, q.known(layers.SoftmaxLast(StopGradient(last.classes))), []int{1}, []int{0})
	l.Judge(Reshape(scores, batch, q.h, q.w, q.network.classes), ConvertDType(Reshape(labels, batch, q.h, q.w), dtypes.Uint8))
}

// known leaves out the last of the classes, no object.
func (n *network) known(classes *Node) *Node {
	return Slice(classes, AxisRange(), AxisRange(), AxisRange(0, n.classes))
}

// question is what the queries are asked, for all predictions at once: those of a
// layer follow each other, one per image.
type question struct {
	*network
	truth
	layers, batch, h, w int
	classes             *Node     // [predictions, queries, classes+1]
	masks               *Node     // [predictions, h·w, queries]
	classWeights        []float64 // of each class in the means; nil = 1
	acts                *Node     // where the options against wrong labels do: a scalar, or for each object [predictions, objects, 1]
}

func (q *question) predictions() int { return q.layers * q.batch }

// places are those of the objects of an image.
func (q *question) places() int { return q.number.Shape().Dim(1) }

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
	class := DotGeneral(q.which, []int{2}, []int{0}, q.known(layers.SoftmaxLast(StopGradient(q.classes))), []int{2}, []int{0})
	cost := Sub(Add(MulScalar(mask, q.MaskWeight), MulScalar(dice, q.DiceWeight)), MulScalar(class, q.ClassWeight))
	return StopGradient(Mul(cost, InsertAxes(q.present, -1)))
}

// classLoss is the cross-entropy of the queries' classes, for each layer.
func (q *question) classLoss(matching *Node) *Node {
	z, sum := layers.LogSumExp(q.classes)
	known := DotGeneral(matching, []int{1}, []int{0}, q.which, []int{1}, []int{0}) // [predictions, queries, classes]
	some := layers.SumLast(known)
	wanted := StopGradient(Concatenate([]*Node{known, OneMinus(some)}, -1))
	cost := Sub(InsertAxes(sum, -1), layers.SumLast(Mul(z, wanted)))
	weight := Add(q.weighted(known, some), MulScalar(OneMinus(some), q.NoObject))
	weight = Mul(weight, Reshape(ReduceMax(q.present, 1), q.predictions(), 1, 1))
	perLayer := func(x *Node) *Node { return layers.SumLast(Reshape(x, q.layers, q.batch*q.Queries)) }
	return Div(perLayer(Mul(StopGradient(weight), cost)), StopGradient(MaxScalar(perLayer(weight), 1e-6)))
}

// maskLoss is the binary cross-entropy and the dice loss of the matched masks,
// for each layer.
func (q *question) maskLoss(matching, at *Node) (mask, dice *Node) {
	g, d, k := at.Graph(), q.predictions(), q.places()
	own := DotGeneral(matching, []int{2}, []int{0}, q.masks, []int{2}, []int{0}) // [predictions, objects, h·w]
	own = quadTable(Reshape(own, d*k, q.h, q.w), 0)
	logits := newQuads(at, q.h, q.w, starts(g, d*k, 1, 1, d, k, 1)).bilinear(own)
	truth, weight := q.sample(at, true)
	if drawn, uncertain, _ := q.counts(); drawn > 0 {
		first := chosen(Abs(Slice(logits, AxisRange(), AxisRange(), AxisRange(0, drawn))), uncertain)
		first = Mul(first, Slice(weight, AxisRange(), AxisRange(), AxisRange(0, drawn)))
		weight = Concatenate([]*Node{first, Slice(weight, AxisRange(), AxisRange(), AxisRangeToEnd(drawn))}, -1)
	}
	truth = q.noise.believed(truth, logits, q.acts)
	cost := q.noise.bounded(Sub(softplus(logits), Mul(logits, truth)), q.acts)
	sure := Sigmoid(logits)
	sum := func(x *Node) *Node { return layers.SumLast(Mul(x, weight)) }
	mask = Div(sum(cost), MaxScalar(layers.SumLast(weight), 1e-6))
	dice = OneMinus(Div(AddScalar(MulScalar(sum(Mul(sure, truth)), 2), 1), AddScalar(Add(sum(sure), sum(truth)), 1)))
	matched, count, least := ReduceMax(matching, 2), q.present, 1.0
	if q.classWeights != nil {
		count, least = q.weighted(q.which, q.present), 1e-6
		matched = Mul(matched, count)
	}
	perLayer := func(x *Node) *Node {
		x = Mul(Reshape(x, q.layers, q.batch*k), Reshape(matched, q.layers, q.batch*k))
		return Div(layers.SumLast(x), MaxScalar(layers.SumLast(Reshape(count, q.layers, q.batch*k)), least))
	}
	return perLayer(mask), perLayer(dice)
}

// weighted is the weight of what has the classes of, [predictions, n, classes], of
// which at most one is 1, in the shape of one, their sum; where none are given it is one.
func (q *question) weighted(of, one *Node) *Node {
	if q.classWeights == nil {
		return one
	}
	s := of.Shape()
	weights := Reshape(ConvertDType(Const(of.Graph(), q.classWeights), of.DType()), 1, 1, len(q.classWeights))
	sum := layers.SumLast(Mul(of, BroadcastToDims(weights, s.Dimensions...)))
	return StopGradient(Reshape(sum, one.Shape().Dimensions...))
}

// softplus is log(1 + exp(x)).
func softplus(x *Node) *Node {
	return layers.WithGradient([]*Node{x}, func(in []*Node) *Node {
		return Add(MaxScalar(in[0], 0), Log(AddScalar(Exp(Neg(Abs(in[0]))), 1)))
	}, func(_, dy *Node) []*Node { return []*Node{Mul(dy, Sigmoid(x))} })
}

// truth is what the labels of a batch say, repeated for every prediction.
type truth struct {
	height, width int
	batch, times  int
	labels        *Node // of all pixels, a quadTable
	doubt         *Node // 1 less the weight of a pixel, 1 where nobody knows; likewise
	which         *Node // 1 at the class of each object, [predictions, objects, classes]
	number        *Node // the class of each object, −1 for none, [predictions, objects]
	present       *Node // 1 for objects, 0 for none, [predictions, objects]
}

// newTruth takes the classes of each image from the lesson.
func (n *network) newTruth(l models.Lesson, times int) truth {
	g, d := l.Labels.Graph(), l.Labels.Shape().Dimensions
	t := truth{height: d[1], width: d[2], batch: d[0], times: times}
	labels := ConvertDType(l.Labels, dtypes.Float32)
	doubt := ConvertDType(Equal(l.Labels, Scalar(g, dtypes.Uint8, data.Ignore)), dtypes.Float32)
	if l.Weights != nil {
		doubt = OneMinus(Mul(OneMinus(doubt), l.Weights))
	}
	t.labels, t.doubt = quadTable(labels, data.Ignore), quadTable(doubt, 0)
	k := l.Present.Shape().Dim(1)
	number := ConvertDType(l.Present, dtypes.Float32)
	which := Equal(BroadcastToDims(InsertAxes(number, -1), d[0], k, n.classes), BroadcastToDims(Iota(g, shapes.Make(dtypes.Float32, 1, 1, n.classes), 2), d[0], k, n.classes))
	every := func(x *Node) *Node { // for each layer
		dims := x.Shape().Dimensions
		x = BroadcastToDims(InsertAxes(x, 0), append([]int{times}, dims...)...)
		return StopGradient(Reshape(x, append([]int{times * dims[0]}, dims[1:]...)...))
	}
	t.which = every(ConvertDType(which, dtypes.Float32))
	t.number = every(number)
	t.present = Reshape(layers.SumLast(t.which), times*d[0], k)
	return t
}

// sample is what the labels say at points, [predictions, objects, points]: how
// much of each is the object's, and its weight, that of an axis of size 1 where
// all objects have the same points [2, predictions, points].
func (t truth) sample(at *Node, apart bool) (share, weight *Node) {
	if !apart {
		at = InsertAxes(at, 2)
	}
	d, k := t.times*t.batch, t.number.Shape().Dim(1)
	q := newQuads(at, t.height, t.width, starts(at.Graph(), t.batch, 1, t.times, d, 1, 1))
	dims := []int{4, d, k, at.Shape().Dim(3)}
	number := BroadcastToDims(Reshape(t.number, 1, d, k, 1), dims...)
	hit := ConvertDType(Equal(BroadcastToDims(q.pixels(t.labels), dims...), number), dtypes.Float32)
	return StopGradient(q.sum(hit)), StopGradient(OneMinus(q.bilinear(t.doubt)))
}
