package promptsam

import (
	"context"
	"strings"
	"testing"

	"wsss/data"
	"wsss/models/backend"
	"wsss/models/foundation/sam"
)

// TestInside: boxes get automatic masks that fill them, largest first, or the
// mask that the box itself asks for.
func TestInside(t *testing.T) {
	ds := openScenes(t, 2)
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
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
			same := i > 0 && masks[i-1].From.Box == m.From.Box
			if same && masks[i-1].Bits.Area() < m.Bits.Area() {
				t.Errorf("%s: a part before the whole", id)
			}
			if boundsIoU(*m.From.Box, m.Bits) >= in.Ratio {
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
		"gen.options.auto.points_per_side = 0": func(o *insideOptions) { o.Auto.PointsPerSide = 0 },
	} {
		bad := defaultInside()
		change(&bad)
		if err := bad.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
