package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"wsss/data"
)

// BoundaryRatio is the width of the boundary band as a share of the image's
// diagonal in boundary IoU (Cheng et al., 2021).
const BoundaryRatio = 0.02

// boundaryWidth is the band's width in pixels for an image of w×h: ratio ×
// diagonal, rounded, at least 1.
func boundaryWidth(w, h int, ratio float64) int {
	return max(1, int(math.RoundToEven(ratio*math.Sqrt(float64(w*w+h*h)))))
}

// Band marks the pixels within Chebyshev distance d of a pixel with another
// label: what d erosions with a 3×3 square take away from each label's region.
// With edges, what lies outside the image counts as another label.
func Band(m *data.LabelMap, d int, edges bool) []bool {
	d = max(d, 0)
	across := uniformRows(m, d, edges)
	band := make([]bool, len(m.Pix))
	start := make([]int, m.W) // of the run that each column is in
	for y := 1; y <= m.H; y++ {
		above := across[(y-1)*m.W : y*m.W]
		var row []uint16
		if y < m.H {
			row = across[y*m.W : (y+1)*m.W]
		}
		for x, v := range above {
			if row != nil && row[x] == v {
				continue
			}
			lo, hi := interior(start[x], y, m.H, d, edges)
			if v == mixed {
				lo, hi = y, y
			}
			for k := start[x]; k < lo; k++ {
				band[k*m.W+x] = true
			}
			for k := hi; k < y; k++ {
				band[k*m.W+x] = true
			}
			start[x] = y
		}
	}
	return band
}

// mixed marks pixels whose row has another label within the distance.
const mixed = 256

// uniformRows gives each pixel its label if the row is uniform within d of it,
// else mixed.
func uniformRows(m *data.LabelMap, d int, edges bool) []uint16 {
	across := make([]uint16, len(m.Pix))
	for y := range m.H {
		row, out := m.Pix[y*m.W:(y+1)*m.W], across[y*m.W:(y+1)*m.W]
		for start := 0; start < m.W; {
			end := start + 1
			for end < m.W && row[end] == row[start] {
				end++
			}
			lo, hi := interior(start, end, m.W, d, edges)
			v := uint16(row[start])
			fill(out[start:lo], mixed)
			fill(out[lo:hi], v)
			fill(out[hi:end], mixed)
			start = end
		}
	}
	return across
}

// interior is the part lo..hi of a run start..end that lies d within it; hi is
// never below lo.
func interior(start, end, n, d int, edges bool) (lo, hi int) {
	lo, hi = start+d, end-d
	if start == 0 && !edges {
		lo = 0
	}
	if end == n && !edges {
		hi = n
	}
	lo = min(lo, end)
	return lo, max(hi, lo)
}

func fill(s []uint16, v uint16) {
	for i := range s {
		s[i] = v
	}
}

// Boundary accumulates boundary IoU and trimap IoU over a set.
//
// Boundary IoU (Cheng et al., 2021) compares, per class, only the pixels of
// truth and of prediction that lie within 2 % of the image's diagonal of that
// region's own border (or of the image's). Trimap IoU is the ordinary mIoU of
// the pixels within TrimapWidth of a border in the truth. Pixels of void truth
// are left out of both; predictions of void count as background.
type Boundary struct {
	classes int
	band    Counts
	trimap  *Confusion
}

// TrimapWidth is the half-width, in pixels, of the trimap's band.
const TrimapWidth = 5

// NewBoundary returns an empty accumulator for C classes.
func NewBoundary(classes int) (*Boundary, error) {
	trimap, err := NewConfusion(classes)
	if err != nil {
		return nil, err
	}
	return &Boundary{classes, NewCounts(classes), trimap}, nil
}

// Add counts one image; the maps must have the same size.
func (b *Boundary) Add(truth, pred *data.LabelMap) error {
	if truth.Size() != pred.Size() {
		return fmt.Errorf("truth is %d×%d, prediction %d×%d", truth.W, truth.H, pred.W, pred.H)
	}
	pred = b.known(pred)
	d := boundaryWidth(truth.W, truth.H, BoundaryRatio)
	bt, bp := Band(truth, d, true), Band(pred, d, true)
	near := Band(truth, TrimapWidth, false)
	t2 := truth.Clone()
	for i, t := range truth.Pix {
		if !near[i] {
			t2.Pix[i] = data.Ignore
		}
		if int(t) >= b.classes {
			continue
		}
		p := pred.Pix[i]
		if bt[i] {
			b.band.Truth[t]++
		}
		if bp[i] {
			b.band.Pred[p]++
		}
		if bt[i] && bp[i] && t == p {
			b.band.TP[t]++
		}
	}
	return b.trimap.Add(t2.Pix, pred.Pix)
}

// known replaces every value that is no class by background.
func (b *Boundary) known(m *data.LabelMap) *data.LabelMap {
	m = m.Clone()
	for i, v := range m.Pix {
		if int(v) >= b.classes {
			m.Pix[i] = 0
		}
	}
	return m
}

// Merge adds the counts of another accumulator.
func (b *Boundary) Merge(o *Boundary) error {
	if err := b.trimap.Merge(o.trimap); err != nil {
		return err
	}
	for c := range b.band.TP {
		b.band.TP[c] += o.band.TP[c]
		b.band.Truth[c] += o.band.Truth[c]
		b.band.Pred[c] += o.band.Pred[c]
	}
	return nil
}

// MarshalJSON writes all counts.
func (b *Boundary) MarshalJSON() ([]byte, error) { return json.Marshal(boundaryFile{b.band, b.trimap}) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *Boundary) UnmarshalJSON(raw []byte) error {
	var f boundaryFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	if f.Trimap == nil || len(f.Band.TP) != f.Trimap.classes || len(f.Band.Truth) != f.Trimap.classes || len(f.Band.Pred) != f.Trimap.classes {
		return errors.New("boundary counts that do not fit together")
	}
	*b = Boundary{f.Trimap.classes, f.Band, f.Trimap}
	return nil
}

// boundaryFile is a Boundary in JSON.
type boundaryFile struct {
	Band   Counts     `json:"band"`
	Trimap *Confusion `json:"trimap"`
}

// Scores returns the mean boundary IoU, its per-class values, and the mean
// trimap IoU, in 0..1.
func (b *Boundary) Scores(a Absent) (mean float64, perClass []float64, trimap float64) {
	return b.band.MeanIoU(a), b.band.IoU(), b.trimap.Counts(VoidBackground).MeanIoU(a)
}
