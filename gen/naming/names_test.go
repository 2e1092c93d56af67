package naming

import (
	"math"
	"testing"

	"github.com/gomlx/compute"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models/backend"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/blip2"
)

// TestNamesTogether: masks of an image that share runs of CLIP get the classes that
// each gets alone, in their order.
func TestNamesTogether(t *testing.T) {
	img := imageproc.NewRGB(60, 40)
	for i := range img.Pix {
		img.Pix[i] = uint8(i / 3 % 60 * 4 * (1 + i%3))
	}
	var masks []data.RLE
	for i := range 6 {
		bits := make([]uint8, 60*40)
		for y := range 20 + i {
			for x := range 10 {
				bits[y*60+9*i+x] = 1
			}
		}
		masks = append(masks, data.EncodeRLE(bits, 60, 40))
	}
	list := []blip2.Candidate{{Class: 1, Text: "circle"}, {Class: 2, Text: "square"}, {Class: 3, Text: "triangle"}, {Text: "background"}}
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		o := DefaultNamer()
		o.Namer, o.CLIP = "clip", "tiny-clip"
		n, err := o.Open(b, Place{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := n.Names(t.Context(), img, masks, list)
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(backend.EnvAtOnce, "4")
		got, err := n.Names(t.Context(), img, masks, list)
		if err != nil || len(got) != len(masks) {
			t.Fatalf("%d names, %v", len(got), err)
		}
		for i, name := range got {
			if name.Class != want[i].Class || math.Abs(float64(name.Share-want[i].Share)) > 1e-3 || name.Share <= 0 {
				t.Errorf("mask %d is %v, alone %v", i, name, want[i])
			}
		}
		empty := data.EncodeRLE(make([]uint8, 60*40), 60, 40)
		if _, err := n.Names(t.Context(), img, []data.RLE{masks[0], empty}, list); err == nil {
			t.Error("an empty mask has a name")
		}
	})
}
