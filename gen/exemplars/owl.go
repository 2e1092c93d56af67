package exemplars

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models/foundation/owl"
	"wsss/models/manifest"
)

// owlFinder asks OWLv2 for what looks like the exemplars.
type owlFinder struct {
	net     *owl.Model
	least   float64
	queries []owl.Query
	classes []int
	of      []int // exemplar of each query
}

func openOWL(b compute.Backend, o owlOptions) (*owlFinder, error) {
	path := o.Network
	if path == "" {
		var err error
		if path, err = manifest.Resolve(o.ModelDir, "", o.model(), familyOWL, "model"); err != nil {
			return nil, fmt.Errorf("[gen.options.owl] %w", err)
		}
	}
	net, err := owl.Open(b, path)
	if err != nil {
		return nil, fmt.Errorf("[gen.options.owl] %w", err)
	}
	return &owlFinder{net: net, least: o.MinScore}, nil
}

func (f *owlFinder) files() map[string]string { return f.net.Files() }
func (f *owlFinder) masked() bool             { return false }
func (f *owlFinder) begin()                   { f.queries, f.classes, f.of = nil, nil, nil }
func (f *owlFinder) ready() error             { return nil }

func (f *owlFinder) study(ctx context.Context, img *imageproc.RGB, boxes []data.Box, _ []data.RLE, first int) ([]bool, error) {
	p, err := f.net.Look(ctx, img)
	if err != nil {
		return nil, err
	}
	learnt := make([]bool, len(boxes))
	for i, b := range boxes {
		if q := p.Query(b); q != nil {
			f.queries, f.classes, f.of = append(f.queries, q), append(f.classes, b.Class), append(f.of, first+i)
			learnt[i] = true
		}
	}
	return learnt, nil
}

func (f *owlFinder) find(ctx context.Context, img *imageproc.RGB) ([]found, error) {
	p, err := f.net.Look(ctx, img)
	if err != nil {
		return nil, err
	}
	var list []found
	for _, d := range p.Find(f.queries, f.classes, f.least) {
		list = append(list, found{d.Box, d.Score, f.of[d.Query]})
	}
	return list, nil
}
