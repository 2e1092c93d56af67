package data

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
)

// Divide splits ids into train and val, each ascending. fraction, in (0, 1), is
// val's share; both get an id where there are two. Each id is drawn by its own
// hash and the seed, so that a new image moves few of the others.
func Divide(ids []string, fraction float64, seed int64) (train, val []string) {
	score := make(map[string]uint64, len(ids))
	for _, id := range ids {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d/%s", seed, id)
		score[id] = Mix(h.Sum64())
	}
	drawn := slices.Clone(ids)
	slices.SortFunc(drawn, func(a, b string) int { return cmp.Or(cmp.Compare(score[a], score[b]), cmp.Compare(a, b)) })
	n := min(max(int(math.Round(fraction*float64(len(ids)))), min(1, len(ids)-1)), max(len(ids)-1, 0))
	val, train = drawn[:n:n], drawn[n:]
	slices.Sort(val)
	slices.Sort(train)
	return train, val
}

// CheckFraction checks the option val_fraction; 0 is unset.
func CheckFraction(f float64) error {
	if f != 0 && !(f > 0 && f < 1) {
		return fmt.Errorf("val_fraction = %v: allowed is a number between 0 and 1", f)
	}
	return nil
}

// Mix spreads the bits of a hash (the finaliser of splitmix64): FNV leaves
// the high bits of similar names alike.
func Mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
