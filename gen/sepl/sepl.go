// Package sepl refines pseudo-labels with class-agnostic masks: SEPL, "Segment
// Anything Model (SAM) Enhances Pseudo Labels for Weakly Supervised Semantic
// Segmentation" (SEPL), as its released code does it (docs/sources.md §1.3), with
// the two older variants and one that does not depend on the class order.
package sepl

import (
	"fmt"
	"strings"

	"wsss/data"
)

// Variant names a selection rule.
type Variant string

// The variants. In all of them a mask S answers for class c when more than
// half of S carries the pseudo-label c; Imp2 also accepts S when it holds at
// least 85 % of the pixels of c.
const (
	MaxIoU     Variant = "max_iou"      // first rule only, no fallback
	MaxIoUImp  Variant = "max_iou_imp"  // first rule, and pixels of c under no mask stay c
	MaxIoUImp2 Variant = "max_iou_imp2" // both rules and the fallback: the released default
	// ScoreAware is Imp2 without its dependence on the class order: a mask
	// goes to the class it fits best by IoU, masks claimed by others do not
	// hide a class from its fallback, and overlaps go to the better fit.
	ScoreAware Variant = "score_aware"
)

// Variants lists the allowed values.
var Variants = []Variant{MaxIoU, MaxIoUImp, MaxIoUImp2, ScoreAware}

// Thresholds of the released code.
const (
	minPurity   = 0.5  // |P_c ∩ S| / |S|, strict
	minCoverage = 0.85 // |P_c ∩ S| / |P_c|, inclusive
)

// Refine returns the refined pseudo-label. Pixels of value 255 become
// background unless a mask covers them, as in the released code. masks have
// the label's size; numClasses counts the background.
func Refine(label *data.LabelMap, masks []data.RLE, numClasses int, variant Variant) (*data.LabelMap, error) {
	if err := label.CheckRange(numClasses); err != nil {
		return nil, err
	}
	for i, m := range masks {
		if m.W != label.W || m.H != label.H {
			return nil, fmt.Errorf("mask %d is %d×%d, the pseudo-label is %d×%d", i, m.W, m.H, label.W, label.H)
		}
	}
	r := newRefiner(label, masks, numClasses)
	switch variant {
	case MaxIoU:
		r.byClass(false, false)
	case MaxIoUImp:
		r.byClass(false, true)
	case MaxIoUImp2, "":
		r.byClass(true, true)
	case ScoreAware:
		r.byScore()
	default:
		names := make([]string, len(Variants))
		for i, v := range Variants {
			names[i] = string(v)
		}
		return nil, fmt.Errorf("sepl variant %q is unknown: allowed are %s", variant, strings.Join(names, ", "))
	}
	return r.out, nil
}

// refiner holds the overlap counts of every mask with every class.
type refiner struct {
	label   *data.LabelMap
	masks   []data.RLE
	classes int
	overlap [][]int // [mask][class] pixels
	area    []int   // [mask] pixels
	size    []int   // [class] pixels in the pseudo-label
	out     *data.LabelMap
}

func newRefiner(label *data.LabelMap, masks []data.RLE, classes int) *refiner {
	r := &refiner{
		label: label, masks: masks, classes: classes,
		overlap: make([][]int, len(masks)), area: make([]int, len(masks)), size: make([]int, classes),
		out: data.NewLabelMap(label.W, label.H),
	}
	for _, v := range label.Pix {
		if v != data.Ignore {
			r.size[v]++
		}
	}
	for i, m := range masks {
		r.overlap[i] = make([]int, classes)
		r.area[i] = m.Area()
		m.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				if v := label.At(x, y); v != data.Ignore {
					r.overlap[i][v]++
				}
			}
		})
	}
	return r
}

// fits tells whether mask i answers for class c.
func (r *refiner) fits(i, c int, coverage bool) bool {
	n := float64(r.overlap[i][c])
	return n > minPurity*float64(r.area[i]) || coverage && n >= minCoverage*float64(r.size[c])
}

// byClass is the released procedure: classes in ascending order, each claiming
// masks that no earlier class claimed and painting over earlier classes.
func (r *refiner) byClass(coverage, fallback bool) {
	seen := make([]bool, len(r.masks))
	covered := make([]uint8, len(r.label.Pix))
	for c := 1; c < r.classes; c++ {
		if r.size[c] == 0 {
			continue
		}
		clear(covered)
		for i, m := range r.masks {
			if seen[i] {
				continue
			}
			fill(m, covered, r.label.W, 1)
			if r.fits(i, c, coverage) {
				seen[i] = true
				fill(m, r.out.Pix, r.label.W, uint8(c))
			}
		}
		if fallback {
			r.keepUncovered(c, covered)
		}
	}
}

func (r *refiner) keepUncovered(c int, covered []uint8) {
	for p, v := range r.label.Pix {
		if int(v) == c && covered[p] == 0 {
			r.out.Pix[p] = uint8(c)
		}
	}
}

// byScore gives every mask to the class of highest IoU among those it fits,
// then paints by that IoU, best last.
func (r *refiner) byScore() {
	best := make([]float32, len(r.label.Pix))
	covered := make([]uint8, len(r.label.Pix))
	for i, m := range r.masks {
		fill(m, covered, r.label.W, 1)
		class, score := 0, float32(0)
		for c := 1; c < r.classes; c++ {
			if r.size[c] == 0 || !r.fits(i, c, true) {
				continue
			}
			n := r.overlap[i][c]
			if iou := float32(n) / float32(r.area[i]+r.size[c]-n); iou > score {
				class, score = c, iou
			}
		}
		if class == 0 {
			continue
		}
		m.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				if p := y*r.label.W + x; score > best[p] {
					best[p], r.out.Pix[p] = score, uint8(class)
				}
			}
		})
	}
	for c := 1; c < r.classes; c++ {
		r.keepUncovered(c, covered)
	}
}

func fill(m data.RLE, pix []uint8, width int, v uint8) {
	m.Each(func(x, y0, y1 int) {
		for y := y0; y < y1; y++ {
			pix[y*width+x] = v
		}
	})
}
