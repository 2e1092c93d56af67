package irn

import (
	"context"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/irn"
)

// affinityNet is the segmenter of the training loop: its one map is the features,
// at an eighth of the image's size.
type affinityNet struct {
	*irn.AffinityNet
	classes, radius int
}

var (
	_ exporter             = (*affinityNet)(nil)
	_ models.WeightReader  = (*affinityNet)(nil)
	_ models.WeightAdapter = (*affinityNet)(nil)
)

// Logits is models.Segmenter's.
func (n *affinityNet) Logits(scope *model.Scope, images *Node, training bool) []*Node {
	return []*Node{n.Features(scope, images, training)}
}

// Loss is models.Taught's.
func (n *affinityNet) Loss(features, labels *Node) *Node {
	return irn.AffinityLoss(features, labels, n.classes, n.radius).Total()
}

// export writes the network of a checkpoint.
func (n *affinityNet) export(_ context.Context, job Job, _ []string, checkpoint, path string) error {
	store, err := restored(n, job.Seed, checkpoint)
	if err != nil {
		return err
	}
	defer store.Finalize()
	return n.Save(path, store.RootScope())
}
