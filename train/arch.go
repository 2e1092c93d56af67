package train

import (
	"fmt"

	"wsss/configs"
	"wsss/models"
	_ "wsss/models/nets" // architectures and backbones
	"wsss/models/pretrained"
)

// NewSegmenter builds the network that a [train] table names.
func NewSegmenter(t configs.Train, classes int) (models.Segmenter, error) {
	net, err := models.NewSegmenter(t, classes)
	if err != nil {
		return nil, fmt.Errorf("train.network.arch = %q: %w", t.Arch, err)
	}
	return net, nil
}

// initialise loads the weight file of a [train] table into a new network.
func initialise(n *network, t configs.Train, log func(string)) error {
	m, err := pretrained.Init(n.Segmenter, n.store.RootScope(), t)
	if err != nil {
		return err
	}
	log("initial weights: " + m.String())
	return nil
}

// CheckBatch refuses one image a device where a network with image pooling
// learns its normalisation: the pooled features are one value per channel and
// image, of which a single one has no variance, and the branch learns nothing
// but its own mean. PyTorch refuses the same.
func CheckBatch(t configs.Train) error {
	if t.FitBatch {
		t.Batch *= t.Accumulate // the largest that it may choose
	}
	devices := max(t.Devices, 1)
	if !models.PoolsImage(t.Arch) || t.BatchNorm == "frozen" || t.Batch/devices >= 2 {
		return nil
	}
	return fmt.Errorf("train.batch = %d on %d %s: %s pools each image to one value per channel, and train.network.batch_norm = %q needs two images or more on a device to normalise it; train.accumulate does not help, as every batch is normalised by itself. Set train.batch = %d (with a smaller train.augment.crop, or train.compute.recompute = 4, where memory is short), train.network.batch_norm = \"frozen\" with initial weights, or train.network.arch = %q",
		t.Batch, devices, map[bool]string{true: "device", false: "devices"}[devices == 1], t.Arch, t.BatchNorm, 2*devices, configs.Default().Train.Arch)
}
