package gen

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"

	"wsss/data"
)

// Signs tell how good an image's label probably is, without ground truth: each
// is in 0..1, 1 being best. A sign that a label gives no ground for is absent.
type Signs map[string]float64

// The signs.
const (
	SignScore      = "score"      // all of the others in one: their geometric mean
	SignConfidence = "confidence" // mean score of the masks (SAM: predicted IoU), weighed by area
	SignStability  = "stability"  // mean stability of the masks that have one, weighed by area
	SignDistinct   = "distinct"   // share of the masks' pixels that no mask of another class claims
	SignDecided    = "decided"    // share of the pixels off the background that are not void
	SignCovered    = "covered"    // share of the weak label's classes that the label shows
	SignBoxes      = "boxes"      // mean IoU of each box prompt with the extent of its mask
	SignFlip       = "flip"       // agreement with the label of the mirrored image
	SignScale      = "scale"      // agreement with the label of the image at 3/4 of its size
	SignAgreement  = "agreement"  // mean agreement with other label folders
)

// rate sets the score. An image without any mask has the score 0: nothing says
// that it is right.
func (s Signs) rate() {
	var sum float64
	n := 0
	for _, name := range []string{
		SignConfidence, SignStability, SignDistinct, SignDecided, SignCovered, SignBoxes, SignFlip, SignScale, SignAgreement,
	} {
		if v, ok := s[name]; ok {
			sum += math.Log(max(v, 0.01)) // one bad sign is no certain failure
			n++
		}
	}
	if _, found := s[SignConfidence]; !found {
		s[SignScore] = 0
		return
	}
	s[SignScore] = math.Exp(sum / float64(n))
}

// assess finds the signs that one label gives by itself.
func assess(label *data.LabelMap, masks []Mask, weak data.WeakLabels) Signs {
	s := Signs{}
	var area, score, stable, stability float64
	var fits []float64
	for _, m := range masks {
		a := float64(m.Bits.Area())
		if a == 0 || m.Class == data.Ignore {
			continue
		}
		area, score = area+a, score+a*float64(m.Score)
		if m.Stability > 0 {
			stable, stability = stable+a, stability+a*float64(m.Stability)
		}
		if m.From.Box != nil {
			fits = append(fits, rectIoU(m.From.Box.Rect().Intersect(image.Rect(0, 0, label.W, label.H)), m.Bits.Bounds()))
		}
	}
	if area > 0 {
		s[SignConfidence] = min(max(score/area, 0), 1)
		s[SignDistinct] = distinct(label, masks)
	}
	if stable > 0 {
		s[SignStability] = stability / stable
	}
	if len(fits) > 0 {
		var sum float64
		for _, f := range fits {
			sum += f
		}
		s[SignBoxes] = sum / float64(len(fits))
	}
	s.inLabel(label, weak)
	s.rate()
	return s
}

// inLabel adds the signs that the label map itself shows.
func (s Signs) inLabel(label *data.LabelMap, weak data.WeakLabels) {
	var count [256]int
	for _, v := range label.Pix {
		count[v]++
	}
	if object := len(label.Pix) - count[0]; object > 0 {
		s[SignDecided] = 1 - float64(count[data.Ignore])/float64(object)
	}
	named := map[int]bool{}
	for _, c := range weak.Tags {
		named[c] = true
	}
	for _, p := range weak.Points {
		named[p.Class] = true
	}
	for _, k := range weak.Scribbles {
		named[k.Class] = true
	}
	for _, b := range weak.Boxes {
		if !b.Crowd {
			named[b.Class] = true
		}
	}
	delete(named, 0)
	shown := 0
	for c := range named {
		if c > 0 && c < len(count) && count[c] > 0 {
			shown++
		}
	}
	if len(named) > 0 {
		s[SignCovered] = float64(shown) / float64(len(named))
	}
}

// distinct is the share of the pixels under masks that only one class claims.
func distinct(label *data.LabelMap, masks []Mask) float64 {
	const several = math.MaxUint16
	claim := make([]uint16, len(label.Pix)) // class + 1, or several
	for _, m := range masks {
		if m.Class == data.Ignore {
			continue
		}
		own := uint16(m.Class) + 1
		m.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				switch at := &claim[y*label.W+x]; *at {
				case 0:
					*at = own
				case own:
				default:
					*at = several
				}
			}
		})
	}
	claimed, shared := 0, 0
	for _, c := range claim {
		if c != 0 {
			claimed++
		}
		if c == several {
			shared++
		}
	}
	return 1 - float64(shared)/float64(max(1, claimed))
}

func rectIoU(a, b image.Rectangle) float64 {
	area := func(r image.Rectangle) float64 { return float64(r.Dx()) * float64(r.Dy()) }
	both := area(a.Intersect(b))
	if both == 0 {
		return 0
	}
	return both / (area(a) + area(b) - both)
}

// LabelAgreement is the mean IoU of two labels of equal size over the object
// classes of either; pixels that are void in one of them do not count. Two
// labels without objects agree fully.
func LabelAgreement(a, b *data.LabelMap) float64 {
	var both, either [256]int
	for i, v := range a.Pix {
		w := b.Pix[i]
		if v == data.Ignore || w == data.Ignore {
			continue
		}
		either[v]++
		if v == w {
			both[v]++
		} else {
			either[w]++
		}
	}
	var sum float64
	n := 0
	for c := 1; c < data.Ignore; c++ {
		if either[c] > 0 {
			sum += float64(both[c]) / float64(either[c])
			n++
		}
	}
	if n == 0 {
		return 1
	}
	return sum / float64(n)
}

// signTexts say what a low sign means.
var signTexts = map[string]string{
	SignConfidence: "the method is unsure of its masks",
	SignStability:  "masks change with their threshold",
	SignDistinct:   "masks of several classes overlap",
	SignDecided:    "much is left undecided",
	SignCovered:    "a class of the weak labels has no pixel",
	SignBoxes:      "masks do not reach the sides of their boxes",
	SignFlip:       "the mirrored photo is labelled otherwise",
	SignScale:      "the smaller photo is labelled otherwise",
	SignAgreement:  "other labels differ",
}

// Doubt says why a label is doubted, by its lowest signs below 0.9, at most
// two; "" where nothing is.
func (s Signs) Doubt() string {
	type low struct {
		text string
		v    float64
	}
	var lows []low
	for name, text := range signTexts {
		if v, ok := s[name]; ok && v < 0.9 {
			lows = append(lows, low{text, v})
		}
	}
	if _, found := s[SignConfidence]; !found && len(s) > 0 {
		return "no mask was found"
	}
	slices.SortFunc(lows, func(a, b low) int { return cmp.Or(cmp.Compare(a.v, b.v), cmp.Compare(a.text, b.text)) })
	var parts []string
	for _, l := range lows[:min(2, len(lows))] {
		parts = append(parts, fmt.Sprintf("%s (%.2f)", l.text, l.v))
	}
	return strings.Join(parts, "; ")
}
