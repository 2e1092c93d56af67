package legalise

import (
	"cmp"
	"math"
	"slices"
)

// maxOverlaps bounds the pairs of boxes that NonMaxSuppression compares.
var maxOverlaps = 1 << 30

// detections are the operands of NonMaxSuppression: boxes [images, boxes, 4] and
// scores [images, classes, boxes].
type detections struct{ images, classes, boxes int }

func detectionsOf(n *Node) detections {
	need(n, 2)
	boxes, scores := n.In[0], n.In[1]
	if boxes.Rank() != 3 || scores.Rank() != 3 || boxes.Dims[2] != 4 || boxes.Dims[0] != scores.Dims[0] || boxes.Dims[1] != scores.Dims[2] {
		failf("boxes %v and scores %v: wanted are [images, boxes, 4] and [images, classes, boxes]", boxes.Dims, scores.Dims)
	}
	if boxes.DType != Float || scores.DType != Float {
		failf("boxes of %v and scores of %v: wanted is float", boxes.DType, scores.DType)
	}
	return detections{boxes.Dims[0], scores.Dims[1], boxes.Dims[1]}
}

// mostOf is how many boxes of a class and image may be selected: none, where the
// operand is left out.
func mostOf(b *Builder, n *Node) int {
	v := n.Arg(2)
	if v == nil {
		return 0
	}
	most := b.KnownInts(v, "max_output_boxes_per_class")
	if len(most) != 1 {
		failf("max_output_boxes_per_class %v: wanted is one number", most)
	}
	return max(most[0], 0)
}

// inferNonMaxSuppression selects, of each image and class, the boxes with the
// highest scores that overlap none selected before by more than iou_threshold:
// [selected, 3] of image, class and box. As only the selection tells how long it
// is, it is made here.
func inferNonMaxSuppression(b *Builder, n *Node) []*Value {
	d := detectionsOf(n)
	most := mostOf(b, n)
	iou, least := numberOf(b, n, 3, "iou_threshold", 0), numberOf(b, n, 4, "score_threshold", math.Inf(-1))
	if !(iou >= 0 && iou <= 1) {
		failf("iou_threshold %v: allowed are numbers in [0, 1]", iou)
	}
	centred := n.Int("center_point_box", 0)
	if centred != 0 && centred != 1 {
		failf("center_point_box %d: allowed are 0 and 1", centred)
	}
	var selected []int64
	if most > 0 && d.boxes > 0 {
		boxes, scores := b.KnownFloats(n.In[0], "the boxes"), b.KnownFloats(n.In[1], "the scores")
		b.spend(len(scores))
		s := suppression{most: most, iou: float32(iou), least: least, scored: n.Arg(4) != nil}
		for image := range d.images {
			s.boxes = cornersOf(boxes[image*d.boxes*4:][:d.boxes*4], centred == 1)
			for class := range d.classes {
				for _, box := range s.selection(scores[(image*d.classes+class)*d.boxes:][:d.boxes]) {
					selected = append(selected, int64(image), int64(class), int64(box))
				}
			}
		}
	}
	v := &Value{DType: Int64, Dims: []int{len(selected) / 3, 3}, Const: &Const{Ints: selected}}
	if selected == nil {
		v.Const = emptyConst(Int64)
	}
	return []*Value{v}
}

// evalNonMaxSuppression has nothing left to do.
func evalNonMaxSuppression(*Builder, *Node, []*Value) bool { return true }

// numberOf is operand i, one number, or def where it is left out.
func numberOf(b *Builder, n *Node, i int, what string, def float64) float64 {
	v := n.Arg(i)
	if v == nil {
		return def
	}
	x := b.KnownFloats(v, what)
	if len(x) != 1 {
		failf("%s of %d numbers: wanted is one", what, len(x))
	}
	return x[0]
}

// corners are a box from its least to its largest coordinates.
type corners struct{ x0, y0, x1, y1, area float32 }

// cornersOf reads boxes: two opposite corners (y, x, y, x), in any order, or
// centre and size (x, y, width, height).
func cornersOf(v []float64, centred bool) []corners {
	out := make([]corners, len(v)/4)
	for i := range out {
		p := [4]float32{float32(v[4*i]), float32(v[4*i+1]), float32(v[4*i+2]), float32(v[4*i+3])}
		c := corners{x0: min(p[1], p[3]), x1: max(p[1], p[3]), y0: min(p[0], p[2]), y1: max(p[0], p[2])}
		if centred {
			w, h := p[2]/2, p[3]/2
			c = corners{x0: p[0] - w, x1: p[0] + w, y0: p[1] - h, y1: p[1] + h}
		}
		c.area = (c.x1 - c.x0) * (c.y1 - c.y0)
		out[i] = c
	}
	return out
}

// overlap tells whether two boxes share more than the given part of what they
// cover together. The steps are ONNX Runtime's, each rounded to float32, so that
// pairs on the threshold fall to the same side.
func (c corners) overlap(d corners, iou float32) bool {
	w, h := min(c.x1, d.x1)-max(c.x0, d.x0), min(c.y1, d.y1)-max(c.y0, d.y0)
	if !(w > 0 && h > 0) {
		return false
	}
	both := float32(w * h)
	either := float32(c.area+d.area) - both
	if !(both > 0 && c.area > 0 && d.area > 0 && either > 0) {
		return false
	}
	return both/either > iou
}

// suppression selects boxes of one image.
type suppression struct {
	boxes  []corners
	most   int
	iou    float32
	least  float64
	scored bool // only boxes with more than the least score count
	pairs  int
}

// selection lists the boxes that a class keeps, the best first; of equal scores
// the earlier box.
func (s *suppression) selection(scores []float64) []int {
	var order []int
	for i, x := range scores {
		if !s.scored || x > s.least {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scores[j], scores[i]) })
	var kept []int
	for _, i := range order {
		if len(kept) == s.most {
			break
		}
		if s.pairs += len(kept); s.pairs > maxOverlaps {
			failf("more than %d pairs of boxes to compare", maxOverlaps)
		}
		if !slices.ContainsFunc(kept, func(k int) bool { return s.boxes[i].overlap(s.boxes[k], s.iou) }) {
			kept = append(kept, i)
		}
	}
	return kept
}
