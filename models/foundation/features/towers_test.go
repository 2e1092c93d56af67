package features

import (
	"image"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/manifest"
	"wsss/models/weights/weightstest"
)

// picture is the made-up photo of testdata/gen_towers.py.
func picture(w, h int) *imageproc.RGB {
	p := imageproc.NewRGB(w, h)
	for y := range h {
		for x := range w {
			for c := range 3 {
				p.Pix[3*(y*w+x)+c] = uint8((x*7 + y*3 + c*40 + x*y/8) % 256)
			}
		}
	}
	return p
}

// TestTowers: exports as the manifest's rows name them, opened by these rows but for
// their size, give the features of transformers within 1e-4.
func TestTowers(t *testing.T) {
	ref := weightstest.Open(t, "testdata/towers.safetensors")
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		for row, c := range map[string]struct {
			kind string
			w, h int
		}{"siglip2-base": {"siglip2", 48, 48}, "c-radio-v3-b": {"radio", 48, 32}, "c-radio-v4-so400m": {"radio", 48, 32}, "dinov3-vitb16": {"dinov3", 48, 32}} {
			m, err := manifest.Find(row)
			if err != nil {
				t.Fatal(err)
			}
			table := Table{Network: "testdata/" + c.kind + ".onnx", Norm: m.Norm, Output: m.Output, Prefix: m.Prefix, Patch: 8}
			if m.Square > 0 {
				table.Square = c.w
			}
			n, err := table.Open(b, "features")
			if err != nil {
				t.Fatal(err)
			}
			maps, err := n.Maps(t.Context(), picture(c.w, c.h), picture(c.w, c.h))
			if err != nil {
				t.Fatalf("%s: %v", row, err)
			}
			if f := maps[1]; f.W != c.w/8 || f.H != c.h/8 || f.ScaleX != 0.125 || f.ScaleY != 0.125 {
				t.Errorf("%s: a map of %d×%d at scales %v, %v", row, f.W, f.H, f.ScaleX, f.ScaleY)
			}
			pixels := make([]float32, 3*c.w*c.h)
			picture(c.w, c.h).Interleaved(n.opts.Norm, pixels, c.w, image.Point{})
			values, gw, gh, err := n.engine.run(t.Context(), pixels, 1, c.w, c.h) // before they are rounded to half precision
			if err != nil {
				t.Fatal(err)
			}
			weightstest.Near(t, c.kind, tensors.FromFlatDataAndDimensions(values[0], 1, gw*gh, maps[0].C), ref, c.kind, 1e-3)
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
