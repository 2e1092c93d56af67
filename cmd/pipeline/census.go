package pipeline

import (
	"context"
	"path/filepath"
	"sync"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/eval/report"
	"wsss/gen"
)

// census counts the training split's images by label, class and form of weak
// label, as far as these can be read: the report is there without it, too.
func (p *Run) census(ctx context.Context) *report.Census {
	split := p.Config.Data.TrainSplit
	ids, err := p.Dataset.IDs(split)
	if err != nil {
		return nil
	}
	dir, _ := p.trainLabels()
	c := &report.Census{Split: split, Images: len(ids), Classes: make([]int, p.Dataset.Classes().Len()), Weak: map[data.WeakKind]int{}}
	var mu sync.Mutex
	err = data.Parallel(ctx, len(ids), nil, func(i int) error {
		one, err := p.counted(ids[i], dir)
		mu.Lock()
		defer mu.Unlock()
		one.addTo(c)
		return err
	})
	if err != nil {
		return nil
	}
	return c
}

// counted is what census counts of an image.
type counted struct {
	labelled bool
	verdict  corrections.Verdict
	touched  bool
	shows    []int
	forms    []data.WeakKind
}

func (o *counted) addTo(c *report.Census) {
	switch {
	case o.verdict == corrections.Rejected:
		c.Rejected++
		return
	case o.verdict == corrections.Accepted:
		c.Accepted++
	case o.touched:
		c.Touched++
	}
	if o.labelled {
		c.Labelled++
	}
	for _, k := range o.forms {
		c.Weak[k]++
	}
	for _, v := range o.shows {
		if v > 0 && v < len(c.Classes) {
			c.Classes[v]++
		}
	}
}

func (p *Run) counted(id, dir string) (o counted, err error) {
	fix, _, err := corrections.Of(p.Dataset, id)
	if err != nil {
		return o, err
	}
	if fix != nil {
		o.verdict, o.touched = fix.Verdict, fix.Verdict == corrections.Open && !fix.Empty()
	}
	s, err := p.Dataset.Load(id, data.WantWeak)
	if err != nil {
		return o, err
	}
	for _, k := range data.WeakKinds[1:] {
		if s.Weak.Has(k) {
			o.forms = append(o.forms, k)
		}
	}
	if dir == "" {
		o.labelled, err = data.HasTruth(p.Dataset, id)
		o.shows = s.Weak.Tags
		return o, err
	}
	path, err := files.Join(dir, filepath.FromSlash(id)+".png")
	if err != nil {
		return o, err
	}
	o.labelled = files.Exists(path)
	if o.shows = s.Weak.Tags; s.Weak.Tags == nil && o.labelled {
		o.shows = madeOf(dir, id)
	}
	return o, nil
}

// madeOf are the classes of the masks that a label was made from.
func madeOf(dir, id string) []int {
	path, err := files.Join(dir, filepath.FromSlash(id)+".json")
	if err != nil {
		return nil
	}
	side, err := gen.ReadSidecar(path)
	if err != nil {
		return nil // labels of other tools have none
	}
	var seen [256]bool
	for _, m := range side.Masks {
		seen[uint8(m.Class)] = true
	}
	var out []int
	for v, has := range seen {
		if has && v != data.Ignore {
			out = append(out, v)
		}
	}
	return out
}
