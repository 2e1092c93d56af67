package train

import (
	"fmt"

	"wsss/configs"
	"wsss/data/words"
	"wsss/models/backend"
)

// advise explains an error of a training step that ran out of memory; others
// pass unchanged.
func advise(err error, t configs.Train) error {
	var remedies []string
	if b := smallerBatch(t); b > 0 {
		remedies = append(remedies, fmt.Sprintf("train.batch = %d with train.accumulate = %d (the same images per update; train.compute.fit_batch = true finds the largest that fits)", b, t.Accumulate*2))
	}
	if t.Recompute == 0 {
		remedies = append(remedies, "train.compute.recompute = 4 (slower, the same result)")
	}
	if t.Precision != "bf16" {
		remedies = append(remedies, `train.compute.precision = "bf16" (on a GPU)`)
	}
	remedies = append(remedies, fmt.Sprintf("train.augment.crop = %d or train.network.width = %g smaller", t.Crop, t.Width))
	return backend.AdviseMemory(err, fmt.Sprintf("a training step of %s of %d×%d pixels", words.Plural(t.Batch, "image"), t.Crop, t.Crop), remedies...)
}

// smallerBatch is about half of the batch, 0 where the network or its devices
// allow no smaller one.
func smallerBatch(t configs.Train) int {
	devices := max(t.Devices, 1)
	smaller := t
	smaller.Batch = (t.Batch/devices + 1) / 2 * devices
	if smaller.Batch >= t.Batch || CheckBatch(smaller) != nil {
		return 0
	}
	return smaller.Batch
}
