package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"wsss/data"
)

// TrueBox is an annotated box. Area is what COCO sorts sizes by, the area of
// the object's mask in pixels; 0 = the box's own area.
type TrueBox struct {
	data.Box
	Area float64
}

// FoundBox is a detection.
type FoundBox struct {
	data.Box
	Score float64
}

// COCO's settings.
const (
	maxDetections  = 100
	recallPoints   = 101
	iouThresholds  = 10 // 0.5, 0.55 … 0.95
	lowestIoU      = 0.5
	highestIoU     = 0.95
	vocOverlap     = 0.5
	largestArea    = 1e10
	almostOne      = 1 - 1e-10
	machineEpsilon = 1.0 / (1 << 52) // keeps 0/0 precision at 0, as NumPy's spacing(1) does
)

// areaRanges are COCO's: all, small, medium, large; inclusive.
var areaRanges = [4][2]float64{{0, largestArea}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, largestArea}}

// Detection accumulates box detections of a set of images and scores them as
// COCO does (maximum 100 detections per image and class, 101 recall points,
// crowds ignored) and as VOC does (overlap 0.5, difficult boxes ignored,
// docs/sources.md §10). Images must be added in a fixed order for equal scores to be
// ranked the same each time. It is not safe for concurrent use.
type Detection struct {
	classes []detClass
}

// detClass is what is kept of one class: a few bytes per detection.
type detClass struct {
	positives [len(areaRanges)]int
	found     [len(areaRanges)][]outcome
	voc       Ranking
}

// outcome of one detection at every IoU threshold, one bit each.
type outcome struct {
	score            float64
	matched, ignored uint16
	rank             uint8 // within its image
}

// NewDetection returns an empty accumulator for C classes, background (class
// 0) included; it has no boxes and enters no mean.
func NewDetection(classes int) (*Detection, error) {
	if classes < 1 || classes > data.MaxClasses {
		return nil, fmt.Errorf("detections of %d classes: allowed are 1..%d", classes, data.MaxClasses)
	}
	return &Detection{make([]detClass, classes)}, nil
}

// Add counts one image. The error names a class outside the table.
func (d *Detection) Add(truth []TrueBox, found []FoundBox) error {
	for _, b := range truth {
		if b.Class < 0 || b.Class >= len(d.classes) {
			return fmt.Errorf("box of class %d: allowed are 0..%d", b.Class, len(d.classes)-1)
		}
	}
	for _, b := range found {
		if b.Class < 0 || b.Class >= len(d.classes) || math.IsNaN(b.Score) {
			return fmt.Errorf("detection of class %d with score %g: allowed are classes 0..%d and numbers", b.Class, b.Score, len(d.classes)-1)
		}
	}
	for c := range d.classes {
		var t []TrueBox
		var f []FoundBox
		for _, b := range truth {
			if b.Class == c {
				if b.Area == 0 {
					b.Area = area(b.Box)
				}
				t = append(t, b)
			}
		}
		for _, b := range found {
			if b.Class == c {
				f = append(f, b)
			}
		}
		if len(t)+len(f) == 0 {
			continue
		}
		slices.SortStableFunc(f, func(a, b FoundBox) int { return cmp.Compare(b.Score, a.Score) })
		d.classes[c].addVOC(t, f)
		f = f[:min(len(f), maxDetections)]
		for a := range areaRanges {
			d.classes[c].addCOCO(a, t, f)
		}
	}
	return nil
}

func area(b data.Box) float64 {
	return (float64(b.X1) - float64(b.X0)) * (float64(b.Y1) - float64(b.Y0))
}

// BoxIoU is the IoU of a detection with a true box; with a crowd it is the
// share of the detection that lies inside.
func BoxIoU(found, truth data.Box) float64 {
	w := min(float64(found.X1), float64(truth.X1)) - max(float64(found.X0), float64(truth.X0))
	h := min(float64(found.Y1), float64(truth.Y1)) - max(float64(found.Y0), float64(truth.Y0))
	if w <= 0 || h <= 0 {
		return 0
	}
	union := area(found)
	if !truth.Crowd {
		union += area(truth) - w*h
	}
	return w * h / union
}

// addCOCO matches the detections of one image, best first, with the true boxes
// of one size: each takes the free true box of highest IoU, real ones before
// ignored ones; crowds stay free.
func (c *detClass) addCOCO(size int, truth []TrueBox, found []FoundBox) {
	limit := areaRanges[size]
	skip := func(b TrueBox) bool { return b.Crowd || b.Area < limit[0] || b.Area > limit[1] }
	truth = slices.Clone(truth)
	slices.SortStableFunc(truth, func(a, b TrueBox) int { return cmp.Compare(bit(skip(a)), bit(skip(b))) })
	for _, t := range truth {
		c.positives[size] += 1 - bit(skip(t))
	}
	start := len(c.found[size])
	ious := make([][]float64, len(found))
	for i, f := range found {
		c.found[size] = append(c.found[size], outcome{score: f.Score, rank: uint8(i)})
		for _, t := range truth {
			ious[i] = append(ious[i], BoxIoU(f.Box, t.Box))
		}
	}
	out := c.found[size][start:]
	for k := range iouThresholds {
		taken := make([]bool, len(truth))
		for i, f := range found {
			best, at := min(iouThreshold(k), almostOne), -1
			for j, t := range truth {
				if taken[j] && !t.Crowd {
					continue
				}
				if at >= 0 && !skip(truth[at]) && skip(t) {
					break // the rest is ignored, and a real one is at hand
				}
				if ious[i][j] >= best {
					best, at = ious[i][j], j
				}
			}
			switch a := area(f.Box); {
			case at >= 0:
				taken[at] = true
				out[i].matched |= 1 << k
				if skip(truth[at]) {
					out[i].ignored |= 1 << k
				}
			case a < limit[0] || a > limit[1]:
				out[i].ignored |= 1 << k
			}
		}
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// iouThreshold k of 0.5, 0.55 … 0.95, rounded as numpy.linspace rounds.
func iouThreshold(k int) float64 {
	if k == iouThresholds-1 {
		return highestIoU
	}
	lo, hi := float64(lowestIoU), float64(highestIoU)
	step := (hi - lo) / (iouThresholds - 1)
	return lo + float64(float64(k)*step)
}

// addVOC matches as VOC's development kit does: each detection belongs to the
// true box of highest overlap, and is wrong if an earlier one took it.
func (c *detClass) addVOC(truth []TrueBox, found []FoundBox) {
	taken := make([]bool, len(truth))
	for _, t := range truth {
		if !t.Difficult {
			c.voc.AddPositives(1)
		}
	}
	for _, f := range found {
		best, at := math.Inf(-1), -1
		for j, t := range truth {
			plain := t.Box
			plain.Crowd = false
			if o := BoxIoU(f.Box, plain); o > best {
				best, at = o, j
			}
		}
		switch {
		case at < 0 || best < vocOverlap:
			c.voc.Add(f.Score, false)
		case truth[at].Difficult:
		default:
			c.voc.Add(f.Score, !taken[at])
			taken[at] = true
		}
	}
}

// BoxScores are COCO's twelve numbers without the recalls per size, and VOC's,
// in 0..1; NaN where there is no true box.
type BoxScores struct {
	AP, AP50, AP75               float64
	APSmall, APMedium, APLarge   float64
	AR1, AR10, AR100             float64 // recall with at most so many detections per image and class
	PerClass                     []float64
	VOC07, VOC10, Uninterpolated float64 // mean AP at overlap 0.5: 11 points, area, plain
}

// Scores computes the numbers of everything added so far.
func (d *Detection) Scores() BoxScores {
	var s BoxScores
	all := func(int) bool { return true }
	s.AP = d.mean(0, all)
	s.AP50 = d.mean(0, func(k int) bool { return k == 0 })
	s.AP75 = d.mean(0, func(k int) bool { return k == 5 })
	s.APSmall, s.APMedium, s.APLarge = d.mean(1, all), d.mean(2, all), d.mean(3, all)
	s.AR1, s.AR10, s.AR100 = d.recall(1), d.recall(10), d.recall(maxDetections)
	voc := make([]Ranking, len(d.classes))
	for c := range d.classes {
		var v []float64
		for k := range iouThresholds {
			v = append(v, d.classes[c].precision(0, k)...)
		}
		s.PerClass = append(s.PerClass, mean(v))
		voc[c] = d.classes[c].voc
	}
	s.VOC07, s.VOC10, s.Uninterpolated = MeanAP(voc, (*Ranking).AP11), MeanAP(voc, (*Ranking).APArea), MeanAP(voc, (*Ranking).AP)
	return s
}

// mean of the precision over thresholds, recalls and classes.
func (d *Detection) mean(size int, use func(k int) bool) float64 {
	var v []float64
	for k := range iouThresholds {
		if !use(k) {
			continue
		}
		for c := range d.classes {
			v = append(v, d.classes[c].precision(size, k)...)
		}
	}
	return mean(v)
}

func mean(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return pairwiseSum(v) / float64(len(v))
}

// precision at COCO's 101 recalls; nil for a class without true boxes.
func (c *detClass) precision(size, k int) []float64 {
	if c.positives[size] == 0 {
		return nil
	}
	found := slices.Clone(c.found[size])
	slices.SortStableFunc(found, func(a, b outcome) int { return cmp.Compare(b.score, a.score) })
	var recall, precision []float64
	hits, wrong := 0.0, 0.0
	for _, o := range found {
		if o.ignored>>k&1 == 0 {
			if o.matched>>k&1 == 1 {
				hits++
			} else {
				wrong++
			}
		}
		recall = append(recall, hits/float64(c.positives[size]))
		precision = append(precision, hits/(wrong+hits+machineEpsilon))
	}
	monotone(precision)
	out := make([]float64, recallPoints)
	i := 0
	step := 1.0 / (recallPoints - 1)
	for p := range out {
		want := float64(p) * step
		if p == recallPoints-1 {
			want = 1
		}
		for i < len(recall) && recall[i] < want {
			i++
		}
		if i < len(recall) {
			out[p] = precision[i]
		}
	}
	return out
}

// recall is the mean over thresholds and classes with at most n detections per
// image and class.
func (d *Detection) recall(n int) float64 {
	var v []float64
	for k := range iouThresholds {
		for c := range d.classes {
			cl := &d.classes[c]
			if cl.positives[0] == 0 {
				continue
			}
			hits := 0
			for _, o := range cl.found[0] {
				if int(o.rank) < n && o.matched>>k&1 == 1 && o.ignored>>k&1 == 0 {
					hits++
				}
			}
			v = append(v, float64(hits)/float64(cl.positives[0]))
		}
	}
	return mean(v)
}
