package openimages

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// Sampling chooses among the images. Which ones it takes depends on the seed
// and the images alone, not on the order of the files.
type Sampling struct {
	// Limit is the most images with a positive class in natural proportions;
	// 0 = all.
	Limit int `json:"limit"`
	// PerClass, where positive, balances instead: up to so many images of each
	// class, an image of several classes counting for each.
	PerClass int `json:"per_class"`
	// Negatives is the most images beside them of which only absences are
	// known, for training with verified negatives.
	Negatives int   `json:"negatives"`
	Seed      int64 `json:"seed"`
}

func (s Sampling) check() error {
	if s.Limit < 0 || s.PerClass < 0 || s.Negatives < 0 {
		return fmt.Errorf("sampling %+v: numbers must not be negative", s)
	}
	if s.Limit > 0 && s.PerClass > 0 {
		return fmt.Errorf("sampling: limit %d and per-class %d exclude each other", s.Limit, s.PerClass)
	}
	return nil
}

// rank orders the images at random.
func (s Sampling) rank(id uint64) uint64 {
	h := fnv.New64a()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(s.Seed))
	binary.BigEndian.PutUint64(b[8:], id)
	_, _ = h.Write(b[:])
	// FNV mixes its last bytes badly into the high bits.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// sampler keeps the lowest ranks seen per group: memory grows with the sample,
// not with the data.
type sampler struct {
	Sampling
	positive []lowest // one per class where balanced, else one for all
	negative lowest
}

func newSampler(s Sampling, classes int) *sampler {
	c := &sampler{Sampling: s, negative: lowest{max: s.Negatives}}
	if s.PerClass > 0 {
		c.positive = make([]lowest, classes)
		for i := range c.positive {
			c.positive[i].max = s.PerClass
		}
	} else if s.Limit > 0 {
		c.positive = []lowest{{max: s.Limit}}
	}
	return c
}

// groups are the samples that an image competes in; all tells that it needs
// not compete.
func (c *sampler) groups(p picture) (in []*lowest, all bool) {
	switch {
	case len(p.positive) == 0:
		return []*lowest{&c.negative}, false
	case c.PerClass > 0:
		for _, class := range p.positive {
			in = append(in, &c.positive[class-1])
		}
		return in, false
	case c.Limit > 0:
		return []*lowest{&c.positive[0]}, false
	}
	return nil, true
}

func (c *sampler) see(p picture) {
	groups, _ := c.groups(p)
	for _, g := range groups {
		g.add(c.rank(p.id))
	}
}

func (c *sampler) takes(p picture) bool {
	groups, all := c.groups(p)
	for _, g := range groups {
		if len(g.ranks) > 0 && c.rank(p.id) <= g.ranks[0] {
			return true
		}
	}
	return all
}

// lowest is a heap of the lowest ranks, the highest of them first.
type lowest struct {
	max   int
	ranks []uint64
}

func (l *lowest) add(r uint64) {
	switch {
	case len(l.ranks) < l.max:
		heap.Push(l, r)
	case l.max > 0 && r < l.ranks[0]:
		l.ranks[0] = r
		heap.Fix(l, 0)
	}
}

func (l *lowest) Len() int           { return len(l.ranks) }
func (l *lowest) Less(i, j int) bool { return l.ranks[i] > l.ranks[j] }
func (l *lowest) Swap(i, j int)      { l.ranks[i], l.ranks[j] = l.ranks[j], l.ranks[i] }
func (l *lowest) Push(x any)         { l.ranks = append(l.ranks, x.(uint64)) }
func (l *lowest) Pop() any {
	last := l.ranks[len(l.ranks)-1]
	l.ranks = l.ranks[:len(l.ranks)-1]
	return last
}
