package official_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/load"
	"wsss/models/foundation/sam"
	"wsss/models/official"
	"wsss/models/onnximport/onnxfile"
)

// sam2Folder has the small SAM 2.1 under both names, and the config that tells its
// layout.
func sam2Folder(t *testing.T) string {
	t.Helper()
	dir := inFolder(t, "sam2.pt", "sam2.safetensors", "sam2_config.json")
	if err := os.Rename(filepath.Join(dir, "sam2_config.json"), filepath.Join(dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sam2Graphs builds both graphs of a checkpoint.
func sam2Graphs(t *testing.T, path string) (encoder, decoder string) {
	t.Helper()
	encoder, decoder = path+".encoder.onnx", path+".decoder.onnx"
	if err := errors.Join(official.SAM2Encoder(path, encoder), official.SAM2Decoder(path, decoder)); err != nil {
		t.Fatal(err)
	}
	return encoder, decoder
}

// TestSAM2 compares encoder and decoder of a small checkpoint, under Meta's names and
// under Hugging Face's, with Meta's package, with which transformers agrees, on every
// backend.
func TestSAM2(t *testing.T) {
	dir := sam2Folder(t)
	v := openValues(t, "sam2_values.pth")
	zeros := tensors.FromFlatDataAndDimensions(make([]float32, 32*32), 1, 1, 32, 32)
	flag := func(x float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions([]float32{x}, 1) }
	for i, file := range []string{"sam2.pt", "sam2.safetensors"} {
		encoder, decoder := sam2Graphs(t, filepath.Join(dir, file))
		specs := backendtest.Quick(t)
		if i > 0 { // the graphs are the same but for the places of weights
			specs = specs[:1]
		}
		for _, spec := range specs {
			what := spec + ", " + file + ": "
			features := []string{"image_embed", "high_res_feats_0", "high_res_feats_1"}
			out := run(t, spec, encoder, map[string]*tensors.Tensor{"image": v.get("pixels")}, features...)
			for _, name := range features {
				near(t, what+name, out[name], v.get(name))
			}
			for name, mask := range map[string]*tensors.Tensor{"none": zeros, "mask": v.get("mask_input")} {
				in := map[string]*tensors.Tensor{"point_coords": v.get("point_coords"), "point_labels": v.get("point_labels"), "mask_input": mask, "has_mask_input": flag(0)}
				if name == "mask" {
					in["has_mask_input"] = flag(1)
				}
				for _, f := range features {
					in[f] = v.get(f)
				}
				out := run(t, spec, decoder, in, "masks", "iou_predictions", "object_score_logits")
				near(t, what+"masks, "+name, out["masks"], v.get(name+"_low"))
				near(t, what+"scores, "+name, out["iou_predictions"], v.get(name+"_iou"))
				near(t, what+"object, "+name, out["object_score_logits"], v.get(name+"_object"))
			}
		}
	}
}

// sam2Prompts are those of testdata/sam2_small.py for a photo.
func sam2Prompts(w, h float64) map[string]sam.Prompt {
	floor := func(v float64) float64 { return math.Floor(v) }
	box := func(x0, y0, x1, y1 float64) *data.Box {
		return &data.Box{X0: float32(x0), Y0: float32(y0), X1: float32(x1), Y1: float32(y1)}
	}
	return map[string]sam.Prompt{
		"point":  {Points: []sam.Point{{X: w * 0.4, Y: h * 0.3}}},
		"points": {Points: []sam.Point{{X: floor(w / 2), Y: floor(h / 2)}, {X: 5, Y: 7, Background: true}}},
		"box":    {Box: box(w*0.2, h*0.1, w*0.7, h*0.9)},
		"both":   {Box: box(4, 6, w-9, h-5), Points: []sam.Point{{X: floor(w / 3), Y: floor(h / 2)}}},
	}
}

// sameMask wants an IoU of 0.999 with a reference's mask.
func sameMask(t *testing.T, what string, got, want []uint8) {
	t.Helper()
	both, either := 0, 0
	for i := range want {
		if got[i] != 0 && want[i] != 0 {
			both++
		}
		if got[i] != 0 || want[i] != 0 {
			either++
		}
	}
	if iou := float64(both) / float64(max(either, 1)); either > 0 && iou < 0.999 {
		t.Errorf("%s: IoU %.4f", what, iou)
	}
}

// TestSAM2EndToEnd goes from photos and prompts to masks and compares them with the
// sam2 package's predictor and automatic generator.
func TestSAM2EndToEnd(t *testing.T) {
	encoder, decoder := sam2Graphs(t, filepath.Join(sam2Folder(t), "sam2.pt"))
	v := openValues(t, "sam2_values.pth")
	plane := func(name string, i, area int) []uint8 {
		return tensors.MustCopyFlatData[uint8](v.get(name))[i*area : (i+1)*area]
	}
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		m, files, err := load.SAM(b, encoder, decoder, load.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer files.Close() //nolint:errcheck // memory only
		if m.Side() != 128 || !m.TakesBoxes() || !m.TakesMasks() || !m.TellsObjects() {
			t.Errorf("side %d, boxes %t, masks %t, objects %t", m.Side(), m.TakesBoxes(), m.TakesMasks(), m.TellsObjects())
		}
		for p := range 3 {
			photo := v.get(fmt.Sprintf("photo%d", p))
			img := &imageproc.RGB{W: photo.Shape().Dim(1), H: photo.Shape().Dim(0), Pix: tensors.MustCopyFlatData[uint8](photo)}
			area := img.W * img.H
			e, err := m.Embed(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			for name, prompt := range sam2Prompts(float64(img.W), float64(img.H)) {
				at := fmt.Sprintf("photo%d_%s", p, name)
				first := sam2Masks(t, m, e, prompt, at, v)
				prompt.Mask, err = first.Logits(2) // of the second of three
				if err != nil {
					t.Fatal(err)
				}
				one, err := first.Pick(sam.Single)
				if err != nil {
					t.Fatal(err)
				}
				sameMask(t, at+", the single one", enlarged(t, e, first, one), plane(at+"_one", 0, area))
				if p == 0 {
					sam2Masks(t, m, e, prompt, at+"_again", v)
				}
			}
		}
		photo := v.get("photo0")
		img := &imageproc.RGB{W: 90, H: 60, Pix: tensors.MustCopyFlatData[uint8](photo)}
		o := sam.DefaultAutoOptions()
		o.PointsPerSide, o.PredIoUThresh, o.StabilityThresh, o.BoxNMSThresh = 3, 0, 0, 1
		found, err := m.Auto(t.Context(), img, o)
		ious := tensors.MustCopyFlatData[float32](v.get("auto_iou"))
		if err != nil || len(found) != len(ious) {
			t.Fatalf("%d automatic masks, want %d, %v", len(found), len(ious), err)
		}
		for i, f := range found {
			sameMask(t, fmt.Sprintf("automatic mask %d", i), f.Bits.Decode(), plane("auto_masks", i, 90*60))
			if math.Abs(float64(f.IoU-ious[i])) > 1e-3 {
				t.Errorf("automatic mask %d: score %v, want %v", i, f.IoU, ious[i])
			}
		}
	})
}

// TestSAMTogether: photos that share runs of an encoder of ours have the masks that
// each has alone, of SAM and of SAM 2.
func TestSAMTogether(t *testing.T) {
	dir := inFolder(t, "sam.pth")
	encoder, decoder := filepath.Join(dir, "encoder.onnx"), filepath.Join(dir, "decoder.onnx")
	for _, err := range []error{official.SAMEncoder(filepath.Join(dir, "sam.pth"), encoder), official.SAMDecoder(filepath.Join(dir, "sam.pth"), decoder)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	encoder2, decoder2 := sam2Graphs(t, filepath.Join(sam2Folder(t), "sam2.pt"))
	for name, files := range map[string][2]string{"sam": {encoder, decoder}, "sam2": {encoder2, decoder2}} {
		t.Run(name, func(t *testing.T) {
			backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
				m, sessions, err := load.SAM(b, files[0], files[1], load.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer sessions.Close() //nolint:errcheck // memory only
				backendtest.SharedRuns(t, 5, 1e-3, func(i int) ([]float32, error) {
					img := imageproc.NewRGB(40+i%3, 30) // canvases are all of one size
					for k := range img.Pix {
						img.Pix[k] = uint8(k * (i + 3) % 251)
					}
					e, err := m.Embed(t.Context(), img)
					if err != nil {
						return nil, err
					}
					defer e.Free()
					results, err := m.Predict(t.Context(), e, []sam.Prompt{{Points: []sam.Point{{X: 20, Y: 15}}}})
					if err != nil {
						return nil, err
					}
					defer sam.Free(results)
					return results[0].Logits(0)
				})
			})
		})
	}
}

func enlarged(t *testing.T, e *sam.Embedding, r sam.Result, mask int) []uint8 {
	t.Helper()
	low, err := r.Logits(mask)
	if err != nil {
		t.Fatal(err)
	}
	return sam.Threshold(e.Upscale(low, r.LowSide))
}

// sam2Masks asks for a prompt and compares the three masks and their scores.
func sam2Masks(t *testing.T, m *sam.Model, e *sam.Embedding, prompt sam.Prompt, at string, v values) sam.Result {
	t.Helper()
	results, err := m.Predict(t.Context(), e, []sam.Prompt{prompt})
	if err != nil || len(results[0].IoU) != 4 {
		t.Fatalf("%s: %d scores, %v", at, len(results[0].IoU), err)
	}
	masks := at
	if !strings.HasSuffix(at, "_again") {
		masks += "_masks"
	}
	want, ious := tensors.MustCopyFlatData[uint8](v.get(masks)), tensors.MustCopyFlatData[float32](v.get(at+"_iou"))
	for i := range 3 {
		sameMask(t, fmt.Sprintf("%s, mask %d", at, i), enlarged(t, e, results[0], i+1), want[i*e.W*e.H:(i+1)*e.W*e.H])
		if diff := math.Abs(float64(results[0].IoU[i+1] - ious[i])); diff > 1e-3 {
			t.Errorf("%s, mask %d: score %v, want %v", at, i, results[0].IoU[i+1], ious[i])
		}
	}
	return results[0]
}

// TestSAM2Half: weights in half precision are cast, those of videos are named in the
// graph and not needed.
func TestSAM2Half(t *testing.T) {
	dir := sam2Folder(t)
	path := filepath.Join(dir, "half.safetensors")
	full, err := safetensors.Open(filepath.Join(dir, "sam2.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	half := map[string]*tensors.Tensor{}
	for _, name := range full.Names() {
		x, err := full.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		values := tensors.MustCopyFlatData[float32](x)
		short := make([]float16.Float16, len(values))
		for i, v := range values {
			short[i] = float16.FromFloat32(v)
		}
		half[name] = tensors.FromFlatDataAndDimensions(short, x.Shape().Dimensions...)
	}
	if err := safetensors.WriteFile(path, half, nil); err != nil {
		t.Fatal(err)
	}
	encoder, _ := sam2Graphs(t, path)
	v := openValues(t, "sam2_values.pth")
	out := run(t, "go", encoder, map[string]*tensors.Tensor{"image": v.get("pixels")}, "image_embed")
	if diff, scale := difference(t, "half", out["image_embed"], v.get("image_embed")); !(diff > 0 && diff < 0.02*scale) {
		t.Errorf("half precision: largest difference %.2g of %.2g", diff, scale)
	}
	graph, err := onnxfile.Open(encoder)
	if err != nil {
		t.Fatal(err)
	}
	defer graph.Close()
	if got := graph.Metadata(); got[official.NotNeeded] != "memory_attention" || got["weights"] != "half.safetensors" {
		t.Errorf("the graph's notes: %v", got)
	}
}

// TestSAM2Refuses: each mistake is one error that names the file.
func TestSAM2Refuses(t *testing.T) {
	dir := sam2Folder(t)
	raw, err := os.ReadFile(filepath.Join(dir, "sam2.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, raw []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("cut.safetensors", raw[:len(raw)-100])
	meta, err := os.ReadFile(filepath.Join(dir, "sam2.pt"))
	if err != nil {
		t.Fatal(err)
	}
	write("cut.pt", meta[:len(meta)/2])
	write("other.bin", []byte("no weights at all, only words"))
	one, err := os.ReadFile("testdata/sam.pth")
	if err != nil {
		t.Fatal(err)
	}
	write("sam.pth", one)
	out := filepath.Join(dir, "out.onnx")
	for name, want := range map[string]string{
		"cut.safetensors": "inside the file", "cut.pt": "cut.pt", "other.bin": "not a PyTorch checkpoint", "none.pt": "no such file",
		"sam.pth": "no tensor image_encoder.trunk.pos_embed or vision_encoder.backbone.pos_embed",
	} {
		err := official.SAM2Encoder(filepath.Join(dir, name), out)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	config := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for was, now := range map[string]string{
		"":                         "", // no file
		`"blocks_per_stage": [`:    `"blocks_per_stage": [ 9,`,
		`"num_attention_heads": 8`: `"num_attention_heads": 4`,
	} {
		if was == "" {
			err = os.Remove(config)
		} else if changed := strings.Replace(string(text), was, now, 1); changed == string(text) {
			t.Fatalf("config.json has no %s", was)
		} else {
			err = os.WriteFile(config, []byte(changed), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := official.SAM2Decoder(filepath.Join(dir, "sam2.pt"), out); err == nil || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("config %q: %v", now, err)
		}
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}
