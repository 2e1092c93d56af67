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
