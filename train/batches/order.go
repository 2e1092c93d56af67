package batches

import (
	"math/rand/v2"
	"sync"

	"wsss/data"
	"wsss/data/augment"
)

// Order is the order of images: every epoch is a fresh permutation. It is safe
// for concurrent use.
//
// Images of few large files (data.Parted) come file by file, so that each is read
// once in an epoch: the files in a fresh order, and as many as Together allows
// shuffled at a time. Where all of them fit into that, the order is the one that
// the images would have on their own.
type Order struct {
	Seed int64
	N    int

	parts    []part // nil: all images in any order
	home     []int  // index of an image → of its part
	together int64

	mu     sync.Mutex
	orders map[int64][]int // of the latest epochs
}

// part is the images of one file.
type part struct {
	index []int
	bytes int64
}

// NewOrder is the order of a dataset's images.
func NewOrder(ds data.Dataset, ids []string, seed int64) (*Order, error) {
	o := &Order{Seed: seed, N: len(ids)}
	parted := data.PartedOf(ds)
	if parted == nil {
		return o, nil
	}
	known, all := map[string]int{}, int64(0)
	for i, id := range ids {
		file, bytes, err := parted.Part(id)
		if err != nil {
			return nil, err
		}
		at, ok := known[file]
		if !ok {
			at = len(o.parts)
			known[file] = at
			o.parts = append(o.parts, part{bytes: bytes})
			all += bytes
		}
		o.parts[at].index = append(o.parts[at].index, i)
		o.home = append(o.home, at)
	}
	if o.together = parted.Together(); all <= o.together {
		o.parts, o.home = nil, nil
	}
	return o, nil
}

// At returns the epoch of a draw and the index of its image.
func (o *Order) At(draw int64) (epoch int64, index int) {
	n := int64(o.N)
	epoch = draw / n
	o.mu.Lock()
	defer o.mu.Unlock()
	order, ok := o.orders[epoch]
	if !ok {
		if o.orders == nil {
			o.orders = map[int64][]int{}
		}
		for e := range o.orders {
			if e < epoch-1 {
				delete(o.orders, e)
			}
		}
		order = o.shuffled(augment.RNG(o.Seed, epoch, -1))
		o.orders[epoch] = order
	}
	return epoch, order[draw%n]
}

// shuffled draws the order of an epoch.
func (o *Order) shuffled(rng *rand.Rand) []int {
	if o.parts == nil {
		return rng.Perm(o.N)
	}
	order := make([]int, 0, o.N)
	from, bytes := 0, int64(0)
	shuffle := func() {
		some := order[from:]
		rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
		from, bytes = len(order), 0
	}
	for _, k := range rng.Perm(len(o.parts)) {
		p := o.parts[k]
		if bytes > 0 && bytes+p.bytes > o.together {
			shuffle()
		}
		order, bytes = append(order, p.index...), bytes+p.bytes
	}
	shuffle()
	return order
}

// Beside draws another image for one: any, or of the same file where images come
// file by file.
func (o *Order) Beside(rng *rand.Rand, index int) int {
	if o.parts == nil {
		return rng.IntN(o.N)
	}
	some := o.parts[o.home[index]].index
	return some[rng.IntN(len(some))]
}
