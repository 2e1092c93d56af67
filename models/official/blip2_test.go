package official_test

import (
	"context"
	"image"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/datatest"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/load"
	"wsss/models/official"
)

// TestBLIP2 compares both parts of small checkpoints under LAVIS's names with its
// code, on every backend: with the image encoder in a file of its own, and with
// one in half precision beside the Q-Former.
func TestBLIP2(t *testing.T) {
	dir := inFolder(t, "blip2.pth", "blip2_tuned.pth", "eva.pth")
	v := openValues(t, "blip2_values.pth")
	for qformer, prefix := range map[string]string{"blip2.pth": "", "blip2_tuned.pth": "tuned_"} {
		embeds, logits := v.get(map[string]string{"": "image_embeds", "tuned_": "tuned_embeds"}[prefix]), v.get(map[string]string{"": "itm_logits", "tuned_": "tuned_logits"}[prefix])
		img, match := filepath.Join(dir, "image.onnx"), filepath.Join(dir, "match.onnx")
		if err := official.BLIP2Image(filepath.Join(dir, qformer), filepath.Join(dir, "eva.pth"), img); err != nil {
			t.Fatal(err)
		}
		if err := official.BLIP2Match(filepath.Join(dir, qformer), match); err != nil {
			t.Fatal(err)
		}
		for _, spec := range backendtest.Quick(t) {
			out := run(t, spec, img, map[string]*tensors.Tensor{"pixel_values": v.get("pixel_values")}, "image_embeds")
			near(t, spec+": "+qformer+", image", out["image_embeds"], embeds)
			out = run(t, spec, match, map[string]*tensors.Tensor{"image_embeds": embeds, "input_ids": v.get("input_ids"), "attention_mask": v.get("attention_mask")}, "itm_logits")
			near(t, spec+": "+qformer+", match", out["itm_logits"], logits)
		}
	}
}

// TestBLIP2IsUsable: the pipeline scores texts with the two parts.
func TestBLIP2IsUsable(t *testing.T) {
	dir := inFolder(t, "blip2.pth", "eva.pth")
	q, vocabulary := filepath.Join(dir, "blip2.pth"), filepath.Join(dir, "vocab.txt")
	if err := official.BLIP2Image(q, filepath.Join(dir, "eva.pth"), filepath.Join(dir, "image.onnx")); err != nil {
		t.Fatal(err)
	}
	if err := official.BLIP2Match(q, filepath.Join(dir, "match.onnx")); err != nil {
		t.Fatal(err)
	}
	datatest.Write(t, vocabulary, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncat\ndog\na\n")
	b := backendtest.One(t)
	m, sessions, err := load.BLIP2(b, filepath.Join(dir, "image.onnx"), filepath.Join(dir, "match.onnx"), vocabulary, load.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	img := imageproc.FromImage(image.NewNRGBA(image.Rect(0, 0, 40, 30)))
	scores, err := m.Scores(context.Background(), img, []string{"a cat", "a dog"})
	if err != nil || len(scores) != 2 || scores[0] == scores[1] {
		t.Errorf("scores %v, %v", scores, err)
	}
}
