package photo

import (
	"fmt"
	"sync"
)

// MaxPixels bounds the area of any image or mask that is decoded: a hostile
// header must not allocate the machine's memory.
const MaxPixels = 1 << 28

// MaxBytes bounds the memory that all photos take while they are decoded at the
// same time in one process, and so that of any single one.
const MaxBytes = 2 << 30

// MaxFile bounds the size of a photo's file.
const MaxFile = 1 << 30

// check refuses what would take too much.
func (i Info) check() error {
	area := int64(i.Stored.X) * int64(i.Stored.Y)
	if area <= 0 {
		return fmt.Errorf("image of %d×%d pixels: the sides must be positive", i.Stored.X, i.Stored.Y)
	}
	if area > MaxPixels {
		return fmt.Errorf("image of %d×%d pixels: at most %d are allowed", i.Stored.X, i.Stored.Y, MaxPixels)
	}
	if need := i.bytes(); need > MaxBytes {
		return fmt.Errorf("image of %d×%d pixels: decoding it takes %.1f GB, at most %.1f are allowed: save it smaller, in 8 bits and as baseline JPEG",
			i.Stored.X, i.Stored.Y, float64(need)/1e9, float64(MaxBytes)/1e9)
	}
	return nil
}

// bytes is the memory that decoding takes.
func (i Info) bytes() int64 {
	per := i.decodeBytes
	if i.Orientation > 1 {
		per = max(per, 8) // the turned copy beside the stored one
	}
	return int64(per * float64(i.Stored.X) * float64(i.Stored.Y))
}

// Budget shares out a number of bytes; those who ask wait their turn, in order.
type Budget struct {
	total   int64
	mu      sync.Mutex
	free    int64
	waiting []request
}

// NewBudget shares out so many bytes.
func NewBudget(total int64) *Budget { return &Budget{total: total, free: total} }

type request struct {
	n     int64
	ready chan struct{}
}

var memory = NewBudget(MaxBytes)

// Reserve waits for n bytes, all there are at most, and returns what gives them
// back.
func (b *Budget) Reserve(n int64) (release func()) {
	n = min(n, b.total)
	b.acquire(n)
	return sync.OnceFunc(func() { b.release(n) })
}

func (b *Budget) acquire(n int64) {
	b.mu.Lock()
	if len(b.waiting) == 0 && n <= b.free {
		b.free -= n
		b.mu.Unlock()
		return
	}
	r := request{n, make(chan struct{})}
	b.waiting = append(b.waiting, r)
	b.mu.Unlock()
	<-r.ready
}

func (b *Budget) release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	for len(b.waiting) > 0 && b.waiting[0].n <= b.free {
		b.free -= b.waiting[0].n
		close(b.waiting[0].ready)
		b.waiting = b.waiting[1:]
	}
}

// Reserve is Budget.Reserve of the process's memory for decoding.
func Reserve(n int64) (release func()) { return memory.Reserve(n) }
