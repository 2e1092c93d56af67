package promptsam

import (
	"context"
	"image"
	"strings"
	"testing"

	"wsss/data"
	"wsss/gen"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/sam"
)

// TestInside: boxes get automatic masks cut to them, the whole first, or the
// mask that the box itself asks for.
func TestInside(t *testing.T) {
	ds := openScenes(t, 2)
	b := backendtest.One(t)
	t.Setenv("WSSS_MODELS", t.TempDir())
	o := defaultSAM()
	o.SAM = "tiny-sam"
	e, err := o.open(b)
	if err != nil {
		t.Fatal(err)
	}
	in := defaultInside()
	in.Auto = sam.AutoOptions{PointsPerSide: 6, PointsPerBatch: 64, PredIoUThresh: 0.4, StabilityThresh: 0.5, StabilityOffset: 1,
		BoxNMSThresh: 0.7, CropPointsDownscale: 1}
	ids, err := ds.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	byGrid, byBox := 0, 0
	for _, id := range ids {
		s, err := ds.Load(id, data.WantImage|data.WantWeak)
		if err != nil {
			t.Fatal(err)
		}
		prompts := boxPrompts(s.Weak.Boxes)
		masks, err := e.inside(context.Background(), s, prompts, in)
		if err != nil {
			t.Fatal(err)
		}
		classes := map[int]bool{}
		for i, m := range masks {
			classes[m.Class] = true
			box := m.From.Box.Rect()
			if in := areaIn(m.Bits, box); in != m.Bits.Area() {
				t.Errorf("%s: %d of %d pixels of a mask lie outside its box", id, m.Bits.Area()-in, m.Bits.Area())
			}
			if same := i > 0 && masks[i-1].From.Box == m.From.Box; same && masks[i-1].Score < m.Score {
				t.Errorf("%s: a part before the whole", id)
			}
			if float64(m.Score) >= in.Ratio {
				byGrid++
			} else {
				byBox++
			}
		}
		for _, p := range prompts {
			if !classes[p.Class] {
				t.Errorf("%s: no mask of class %d", id, p.Class)
			}
		}
	}
	if byGrid == 0 {
		t.Errorf("no box was filled by an automatic mask; %d were prompted with", byBox)
	}
	for want, change := range map[string]func(*insideOptions){
		"gen.options.inside =":                 func(o *insideOptions) { o.Inside = "part" },
		"gen.options.inside_ratio":             func(o *insideOptions) { o.Ratio = 0 },
		"gen.options.auto is of":               func(o *insideOptions) { o.Inside, o.Auto.PointsPerSide = insideBox, 6 },
		"gen.options.inside_ratio is of":       func(o *insideOptions) { o.Inside, o.Ratio = insideBox, 0.5 },
		"gen.options.auto.points_per_side = 0": func(o *insideOptions) { o.Auto.PointsPerSide = 0 },
	} {
		bad := defaultInside()
		change(&bad)
		if err := bad.check(mergeFuse); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestGroup: the whole object beats its parts, whatever SAM thinks of either;
// parts stand in only where there is no whole; what lies mostly outside the box
// is background, and nothing reaches over its edge.
func TestGroup(t *testing.T) {
	const side = 20
	mask := func(rects ...image.Rectangle) sam.AutoMask {
		bits := make([]uint8, side*side)
		for _, r := range rects {
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for x := r.Min.X; x < r.Max.X; x++ {
					bits[y*side+x] = 1
				}
			}
		}
		return sam.AutoMask{Bits: data.EncodeRLE(bits, side, side), IoU: 1}
	}
	var (
		whole    = mask(image.Rect(5, 5, 14, 15)) // 90 of 100 pixels of the box
		over     = mask(image.Rect(5, 5, 17, 15)) // the same object, seen a little too wide
		part     = mask(image.Rect(5, 5, 10, 7))
		subpart  = mask(image.Rect(6, 5, 8, 7))
		other    = mask(image.Rect(10, 12, 15, 15))
		around   = mask(image.Rect(0, 0, 20, 5), image.Rect(0, 5, 5, 20), image.Rect(15, 5, 20, 20), image.Rect(5, 13, 15, 20))
		anywhere = mask(image.Rect(0, 0, 3, 3))
	)
	prompt := gen.Prompt{Class: 2, Box: &data.Box{X0: 5, Y0: 5, X1: 15, Y1: 15, Class: 2}, Score: 0.5}
	for name, c := range map[string]struct {
		found  []sam.AutoMask
		areas  []int
		scores []float32
	}{
		"whole before part":        {[]sam.AutoMask{subpart, part, whole}, []int{90}, []float32{0.45}},
		"cut to the box":           {[]sam.AutoMask{over}, []int{100}, []float32{0.5 * 100 / 120}},
		"parts without a whole":    {[]sam.AutoMask{subpart, other, part}, []int{15, 10}, []float32{0.075, 0.05}},
		"background stays outside": {[]sam.AutoMask{around, anywhere}, nil, nil},
		"background and a part":    {[]sam.AutoMask{around, part}, []int{10}, []float32{0.05}},
		"nothing":                  {nil, nil, nil},
	} {
		got := group(c.found, prompt, 0.3)
		if len(got) != len(c.areas) {
			t.Errorf("%s: %d masks, want %d", name, len(got), len(c.areas))
			continue
		}
		for i, m := range got {
			if m.Bits.Area() != c.areas[i] || m.Class != 2 || m.Score < c.scores[i]-1e-6 || m.Score > c.scores[i]+1e-6 {
				t.Errorf("%s: mask %d has %d pixels, class %d, score %v; want %d, 2, %v", name, i, m.Bits.Area(), m.Class, m.Score, c.areas[i], c.scores[i])
			}
		}
	}
}
