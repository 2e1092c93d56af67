package nearest

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// BenchmarkSearch is the bank of a large data set: 300,000 rows of 768 values,
// 256 queries a batch. It prints milliseconds a query, of
// the clock and of all processors together, and the bank's size.
func BenchmarkSearch(b *testing.B) {
	const rows, dim, queries = 300_000, 768, 256
	rng := rand.New(rand.NewPCG(3, 4))
	some := unit(rng, 1000, dim)
	x := New(dim)
	x.Grow(rows)
	for i := range rows {
		x.Add(some[i%len(some)])
	}
	qs := unit(rng, queries, dim)
	able := roughly
	defer func() { roughly = able }()
	for name, bytes := range map[string]bool{"bytes": able, "numbers": false} {
		roughly = bytes
		b.Run(name, func(b *testing.B) { search(b, x, qs) })
	}
}

func search(b *testing.B, x *Index, qs [][]float32) {
	queries := len(qs)
	if _, err := x.Search(b.Context(), qs[:1], 9, Among{}); err != nil { // the first search looks at all rows once
		b.Fatal(err)
	}
	start, before := time.Now(), processor(b)
	for b.Loop() {
		if _, err := x.Search(b.Context(), qs, 9, Among{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/1000/float64(b.N*queries), "ms/query")
	b.ReportMetric(float64((processor(b)-before).Microseconds())/1000/float64(b.N*queries), "cpu-ms/query")
	b.ReportMetric(float64(2*cap(x.rows))/(1<<20), "MiB")
}

// processor is the time that this process has used of processors.
func processor(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
