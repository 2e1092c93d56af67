package sam_test

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"wsss/data"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/imageproc"
	"wsss/models/foundation/load"
	"wsss/models/foundation/sam"
)

// TestSAM2 compares a small SAM 2 of random weights, in samexporter's files, with
// what transformers makes of the same image and prompts: points in and out,
// a box, and each again with the mask that came first (testdata/gen_sam2.py).
func TestSAM2(t *testing.T) {
	var ref struct {
		Width, Height int
		Photo         string
		Prompts       []struct {
			Points     [][2]float64
			Labels     []int
			Box        []float32
			IoU        []float64
			Low, Again []float64
		}
	}
	raw, err := os.ReadFile("testdata/sam2.json")
	if err == nil {
		err = json.Unmarshal(raw, &ref)
	}
	if err != nil {
		t.Fatal(err)
	}
	img := imageproc.NewRGB(ref.Width, ref.Height)
	if img.Pix, err = base64.StdEncoding.DecodeString(ref.Photo); err != nil {
		t.Fatal(err)
	}
	var prompts []sam.Prompt
	for _, p := range ref.Prompts {
		var q sam.Prompt
		for i, at := range p.Points {
			q.Points = append(q.Points, sam.Point{X: at[0], Y: at[1], Background: p.Labels[i] == 0})
		}
		if p.Box != nil {
			q.Box = &data.Box{X0: p.Box[0], Y0: p.Box[1], X1: p.Box[2], Y1: p.Box[3]}
		}
		prompts = append(prompts, q)
	}
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		m, files, err := load.SAM(b, "testdata/sam2_encoder.onnx", "testdata/sam2_decoder.onnx", load.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close() //nolint:errcheck // memory only
		if m.Side() != 64 || !m.TakesBoxes() || !m.TakesMasks() {
			t.Errorf("side %d, boxes %v, masks %v", m.Side(), m.TakesBoxes(), m.TakesMasks())
		}
		e, err := m.Embed(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		first, err := m.Predict(t.Context(), e, prompts)
		if err != nil {
			t.Fatal(err)
		}
		again := append([]sam.Prompt(nil), prompts...)
		for i, r := range first {
			if again[i].Mask, err = r.Logits(1); err != nil {
				t.Fatal(err)
			}
		}
		second, err := m.Predict(t.Context(), e, again)
		if err != nil {
			t.Fatal(err)
		}
		worst, scale := 0.0, 0.0
		for i, p := range ref.Prompts {
			if len(first[i].IoU) != 3 || first[i].LowSide != 16 {
				t.Fatalf("prompt %d: %d masks of side %d", i, len(first[i].IoU), first[i].LowSide)
			}
			for k := range 3 {
				worst = max(worst, math.Abs(float64(first[i].IoU[k])-p.IoU[k]))
				low, err := first[i].Logits(k)
				if err != nil {
					t.Fatal(err)
				}
				more, err := second[i].Logits(k)
				if err != nil {
					t.Fatal(err)
				}
				for j, v := range low {
					scale = max(scale, math.Abs(p.Low[k*256+j]))
					worst = max(worst, math.Abs(float64(v)-p.Low[k*256+j]), math.Abs(float64(more[j])-p.Again[k*256+j]))
				}
				if up := e.Upscale(low, 16); len(up) != ref.Width*ref.Height {
					t.Errorf("%d pixels", len(up))
				}
			}
		}
		t.Logf("largest difference %.1e, of logits up to %.1f", worst, scale)
		if worst > 1e-4*max(scale, 1) {
			t.Errorf("differs by %.1e", worst)
		}
		if _, err := m.Auto(t.Context(), img, sam.AutoOptions{PointsPerSide: 2, PointsPerBatch: 4, CropPointsDownscale: 1, BoxNMSThresh: 0.7, CropNMSThresh: 0.7}); err != nil {
			t.Errorf("automatic masks: %v", err)
		}
	})
}

// TestMismatchedSAM2: the decoder of SAM 2 needs its own encoder.
func TestMismatchedSAM2(t *testing.T) {
	_, _, err := load.SAM(backendtest.One(t), "../zoo/sam_encoder.onnx", "testdata/sam2_decoder.onnx", load.Options{})
	if err == nil || !strings.Contains(err.Error(), "high_res_feats_0") && !strings.Contains(err.Error(), "image_embed") {
		t.Errorf("%v", err)
	}
}
