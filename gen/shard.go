package gen

import (
	"fmt"
	"strconv"
	"strings"
)

// Shard is one part of a split, for array jobs: part Index of Count, counted
// from 0. The zero value is the whole split.
type Shard struct {
	Index, Count int
}

// ParseShard reads "i/n" with 0 <= i < n, as -shard takes it; "" is the whole
// split.
func ParseShard(s string) (Shard, error) {
	if s == "" {
		return Shard{}, nil
	}
	left, right, ok := strings.Cut(s, "/")
	i, err1 := strconv.Atoi(left)
	n, err2 := strconv.Atoi(right)
	if !ok || err1 != nil || err2 != nil || n < 1 || i < 0 || i >= n {
		return Shard{}, fmt.Errorf("shard %q: allowed is i/n with 0 <= i < n, such as 0/8 … 7/8", s)
	}
	return Shard{Index: i, Count: n}, nil
}

// String is the form that ParseShard reads.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Count)
}

// Of returns the shard's ids, in order: every Count-th one, so that shards of
// a split sorted by difficulty or size take about equally long. The shards of
// one Count are disjoint and together the whole list.
func (s Shard) Of(ids []string) []string {
	if s.Count == 0 {
		return ids
	}
	var mine []string
	for k := s.Index; k < len(ids); k += s.Count {
		mine = append(mine, ids[k])
	}
	return mine
}
