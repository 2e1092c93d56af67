package metrics

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
)

// ClassCount is what one image adds to the counts of one class, in pixels. In
// JSON it is the array [class, tp, truth, prediction].
type ClassCount struct {
	Class           int
	TP, Truth, Pred uint64
}

// MarshalJSON writes the compact array form.
func (c ClassCount) MarshalJSON() ([]byte, error) {
	return json.Marshal([4]uint64{uint64(c.Class), c.TP, c.Truth, c.Pred})
}

// UnmarshalJSON reads the compact array form.
func (c *ClassCount) UnmarshalJSON(b []byte) error {
	var a []uint64
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	if len(a) != 4 || a[0] > 255 || a[1] > min(a[2], a[3]) {
		return fmt.Errorf("class count %v: want [class 0..255, tp, truth, prediction] with tp at most truth and prediction", a)
	}
	*c = ClassCount{int(a[0]), a[1], a[2], a[3]}
	return nil
}

// IoU is the class's IoU in this image, in 0..1.
func (c ClassCount) IoU() float64 { return ratio(c.TP, c.Truth+c.Pred-c.TP) }

// Sparse lists the classes with a truth or predicted pixel, ascending.
func (k Counts) Sparse() []ClassCount {
	var out []ClassCount
	for c := range k.TP {
		if k.Truth[c]+k.Pred[c] > 0 {
			out = append(out, ClassCount{c, k.TP[c], k.Truth[c], k.Pred[c]})
		}
	}
	return out
}

// AddSparse adds one image's counts; classes outside k are an error.
func (k Counts) AddSparse(image []ClassCount) error {
	for _, c := range image {
		if c.Class < 0 || c.Class >= len(k.TP) {
			return fmt.Errorf("count of class %d: allowed are 0..%d", c.Class, len(k.TP)-1)
		}
		k.TP[c.Class] += c.TP
		k.Truth[c.Class] += c.Truth
		k.Pred[c.Class] += c.Pred
	}
	return nil
}

func (k Counts) reset() { clear(k.TP); clear(k.Truth); clear(k.Pred) }

// Boot sets up a bootstrap over images. Zero fields take the defaults.
type Boot struct {
	Resamples int     // default 1000
	Level     float64 // confidence level, default 0.95
	Seed      uint64
	Absent    Absent // default NaNMean
}

func (b Boot) withDefaults() (Boot, error) {
	if b.Resamples == 0 {
		b.Resamples = 1000
	}
	if b.Level == 0 {
		b.Level = 0.95
	}
	if b.Resamples < 0 || b.Level <= 0 || b.Level >= 1 {
		return b, fmt.Errorf("bootstrap of %d resamples at level %g: allowed are ≥ 1 resamples and a level between 0 and 1", b.Resamples, b.Level)
	}
	return b, nil
}

// Interval is a percentile bootstrap interval.
type Interval struct {
	Lo        float64 `json:"lo"`
	Hi        float64 `json:"hi"`
	Level     float64 `json:"level"`
	Resamples int     `json:"resamples"`
	Seed      uint64  `json:"seed"`
}

// Bootstrap is the percentile interval of the mean IoU when images are drawn
// with replacement. Each resample has a whole new confusion matrix, as mIoU is
// no mean over images. Seeded, independent of the machine.
func Bootstrap(images [][]ClassCount, classes int, b Boot) (Interval, error) {
	b, err := b.withDefaults()
	if err != nil {
		return Interval{}, err
	}
	scores, err := resample(b, len(images), func(draw []int) (float64, error) {
		return meanOf(images, draw, NewCounts(classes), b.Absent)
	})
	if err != nil {
		return Interval{}, err
	}
	return b.interval(scores), nil
}

// Difference is the paired comparison of two runs over the same images.
type Difference struct {
	Delta    float64  `json:"delta"`    // mIoU of b minus mIoU of a
	Interval Interval `json:"interval"` // of that difference
	P        float64  `json:"p"`        // two-sided: twice the smaller share of resamples on one side of 0
}

// Paired bootstraps the difference in mean IoU of two runs that scored the
// same images in the same order: each resample draws the same images for both,
// so that what makes an image hard cancels out.
func Paired(a, b [][]ClassCount, classes int, o Boot) (Difference, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Difference{}, err
	}
	if len(a) != len(b) {
		return Difference{}, fmt.Errorf("paired comparison of %d and %d images: the images must be the same", len(a), len(b))
	}
	ka, kb := NewCounts(classes), NewCounts(classes)
	diff := func(draw []int) (float64, error) {
		ma, err := meanOf(a, draw, ka, o.Absent)
		if err != nil {
			return 0, err
		}
		mb, err := meanOf(b, draw, kb, o.Absent)
		return mb - ma, err
	}
	all := make([]int, len(a))
	for i := range all {
		all[i] = i
	}
	var d Difference
	if d.Delta, err = diff(all); err != nil {
		return d, err
	}
	scores, err := resample(o, len(a), diff)
	if err != nil {
		return d, err
	}
	below, above := 0, 0
	for _, s := range scores {
		if s <= 0 {
			below++
		}
		if s >= 0 {
			above++
		}
	}
	d.P = min(1, 2*float64(min(below, above))/float64(len(scores)))
	d.Interval = o.interval(scores)
	return d, nil
}

func meanOf(images [][]ClassCount, draw []int, k Counts, a Absent) (float64, error) {
	k.reset()
	for _, i := range draw {
		if err := k.AddSparse(images[i]); err != nil {
			return 0, err
		}
	}
	return k.MeanIoU(a), nil
}

// resample calls score with b.Resamples draws of n image numbers.
func resample(b Boot, n int, score func(draw []int) (float64, error)) ([]float64, error) {
	if n == 0 {
		return nil, fmt.Errorf("bootstrap over no images")
	}
	draw := make([]int, n)
	scores := make([]float64, b.Resamples)
	for r := range scores {
		g := splitMix(b.Seed + uint64(r)*0xD1342543DE82EF95)
		for i := range draw {
			hi, _ := bits.Mul64(g.next(), uint64(n))
			draw[i] = int(hi)
		}
		var err error
		if scores[r], err = score(draw); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

func (b Boot) interval(scores []float64) Interval {
	slices.Sort(scores)
	tail := (1 - b.Level) / 2
	return Interval{quantile(scores, tail), quantile(scores, 1-tail), b.Level, b.Resamples, b.Seed}
}

// quantile interpolates linearly between order statistics, with NumPy's
// rounding.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	t := at - float64(i)
	a, b := sorted[i], sorted[i+1]
	if t >= 0.5 {
		return b - float64((b-a)*(1-t))
	}
	return a + float64((b-a)*t)
}

// splitMix is the SplitMix64 generator: a few lines in any language, so that
// another program can draw the same resamples.
type splitMix uint64

func (s *splitMix) next() uint64 {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}
