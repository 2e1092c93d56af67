package clip

import (
	"fmt"

	"wsss/models/onnximport/onnxfile"
	"wsss/models/onnximport/vit"
)

// depths tells for every weight of a transformer, by the name of its variable,
// how deep it lies: 0 for the patch embedding and positions, 1 … n for the
// blocks, n+1 for what follows.
type depths struct {
	of     map[string]int
	blocks int
}

// readStream lists the values that enter the first block of the transformer
// before output and leave each of its blocks.
func readStream(path, output string) ([]string, error) {
	f, err := onnxfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stream := vit.Follow(f.Proto.Graph).Stream(output)
	if stream == nil {
		return nil, fmt.Errorf("%s: not a transformer that this can tell the blocks of: set finetune_clip.compute.recompute = 0", path)
	}
	return stream, nil
}

// readDepths finds the depths of the weights that output depends on.
func readDepths(path, output string) (*depths, error) {
	f, err := onnxfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w := vit.Follow(f.Proto.Graph)
	end, ok := w.Data[output]
	if !ok {
		return nil, fmt.Errorf("%s: the graph computes no %q from the image", path, output)
	}
	d := &depths{of: map[string]int{}, blocks: w.Blocks(output)}
	if d.blocks == 0 {
		return nil, fmt.Errorf("%s: not a transformer that this can tell the blocks of (%d attentions, %d residual sums): set finetune_clip.optimizer.layer_decay = 1 and freeze = 0 or -1", path, end.Softmaxes, end.Adds)
	}
	for name, use := range w.Uses {
		if d.of[name] = 0; !w.Stem[use.Node] {
			d.of[name] = min(use.Adds/2, d.blocks) + 1
		}
	}
	return d, nil
}
