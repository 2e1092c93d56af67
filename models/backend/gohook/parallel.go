package gohook

import (
	"sync/atomic"

	"github.com/gomlx/compute/internal/gobackend"
)

// inParallel calls work for ranges that make up 0..n, in several goroutines
// where there are many bytes to move.
func inParallel(b *gobackend.Backend, n, bytes int, work func(first, end int)) {
	if b.Workers == nil || b.Workers.AdjustedMaxParallelism() <= 1 || bytes < 1<<18 || n < 2 {
		work(0, n)
		return
	}
	part := max(1, n/(4*b.Workers.AdjustedMaxParallelism()))
	var next atomic.Int64
	b.Workers.Saturate(func() {
		for {
			first := int(next.Add(int64(part))) - part
			if first >= n {
				return
			}
			work(first, min(first+part, n))
		}
	})
}
