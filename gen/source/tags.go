package source

import (
	"fmt"
	"slices"

	"wsss/data"
	"wsss/gen"
)

// Tags are the classes of a sample's image labels, ascending, each once.
// classes counts those allowed, background not included.
func Tags(s *data.Sample, classes int) ([]int, error) {
	if s.Weak.Tags == nil {
		return nil, gen.Unlabelled(data.WeakTags)
	}
	tags := slices.Clone(s.Weak.Tags)
	slices.Sort(tags)
	tags = slices.Compact(tags)
	if len(tags) > 0 && (tags[0] < 1 || tags[len(tags)-1] > classes) {
		return nil, fmt.Errorf("tags %v: allowed are 1..%d", tags, classes)
	}
	return tags, nil
}
