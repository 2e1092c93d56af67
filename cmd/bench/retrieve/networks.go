package retrieve

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/cmd/bench/internal/interleave"
	"wsss/data"
	"wsss/gen/segments"
	"wsss/models/foundation/features"
	"wsss/models/official"
)

// network gives features.
type network struct {
	name  string
	table features.Table
	dim   int
	maps  []*features.Map
}

// options is the table of a config.
func (n *network) options() map[string]any {
	o := map[string]any{"cache": n.table.Cache}
	if n.table.Model != "" {
		o["model"] = n.table.Model
	} else {
		o["network"] = n.table.Network
	}
	return o
}

// dinos are DINOv2's published sizes: width and blocks.
var dinos = map[string][2]int{"dinov2-small": {384, 12}, "dinov2-base": {768, 12}}

// network is one of a name: made here, of the folder of published ones, a file, or of the
// manifest.
func (b *bench) network(name string) (*network, error) {
	if size, ok := dinos[name]; ok {
		path := filepath.Join(b.dir, name+".safetensors")
		if _, err := os.Stat(path); err == nil {
			return &network{name: name, table: features.Table{Network: path}}, nil
		}
		return &network{name: name, table: features.Table{Network: path}}, writeDINO(path, size[0], size[1])
	}
	for _, path := range []string{filepath.Join(b.real, name+".pth"), name} {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return &network{name: filepath.Base(name), table: features.Table{Network: path}}, nil
		}
	}
	t := features.Table{Model: name}
	return &network{name: name, table: t}, t.Check("-features")
}

// writeDINO writes a DINOv2 of random weights by the names of its authors.
func writeDINO(path string, width, blocks int) error {
	r := rand.New(rand.NewPCG(1, 1))
	all := map[string]*tensors.Tensor{}
	put := func(name string, scale, mean float64, dims ...int) {
		n := 1
		for _, d := range dims {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(mean + scale*r.NormFloat64())
		}
		all[name] = tensors.FromFlatDataAndDimensions(v, dims...)
	}
	norm := func(name string) { put(name+".weight", 0.02, 1, width); put(name+".bias", 0.02, 0, width) }
	dense := func(name string, out, in int) {
		put(name+".weight", 0.02, 0, out, in)
		put(name+".bias", 0.02, 0, out)
	}
	const patch, tokens = 14, 1 + 37*37
	put("cls_token", 0.02, 0, 1, 1, width)
	put("pos_embed", 0.02, 0, 1, tokens, width)
	put("patch_embed.proj.weight", 0.02, 0, width, 3, patch, patch)
	put("patch_embed.proj.bias", 0.02, 0, width)
	for i := range blocks {
		at := fmt.Sprintf("blocks.%d.", i)
		norm(at + "norm1")
		norm(at + "norm2")
		dense(at+"attn.qkv", 3*width, width)
		dense(at+"attn.proj", width, width)
		dense(at+"mlp.fc1", 4*width, width)
		dense(at+"mlp.fc2", width, 4*width)
		put(at+"ls1.gamma", 0.1, 1, width)
		put(at+"ls2.gamma", 0.1, 1, width)
	}
	norm("norm")
	return safetensors.WriteFile(path, all, nil)
}

// source is what proposes masks, and its name in the table.
func (b *bench) source(name string) (segments.Options, string, error) {
	switch name {
	case "grabcut":
		return segments.Options{Method: "grabcut"}, "GrabCut", nil
	case "isnet":
		path := filepath.Join(b.real, "isnet.onnx")
		if _, err := os.Stat(path); err != nil {
			return segments.Options{}, "", fmt.Errorf("%w: `make real` fetches it", err)
		}
		return segments.Options{Method: "saliency", Options: map[string]any{"network": path, "norm": "half", "output": "output"}}, "ISNet, 1024²", nil
	case "sam2.1-tiny":
		encoder, decoder, err := b.sam()
		return segments.Options{Method: "sam-auto", Options: map[string]any{"encoder": encoder, "decoder": decoder, "auto": map[string]any{"points_per_side": b.points}}},
			fmt.Sprintf("SAM 2.1 tiny, %d points, random weights", b.points*b.points), err
	}
	return segments.Options{}, "", fmt.Errorf("unknown: allowed are grabcut, isnet, sam2.1-tiny")
}

// sam makes SAM 2.1 tiny with random weights.
func (b *bench) sam() (encoder, decoder string, err error) {
	weights := filepath.Join(b.dir, "sam2.pth")
	encoder, decoder = filepath.Join(b.dir, "sam2.encoder.onnx"), filepath.Join(b.dir, "sam2.decoder.onnx")
	if _, err := os.Stat(weights); err != nil {
		out, err := exec.Command(interleave.Python(), "-W", "ignore", "models/official/testdata/full_size.py", "sam2", b.dir).CombinedOutput()
		if err != nil {
			return "", "", fmt.Errorf("%s with PyTorch and transformers makes its random weights: %w\n%s", interleave.Python(), err, out)
		}
	}
	if err := official.SAM2Encoder(weights, encoder); err != nil {
		return "", "", err
	}
	return encoder, decoder, official.SAM2Decoder(weights, decoder)
}

func writeLabel(path string, label *data.LabelMap) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return data.WriteLabelMap(path, label)
}
