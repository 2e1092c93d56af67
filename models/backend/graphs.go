package backend

import (
	"sync/atomic"

	"github.com/gomlx/compute"
)

// compilations counts the graphs that this process has built for a new shape;
// foreseen are those that it will have built, as far as anybody knows.
var compilations, foreseen atomic.Int64

// watcher is told of every compilation.
var watcher atomic.Pointer[func()]

// NoteCompilation counts a graph that is built for a new shape, before it is.
func NoteCompilation() {
	compilations.Add(1)
	if f := watcher.Load(); f != nil {
		(*f)()
	}
}

// compilesLong tells whether an engine was opened that takes seconds to minutes
// for a new shape.
var compilesLong atomic.Bool

// CompilesLong tells whether this process has opened XLA, for which a compilation
// is something to wait for.
func CompilesLong() bool { return compilesLong.Load() }

// WatchCompilations has f called before every compilation, until another
// function, or nil, takes its place.
func WatchCompilations(f func()) {
	if f == nil {
		watcher.Store(nil)
		return
	}
	watcher.Store(&f)
}

// Compilations is how many graphs this process has built for new shapes.
func Compilations() int { return int(compilations.Load()) }

// ForeseeCompilations says that so many graphs are still to be built by the work
// that begins.
func ForeseeCompilations(n int) { foreseen.Store(compilations.Load() + int64(n)) }

// Foreseen is how many graphs this process will have built when the work that
// was foreseen is done; it may be less than there are already.
func Foreseen() int { return int(foreseen.Load()) }

// Bounds of the graphs that XLA keeps of one network. A program is some tens of
// megabytes of the host's memory; what it works in is taken when it runs.
const (
	programBytes = 64 << 20
	leastGraphs  = 32
	mostGraphs   = 512
)

// GraphsKept is how many compiled shapes of one network to keep. On XLA, where a
// new one costs more than many images, it is what a quarter of the host's memory
// holds; elsewhere graphs are cheap, and their working memory stays with them,
// so that it is few.
func GraphsKept(b compute.Backend, few int) int {
	if KindOf(b) != XLA {
		return few
	}
	return max(few, min(max(int(HostMemory()/4/programBytes), leastGraphs), mostGraphs))
}

// HostMemory is the machine's, 0 where it is not told.
func HostMemory() int64 {
	total, _ := meminfo("MemTotal")
	return total
}
