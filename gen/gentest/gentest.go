// Package gentest helps to test methods of gen.
package gentest

import (
	"fmt"

	"wsss/data"
)

// Split is a dataset of one split whose samples are in memory, without files.
type Split struct {
	Names   data.Classes
	Order   []string // ids
	Samples map[string]*data.Sample
}

// NewSplit is a dataset without samples.
func NewSplit(classes data.Classes) *Split {
	return &Split{Names: classes, Samples: map[string]*data.Sample{}}
}

// Add adds a sample, which has an ID.
func (s *Split) Add(sample *data.Sample) {
	s.Order = append(s.Order, sample.ID)
	s.Samples[sample.ID] = sample
}

// Name identifies the dataset.
func (s *Split) Name() string { return "painted" }

// Classes is the class table.
func (s *Split) Classes() data.Classes { return s.Names }

// Splits lists the one split.
func (s *Split) Splits() []string { return []string{"train"} }

// IDs lists the samples in the order in which they were added, of any split.
func (s *Split) IDs(string) ([]string, error) { return s.Order, nil }

// ImagePath is none.
func (s *Split) ImagePath(string) string { return "" }

// Load gives a copy of a sample, all of it.
func (s *Split) Load(id string, _ data.Want) (*data.Sample, error) {
	sample, ok := s.Samples[id]
	if !ok {
		return nil, fmt.Errorf("no sample %q", id)
	}
	c := *sample
	return &c, nil
}
