package metrics

import "math"

// Void says what a prediction of 255 (or of any value outside the classes)
// counts as, where the truth is a class.
type Void string

// The treatments of void predictions (docs/sources.md §10).
const (
	VoidBackground Void = "background" // IRN: 255 → 0; the default
	VoidDrop       Void = "drop"       // L2G: the pixel is left out, which inflates scores
)

// Absent says which classes the mean IoU is taken over.
type Absent string

// The treatments of classes without a truth pixel (docs/sources.md §10). They differ
// only where such a class is predicted somewhere: its IoU is 0 for NaNMean and
// left out by TruthOnly, so NaNMean is never the higher number.
const (
	NaNMean   Absent = "nan-mean"   // IRN: skip a class without truth and without prediction; the default
	TruthOnly Absent = "truth-only" // KAZ: skip a class without truth
)

// Protocol is how a confusion matrix becomes one number. The zero value is the
// default: VoidBackground, NaNMean.
type Protocol struct {
	Void   Void   `json:"void"`
	Absent Absent `json:"absent"`
}

// WithDefaults fills empty fields with the defaults.
func (p Protocol) WithDefaults() Protocol {
	if p.Void == "" {
		p.Void = VoidBackground
	}
	if p.Absent == "" {
		p.Absent = NaNMean
	}
	return p
}

// Counts are a confusion matrix's diagonal and margins, in pixels per class.
type Counts struct {
	TP, Truth, Pred []uint64
}

// NewCounts returns zero counts for C classes.
func NewCounts(classes int) Counts {
	buf := make([]uint64, 3*classes)
	return Counts{TP: buf[:classes:classes], Truth: buf[classes : 2*classes : 2*classes], Pred: buf[2*classes:]}
}

// IoU is TP/(truth + prediction − TP) per class, in 0..1; NaN for a class with
// neither.
func (k Counts) IoU() []float64 {
	iou := make([]float64, len(k.TP))
	for c := range iou {
		iou[c] = ratio(k.TP[c], k.Truth[c]+k.Pred[c]-k.TP[c])
	}
	return iou
}

// MeanIoU is the mean over classes, background included, in 0..1; NaN where
// no class counts.
func (k Counts) MeanIoU(a Absent) float64 {
	iou := k.IoU()
	if a != TruthOnly {
		return nanMean(iou)
	}
	kept := iou[:0]
	for c, v := range iou {
		if k.Truth[c] > 0 {
			kept = append(kept, v)
		}
	}
	return nanMean(kept)
}

// Scores are the usual numbers of a confusion matrix, all in 0..1. Entries
// without a meaning (no pixel to divide by) are NaN.
type Scores struct {
	MIoU      float64   // mean IoU under the protocol
	IoU       []float64 // per class
	Precision []float64 // TP/prediction, per class
	Recall    []float64 // TP/truth, per class
	PixelAcc  float64   // right pixels / scored pixels
	MeanAcc   float64   // mean recall over classes with truth
	FWIoU     float64   // IoU weighted by the classes' share of the truth
	Pixels    uint64    // scored pixels
}

// Scores computes the numbers under a protocol.
func (c *Confusion) Scores(p Protocol) Scores {
	p = p.WithDefaults()
	k := c.Counts(p.Void)
	s := Scores{MIoU: k.MeanIoU(p.Absent), IoU: k.IoU(), Pixels: sum(k.Truth)}
	s.PixelAcc = ratio(sum(k.TP), s.Pixels)
	var weighted []float64
	for i := range k.TP {
		s.Precision = append(s.Precision, ratio(k.TP[i], k.Pred[i]))
		s.Recall = append(s.Recall, ratio(k.TP[i], k.Truth[i]))
		if k.Truth[i] > 0 {
			weighted = append(weighted, ratio(k.Truth[i], s.Pixels)*s.IoU[i])
		}
	}
	s.MeanAcc = nanMean(s.Recall)
	s.FWIoU = pairwiseSum(weighted)
	if len(weighted) == 0 {
		s.FWIoU = math.NaN()
	}
	return s
}

// ratio is a/b in float64, NaN for 0/0.
func ratio(a, b uint64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return float64(a) / float64(b)
}

// nanMean is the mean of the values that are not NaN, summed as numpy.nanmean
// sums: NaN counts as 0 in its place.
func nanMean(v []float64) float64 {
	kept := make([]float64, len(v))
	n := 0
	for i, x := range v {
		if !math.IsNaN(x) {
			kept[i] = x
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return pairwiseSum(kept) / float64(n)
}

// pairwiseSum adds in NumPy's order (eight accumulators, halves above 128
// values), so that a mean IoU equals NumPy's to the last digit.
func pairwiseSum(v []float64) float64 {
	n := len(v)
	switch {
	case n < 8:
		var s float64
		for _, x := range v {
			s += x
		}
		return s
	case n <= 128:
		r := [8]float64(v[:8])
		i := 8
		for ; i+8 <= n; i += 8 {
			for j := range r {
				r[j] += v[i+j]
			}
		}
		s := ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
		for ; i < n; i++ {
			s += v[i]
		}
		return s
	}
	half := n / 2
	half -= half % 8
	return pairwiseSum(v[:half]) + pairwiseSum(v[half:])
}
