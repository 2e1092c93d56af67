package load

import (
	"context"
	"math"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/sam"
)

// picture is a made image with a bright disc.
func picture(w, h int) *imageproc.RGB {
	m := imageproc.NewRGB(w, h)
	for y := range h {
		for x := range w {
			v := uint8((x*5 + y*3) % 90)
			if math.Hypot(float64(x-w/2), float64(y-h/2)) < float64(h/4) {
				v += 140
			}
			copy(m.Pix[3*(y*w+x):], []uint8{v, 255 - v, v / 2})
		}
	}
	return m
}

// TestSignaturesAgree runs one network, exported in the published signatures,
// through the importer: Meta's and Hugging Face's give the same logits for the
// same points, and Meta's single-mask export one of the four.
func TestSignaturesAgree(t *testing.T) {
	b := backendtest.One(t)
	ctx := context.Background()
	img := picture(100, 80)
	points := sam.Prompt{Points: []sam.Point{{X: 50, Y: 40}, {X: 10, Y: 70, Background: true}}}
	ask := func(encoder, decoder string, prompts ...sam.Prompt) []sam.Result {
		t.Helper()
		m, files, err := SAM(b, "testdata/"+encoder+".onnx", "testdata/"+decoder+".onnx", Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close()
		e, err := m.Embed(ctx, img)
		if err != nil {
			t.Fatal(err)
		}
		results, err := m.Predict(ctx, e, prompts)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	same := func(a, b []float32) bool {
		for i := range a {
			if math.Abs(float64(a[i]-b[i])) > 1e-4 {
				return false
			}
		}
		return len(a) == len(b)
	}
	meta := ask("meta_encoder", "meta_decoder", points, sam.Prompt{Box: &data.Box{X0: 30, Y0: 20, X1: 70, Y1: 60}})
	hf := ask("hf_encoder", "hf_decoder", points, points)
	single := ask("meta_encoder", "meta_single_decoder", points)
	if len(meta[0].IoU) != 4 || len(hf[0].IoU) != 3 || len(single[0].IoU) != 1 {
		t.Fatalf("%d, %d and %d masks", len(meta[0].IoU), len(hf[0].IoU), len(single[0].IoU))
	}
	for i := range 3 {
		if !same(low(t, meta[0], i+1), low(t, hf[0], i)) || !same(low(t, meta[0], i+1), low(t, hf[1], i)) || !same(meta[0].IoU[1:], hf[0].IoU) {
			t.Errorf("mask %d: Hugging Face's signature gives other logits", i)
		}
	}
	if !same(low(t, single[0], 0), low(t, meta[0], 0)) { // three tokens favour token 0
		t.Error("the single mask is not token 0")
	}
	if same(low(t, meta[0], 0), low(t, meta[1], 0)) {
		t.Error("a box gives what points give")
	}
}

// low are the logits of a result's mask.
func low(t testing.TB, r sam.Result, i int) []float32 {
	t.Helper()
	values, err := r.Logits(i)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// TestEfficientSAM: boxes and points in one call, images of any size.
func TestEfficientSAM(t *testing.T) {
	b := backendtest.One(t)
	ctx := context.Background()
	m, files, err := SAM(b, "testdata/efficient_encoder.onnx", "testdata/efficient_decoder.onnx", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	var first []float32
	for _, size := range [][2]int{{100, 80}, {50, 90}} {
		e, err := m.Embed(ctx, picture(size[0], size[1]))
		if err != nil {
			t.Fatal(err)
		}
		w, h := float64(size[0]), float64(size[1])
		r, err := m.Predict(ctx, e, []sam.Prompt{
			{Box: &data.Box{X0: float32(w * 0.3), Y0: float32(h * 0.3), X1: float32(w * 0.7), Y1: float32(h * 0.7)}},
			{Points: []sam.Point{{X: w / 2, Y: h / 2}, {X: 3, Y: 3, Background: true}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(r) != 2 || len(r[0].IoU) != 3 || r[0].LowSide != 16 {
			t.Fatalf("%d results of %d masks of side %d", len(r), len(r[0].IoU), r[0].LowSide)
		}
		if got := e.Upscale(low(t, r[0], 0), r[0].LowSide); len(got) != size[0]*size[1] {
			t.Errorf("%d logits for %v pixels", len(got), size)
		}
		if first == nil {
			first = low(t, r[0], 0)
		} else if first[0] == low(t, r[0], 0)[0] {
			t.Error("another image gives the same logits")
		}
	}
	if _, err := m.Predict(ctx, &sam.Embedding{Frame: sam.NewFrame(9, 9, 64)}, []sam.Prompt{{Mask: []float32{1}}}); err == nil || !strings.Contains(err.Error(), "takes none") {
		t.Errorf("an earlier mask: %v", err)
	}
}
