package gen

import (
	"cmp"
	"fmt"
	"image"
	"slices"
	"strings"

	"wsss/configs"
	"wsss/data"
)

// Fuser turns the masks of one image into its label map.
type Fuser interface {
	// Fuse paints the masks onto a map of background pixels of the given size.
	// A mask of class data.Ignore leaves its pixels undecided. It is an error
	// when a mask has another size or a class that a label map cannot hold. The
	// masks are not changed.
	Fuse(size image.Point, masks []Mask) (*data.LabelMap, error)
}

// OverlapRule orders two masks that claim the same pixel: a negative result
// puts a under b, a positive one on top. Masks it holds equal keep their
// order, the earlier one on top.
type OverlapRule func(a, b *Ranked) int

// Ranked is a mask with its area in pixels.
type Ranked struct {
	*Mask
	Area int
}

var (
	overlapRules = map[string]OverlapRule{}
	ruleNames    []string // in the order of registration
)

func init() {
	RegisterRule("score", byScore)
	RegisterRule("smaller-first", bySize)
	RegisterRule("class-index", byClass)
	RegisterRule(uncertain, byCertainty)
	configs.Allow(configs.FuseRules, Rules)
}

// uncertain is the rule that also leaves pixels undecided; see undecide.
const uncertain = "uncertain"

// RegisterRule adds an overlap rule for [gen.fuse] rule; it panics on a
// duplicate name.
func RegisterRule(name string, rule OverlapRule) {
	if _, dup := overlapRules[name]; dup {
		panic("gen: overlap rule registered twice: " + name)
	}
	overlapRules[name], ruleNames = rule, append(ruleNames, name)
}

// Rules lists the overlap rules, in the order of their registration.
func Rules() []string { return slices.Clone(ruleNames) }

// byScore puts the more certain mask on top; then the smaller, then the one of
// the lower class.
func byScore(a, b *Ranked) int {
	return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(b.Area, a.Area), cmp.Compare(b.Class, a.Class))
}

// bySize puts the smaller mask on top: small objects stand in front of large
// ones more often than behind. Then the more certain, then the lower class.
func bySize(a, b *Ranked) int {
	return cmp.Or(cmp.Compare(b.Area, a.Area), cmp.Compare(a.Score, b.Score), cmp.Compare(b.Class, a.Class))
}

// byClass puts the higher class on top, whatever its score: what the survey's
// element-wise maximum of labels does (docs/sources.md §2.1).
func byClass(a, b *Ranked) int { return cmp.Compare(a.Class, b.Class) }

// byCertainty is byScore with the score weighed by stability, where there is
// one.
func byCertainty(a, b *Ranked) int {
	return cmp.Or(cmp.Compare(certainty(a), certainty(b)), cmp.Compare(b.Area, a.Area), cmp.Compare(b.Class, a.Class))
}

func certainty(m *Ranked) float32 {
	if m.Stability > 0 {
		return m.Score * m.Stability
	}
	return m.Score
}

// NewFuser returns the fuser that the configuration describes, for masks of
// these classes. The error names the key that is wrong.
func NewFuser(cfg configs.Fuse, classes data.Classes) (Fuser, error) {
	rule, ok := overlapRules[cfg.Rule]
	switch {
	case !ok:
		return nil, fmt.Errorf("gen.fuse.rule = %q is unknown: allowed are %s", cfg.Rule, strings.Join(Rules(), ", "))
	case cfg.IgnoreBand < 0:
		return nil, fmt.Errorf("gen.fuse.ignore_band = %d: allowed are 0 or more pixels", cfg.IgnoreBand)
	case cfg.MinArea < 0:
		return nil, fmt.Errorf("gen.fuse.min_area = %d: allowed are 0 or more pixels", cfg.MinArea)
	case !(cfg.NMS >= 0 && cfg.NMS <= 1):
		return nil, fmt.Errorf("gen.fuse.nms = %v: allowed is 0..1", cfg.NMS)
	case !(cfg.Margin >= 0 && cfg.Margin <= 1):
		return nil, fmt.Errorf("gen.fuse.margin = %v: allowed is 0..1", cfg.Margin)
	case !(cfg.MinScore >= 0 && cfg.MinScore <= 1):
		return nil, fmt.Errorf("gen.fuse.min_score = %v: allowed is 0..1", cfg.MinScore)
	}
	f := &fuser{cfg: cfg, rule: rule, priority: map[int]int{}}
	for i, name := range cfg.Priority {
		class := classes.Index(name)
		if class < 0 {
			return nil, fmt.Errorf("gen.fuse.priority[%d] = %q is no class: allowed are %s", i, name, strings.Join(classes.Names, ", "))
		}
		if _, twice := f.priority[class]; twice {
			return nil, fmt.Errorf("gen.fuse.priority[%d] = %q: the class is there twice", i, name)
		}
		f.priority[class] = len(cfg.Priority) - i
	}
	return f, nil
}

type fuser struct {
	cfg      configs.Fuse
	rule     OverlapRule
	priority map[int]int // by class, the highest on top; 0 = only the rule decides
}

// order is the rule's, after the user's own order of classes.
func (f *fuser) order(a, b *Ranked) int {
	return cmp.Or(cmp.Compare(f.priority[a.Class], f.priority[b.Class]), f.rule(a, b))
}

func (f *fuser) Fuse(size image.Point, masks []Mask) (*data.LabelMap, error) {
	ranked := make([]*Ranked, 0, len(masks))
	for i := range masks {
		m := &masks[i]
		if m.Bits.W != size.X || m.Bits.H != size.Y {
			return nil, fmt.Errorf("mask %d is %d×%d pixels, the image %d×%d", i, m.Bits.W, m.Bits.H, size.X, size.Y)
		}
		if m.Class < 0 || m.Class >= data.MaxClasses && m.Class != data.Ignore {
			return nil, fmt.Errorf("mask %d has class %d: allowed are 0..%d and %d (void)", i, m.Class, data.MaxClasses-1, data.Ignore)
		}
		if area := m.Bits.Area(); area >= max(1, f.cfg.MinArea) {
			ranked = append(ranked, &Ranked{Mask: m, Area: area})
		}
	}
	// Top first, so that equal masks keep their order; painted from the end.
	slices.SortStableFunc(ranked, func(a, b *Ranked) int { return f.order(b, a) })
	if f.cfg.NMS > 0 {
		ranked = suppress(ranked, f.cfg.NMS)
	}
	out := data.NewLabelMap(size.X, size.Y)
	for _, m := range slices.Backward(ranked) {
		class := uint8(m.Class)
		m.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				out.Pix[y*out.W+x] = class
			}
		})
	}
	if f.cfg.Rule == uncertain {
		undecide(out, ranked, f.priority, f.cfg.Margin, f.cfg.MinScore)
	}
	ignoreBorders(out, f.cfg.IgnoreBand)
	return out, nil
}

// undecide sets pixels of out to data.Ignore where the certainties of the most
// certain masks of two classes of the same priority differ by less than margin,
// or the one on top does not reach least. masks are in descending order of
// priority and certainty.
func undecide(out *data.LabelMap, masks []*Ranked, priority map[int]int, margin, least float64) {
	type claim struct {
		class       int32
		best, rival float32 // certainty of class, and of any other
	}
	claims := make([]claim, len(out.Pix))
	for _, m := range slices.Backward(masks) {
		class, c := int32(m.Class), certainty(m)
		m.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				at := &claims[y*out.W+x]
				switch {
				case at.best > 0 && priority[int(at.class)] != priority[m.Class]:
					at.rival = 0 // the user has decided between the two
				case at.best > 0 && at.class != class:
					at.rival = at.best
				}
				at.class, at.best = class, c
			}
		})
	}
	for i, at := range claims {
		near := at.rival > 0 && float64(at.best)-float64(at.rival) < margin
		if at.best > 0 && (near || float64(at.best) < least) {
			out.Pix[i] = data.Ignore
		}
	}
}

// suppress keeps the masks, given top first, whose IoU with every kept one is
// at most limit.
func suppress(masks []*Ranked, limit float64) []*Ranked {
	var kept []*Ranked
	for _, m := range masks {
		if !slices.ContainsFunc(kept, func(k *Ranked) bool { return maskIoU(m, k) > limit }) {
			kept = append(kept, m)
		}
	}
	return kept
}

// maskIoU is the intersection over union of two masks of the same size, which
// are not both empty. It walks both run-length codes at once.
func maskIoU(a, b *Ranked) float64 {
	both := 0
	var i, j int // the run each code is in; odd runs are inside
	var endA, endB, at int
	for i < len(a.Bits.Counts) || j < len(b.Bits.Counts) {
		if endA == at && i < len(a.Bits.Counts) {
			endA += int(a.Bits.Counts[i])
			i++
			continue
		}
		if endB == at && j < len(b.Bits.Counts) {
			endB += int(b.Bits.Counts[j])
			j++
			continue
		}
		next := min(endA, endB)
		if i%2 == 0 && j%2 == 0 { // both have just entered an inside run
			both += next - at
		}
		at = next
	}
	if i%2 == 0 && j%2 == 0 {
		both += min(endA, endB) - at
	}
	return float64(both) / float64(a.Area+b.Area-both)
}

// ignoreBorders sets every pixel to data.Ignore whose square neighbourhood of
// the given radius holds more than one label: a band on either side of every
// border between classes.
func ignoreBorders(m *data.LabelMap, radius int) {
	if radius <= 0 {
		return
	}
	// Least and greatest label of the neighbourhood, first along rows, then
	// along columns.
	lo, hi := slices.Clone(m.Pix), slices.Clone(m.Pix)
	spread := func(dst, src []uint8, at func(line, k int) int, lines, length int, better func(a, b uint8) uint8) {
		for line := range lines {
			for k := range length {
				v := src[at(line, k)]
				for n := max(0, k-radius); n <= min(length-1, k+radius); n++ {
					v = better(v, src[at(line, n)])
				}
				dst[at(line, k)] = v
			}
		}
	}
	row := func(y, x int) int { return y*m.W + x }
	column := func(x, y int) int { return y*m.W + x }
	least := func(a, b uint8) uint8 { return min(a, b) }
	greatest := func(a, b uint8) uint8 { return max(a, b) }
	spread(lo, m.Pix, row, m.H, m.W, least)
	spread(hi, m.Pix, row, m.H, m.W, greatest)
	lo2, hi2 := make([]uint8, len(lo)), make([]uint8, len(hi))
	spread(lo2, lo, column, m.W, m.H, least)
	spread(hi2, hi, column, m.W, m.H, greatest)
	for i := range m.Pix {
		if lo2[i] != hi2[i] {
			m.Pix[i] = data.Ignore
		}
	}
}
