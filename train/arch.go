package train

import (
	"fmt"

	"wsss/configs"
	"wsss/models"
	"wsss/models/deeplab"
)

// NewSegmenter builds the network that a [train] table names.
func NewSegmenter(t configs.Train, classes int) (models.Segmenter, error) {
	net, err := deeplab.New(t, classes)
	if err != nil {
		return nil, fmt.Errorf("train.arch = %q: %w", t.Arch, err)
	}
	return net, nil
}

// initialise loads the weight file of a [train] table into a new network.
func initialise(n *network, t configs.Train, log func(string)) error {
	m, err := deeplab.Init(n.store.RootScope(), t)
	if err != nil {
		return err
	}
	log("initial weights: " + m.String())
	return nil
}
