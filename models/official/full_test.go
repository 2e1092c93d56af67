package official_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/official"
	"wsss/models/weights/pth"
)

// TestFullSize compares networks of their published sizes with the reference
// packages, where WSSS_OFFICIAL names a folder that testdata/full_size.py has
// filled; WSSS_BACKENDS chooses the backends, by commas, "go" if empty.
func TestFullSize(t *testing.T) {
	dir := os.Getenv("WSSS_OFFICIAL")
	if dir == "" {
		t.Skip("WSSS_OFFICIAL names no folder of testdata/full_size.py")
	}
	specs := strings.Split(os.Getenv("WSSS_BACKENDS"), ",")
	if specs[0] == "" {
		specs = []string{"go"}
	}
	for name, tt := range map[string]struct {
		build  func(path, out string) error
		inputs []string
		output string
	}{
		"sam":     {official.SAMEncoder, []string{"pixel_values"}, "image_embeddings"},
		"sam2":    {official.SAM2Encoder, []string{"image"}, "image_embed"},
		"ram":     {official.RAM, []string{"image"}, "logits"},
		"qformer": {official.BLIP2Match, []string{"image_embeds", "input_ids", "attention_mask"}, "itm_logits"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := pth.Open(filepath.Join(dir, name+"_values.pth"))
			if err != nil {
				t.Skip(err)
			}
			defer r.Close()
			v := values{t, r}
			out := filepath.Join(dir, name+".onnx")
			if err := tt.build(filepath.Join(dir, name+".pth"), out); err != nil {
				t.Fatal(err)
			}
			for _, spec := range specs {
				in := map[string]*tensors.Tensor{}
				for _, i := range tt.inputs {
					in[i] = v.get(i)
				}
				got := run(t, spec, out, in, tt.output)
				diff, scale := difference(t, name, got[tt.output], v.get(tt.output))
				t.Logf("%s on %s: largest difference %.2g of %.3g: %.2g", name, spec, diff, scale, diff/scale)
				if !(diff <= 1e-4*scale) {
					t.Errorf("%s on %s: more than 1e-4", name, spec)
				}
			}
		})
	}
}
