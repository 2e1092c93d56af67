package official_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend/backendtest"
	"wsss/models/foundation"
	"wsss/models/foundation/load"
	"wsss/models/official"
)

// TestTogether: items that share runs of a graph of ours get what each gets alone.
func TestTogether(t *testing.T) {
	dir := inFolder(t, "blip2.pth", "eva.pth", "ram.pth", "ram_plus.pth", "gdino.pth", "mm_gdino.safetensors")
	at := func(name string) string { return filepath.Join(dir, name) }
	dims := map[string][]int{
		"image_embeds": {1, 5, 0}, "img": {1, 3, 64, 96}, // 0: as the graph says
		"input_ids": {1, 8}, "attention_mask": {1, 8}, "position_ids": {1, 8}, "text_token_mask": {1, 8, 8},
	}
	for name, write := range map[string]func(out string) error{
		"blip2_image": func(out string) error { return official.BLIP2Image(at("blip2.pth"), at("eva.pth"), out) },
		"blip2_match": func(out string) error { return official.BLIP2Match(at("blip2.pth"), out) },
		"ram":         func(out string) error { return official.RAM(at("ram.pth"), out) },
		"ram_plus":    func(out string) error { return official.RAM(at("ram_plus.pth"), out) },
		"gdino":       func(out string) error { return official.GroundingDINO(at("gdino.pth"), out) },
		"mm_gdino":    func(out string) error { return official.GroundingDINO(at("mm_gdino.safetensors"), out) },
	} {
		t.Run(name, func(t *testing.T) {
			out := at(name + ".onnx")
			if err := write(out); err != nil {
				t.Fatal(err)
			}
			backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
				file, err := load.Open(b, out, load.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				s := load.Together(file)
				if s == any(file) {
					t.Fatal("it takes one item at a time")
				}
				backendtest.SharedRuns(t, 5, 1e-3, func(i int) ([]float32, error) {
					in := map[string]*tensors.Tensor{}
					for _, p := range s.Inputs() {
						shape := slices.Clone(p.Dims)
						for axis, d := range dims[p.Name] {
							if shape[axis] < 0 {
								shape[axis] = d
							}
						}
						shape[0] = 1
						in[p.Name] = item(p, i, shape)
					}
					got, err := s.Run(t.Context(), in)
					if err != nil {
						return nil, err
					}
					var all []float32
					for _, p := range s.Outputs() {
						all = append(all, tensors.MustCopyFlatData[float32](got[p.Name])...)
					}
					return all, nil
				})
			})
		})
	}
}

// item is the i-th value of an input: smooth numbers, small ids, tokens that are all
// there.
func item(p foundation.Port, i int, shape []int) *tensors.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	switch p.DType {
	case dtypes.Int64:
		v := make([]int64, n)
		for k := range v {
			if v[k] = int64((k + i) % 2); p.Name == "attention_mask" {
				v[k] = 1
			}
		}
		return tensors.FromFlatDataAndDimensions(v, shape...)
	case dtypes.Bool:
		v := make([]bool, n)
		for k := range v {
			v[k] = k%(i+2) == 0
		}
		return tensors.FromFlatDataAndDimensions(v, shape...)
	}
	v := make([]float32, n)
	for k := range v {
		v[k] = float32((k*(i+3))%17)/8 - 1
	}
	return tensors.FromFlatDataAndDimensions(v, shape...)
}
