package sam_test

import (
	"encoding/base64"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/load"
	"wsss/models/foundation/sam"
	"wsss/models/onnximport/onnxtest"
)

// sam2Values is testdata/sam2.json.
type sam2Values struct {
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

// TestSAM2 compares a small SAM 2 of random weights, in samexporter's files, with
// what transformers makes of the same image and prompts: points in and out,
// a box, and each again with the mask that came first (testdata/gen_sam2.py).
func TestSAM2(t *testing.T) {
	ref, img, prompts := sam2Reference(t)
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

// sam2Reference reads testdata/sam2.json.
func sam2Reference(t *testing.T) (ref sam2Values, img *imageproc.RGB, prompts []sam.Prompt) {
	t.Helper()
	datatest.JSON(t, "testdata/sam2.json", &ref)
	var err error
	img = imageproc.NewRGB(ref.Width, ref.Height)
	if img.Pix, err = base64.StdEncoding.DecodeString(ref.Photo); err != nil {
		t.Fatal(err)
	}
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
	return ref, img, prompts
}

// communityEncoder is the encoder by the names of onnx-community.
func communityEncoder(t *testing.T) string {
	t.Helper()
	names := map[string]string{"image": "pixel_values", "high_res_feats_0": "image_embeddings.0", "high_res_feats_1": "image_embeddings.1", "image_embed": "image_embeddings.2"}
	rename := func(list []string) {
		for i, n := range list {
			if now, ok := names[n]; ok {
				list[i] = now
			}
		}
	}
	return onnxtest.Edited(t, "testdata/sam2_encoder.onnx", "encoder.onnx", func(g *protos.GraphProto) {
		for _, p := range slices.Concat(g.Input, g.Output) {
			if now, ok := names[p.Name]; ok {
				p.Name = now
			}
		}
		for _, n := range g.Node {
			rename(n.Input)
			rename(n.Output)
		}
	})
}

// TestCommunitySAM2 does TestSAM2 with onnx-community's names, whose decoder takes boxes
// apart from points, and no earlier masks.
func TestCommunitySAM2(t *testing.T) {
	ref, img, prompts := sam2Reference(t)
	encoder := communityEncoder(t)
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		m, files, err := load.SAM(b, encoder, "testdata/sam2_community_decoder.onnx", load.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close() //nolint:errcheck // memory only
		if m.Side() != 64 || !m.TakesBoxes() || m.TakesMasks() || !m.TellsObjects() {
			t.Errorf("side %d, boxes %t, masks %t, objects %t", m.Side(), m.TakesBoxes(), m.TakesMasks(), m.TellsObjects())
		}
		e, err := m.Embed(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		results, err := m.Predict(t.Context(), e, prompts)
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i, p := range ref.Prompts {
			for k := range 3 {
				worst = max(worst, math.Abs(float64(results[i].IoU[k])-p.IoU[k]))
				low, err := results[i].Logits(k)
				if err != nil {
					t.Fatal(err)
				}
				for j, v := range low {
					worst = max(worst, math.Abs(float64(v)-p.Low[k*256+j]))
				}
			}
		}
		if t.Logf("largest difference %.1e", worst); worst > 1e-4 {
			t.Errorf("differs by %.1e", worst)
		}
		prompts[0].Mask = make([]float32, 256)
		if _, err := m.Predict(t.Context(), e, prompts[:1]); err == nil || !strings.Contains(err.Error(), "an earlier mask: this SAM export takes none") {
			t.Errorf("an earlier mask: %v", err)
		}
		prompts[0].Mask = nil
	})
}

// TestMismatchedSAM2: encoder and decoder of different models, exports and sizes are told
// apart before anything runs.
func TestMismatchedSAM2(t *testing.T) {
	const own = "testdata/sam2_encoder.onnx"
	for _, tt := range []struct{ encoder, decoder, want string }{
		{"../zoo/sam_encoder.onnx", "testdata/sam2_decoder.onnx", "but the decoder needs image_embed: they are of different models or exports"},
		{own, "../zoo/sam_decoder.onnx", "but the decoder needs image_embeddings: they are of different models or exports"},
		{own, "testdata/sam2_community_decoder.onnx", "but the decoder needs image_embeddings.0"},
		{own, own, "not a known SAM decoder"},
		{"testdata/sam2_decoder.onnx", "testdata/sam2_decoder.onnx", "not a SAM encoder"},
	} {
		_, _, err := load.SAM(backendtest.One(t), tt.encoder, tt.decoder, load.Options{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: %v, want %q", tt.encoder, tt.decoder, err, tt.want)
		}
	}
}
