package data

import "sync"

// Balance hands work to the one of several workers, such as the devices of a
// machine, that has the least to do. The zero value is ready, and safe for
// concurrent use.
type Balance struct {
	mu   sync.Mutex
	busy []int // pieces of work at each
}

// Take gives a piece of work to one of n workers, the first of those with the
// fewest; Done takes it off. n is the same in all calls.
func (b *Balance) Take(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy == nil {
		b.busy = make([]int, n)
	}
	least := 0
	for k, work := range b.busy {
		if work < b.busy[least] {
			least = k
		}
	}
	b.busy[least]++
	return least
}

// Done tells that worker k has finished a piece.
func (b *Balance) Done(k int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy[k]--
}
