package multilabel

import (
	"context"
	"fmt"

	"wsss/train/lineage"
)

// lookAtData notes the photos and labels of training and validation: the best
// checkpoint and its thresholds depend on both.
func (r *run) lookAtData(ctx context.Context) error {
	r.data = lineage.Record{}
	for prefix, s := range map[string]*Examples{"": r.train, "validation: ": r.val} {
		if s == nil {
			continue
		}
		labels := make(map[string]string, len(s.IDs))
		for i, id := range s.IDs {
			labels[id] = fmt.Sprint(s.labels[i])
		}
		part, err := lineage.Of(ctx, s.ds, s.IDs, r.Hashes, func(id string) (string, error) { return labels[id], nil }, nil)
		if err != nil {
			return err
		}
		for id, im := range part {
			r.data[prefix+id] = im
		}
	}
	return nil
}
