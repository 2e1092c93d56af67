package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// short is a job whose dead are noticed soon. Tests in which a living process must
// not be taken for one run by synctest's clock, which stands still while anybody
// works: however busy the machine is, nobody is late.
func short(items, size int) Plan {
	return Plan{About: "a test", Hash: "abc", Items: items, Size: size, Seconds: 0.3}
}

func join(t *testing.T, dir string, p Plan) *Job {
	t.Helper()
	j, err := Join(t.Context(), dir, p)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// die ends a process as kill -9 does: without a word.
func (j *Job) die() {
	j.stop()
	j.beats.Wait()
}

// worked counts how often each item was worked on.
type worked struct {
	mu sync.Mutex
	n  []int
}

func (w *worked) do(i int) (was bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n[i]++
	return w.n[i] > 1
}

func (w *worked) done(i int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n[i] > 0
}

// work does what a process does, until all is done or stop says so.
func work(t *testing.T, j *Job, w *worked, slow time.Duration, stop func(i int) bool) {
	for {
		p, ok, err := j.Next(t.Context())
		if err != nil {
			t.Error(err)
		}
		if !ok {
			j.Leave(nil)
			return
		}
		if p.Help {
			for i := p.To - 1; i >= p.From && !w.done(i); i-- {
				time.Sleep(slow)
				w.do(i)
			}
			continue
		}
		for i := p.From; i < p.To; i++ {
			if stop != nil && stop(i) {
				j.die()
				return
			}
			if !w.done(i) {
				time.Sleep(slow)
				w.do(i)
			}
		}
		if err := j.Finish(p, nil); err != nil {
			t.Error(err)
		}
	}
}

// Four processes, of which two die without a word and one is slow: everything
// is done, and little of it twice.
func TestDeadAndSlow(t *testing.T) { synctest.Test(t, deadAndSlow) }

func deadAndSlow(t *testing.T) {
	dir := t.TempDir()
	const n = 200
	w := &worked{n: make([]int, n)}
	var all sync.WaitGroup
	for k := range 4 {
		j := join(t, dir, short(n, 10))
		slow, stop := time.Millisecond, func(int) bool { return false }
		switch k {
		case 0, 1:
			count := 0
			stop = func(int) bool { count++; return count > 15+k }
		case 2:
			slow = 20 * time.Millisecond
		}
		all.Go(func() { work(t, j, w, slow, stop) })
	}
	all.Wait()
	twice := 0
	for i, c := range w.n {
		if c == 0 {
			t.Errorf("item %d was not done", i)
		}
		twice += max(c-1, 0)
	}
	if twice > 8 {
		t.Errorf("%d items were done twice", twice)
	}
	s, err := Status(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.Done != n || s.Open != 0 || len(s.Workers) != 4 || s.PerSecond() != 0 || s.Remaining() != 0 {
		t.Errorf("status %+v", s)
	}
	sum, items := 0.0, 0
	for _, w := range s.Workers {
		sum, items = sum+w.Seconds, items+w.Done
	}
	if got, want := s.PerThousand().Seconds(), 1000*sum/float64(max(items, 1)); items > 0 && (got < 0.999*want || got > 1.001*want) {
		t.Errorf("%.3f s for 1,000 items, want %.3f", got, want)
	}
	for _, seen := range s.Workers[:1] {
		if seen.Beat == 0 || seen.Seconds < 0 {
			t.Errorf("process %+v", seen)
		}
	}
}

// A chunk of a process that lives is not taken over, however long it takes; its
// back is worked on.
func TestLivingKeepsItsChunk(t *testing.T) { synctest.Test(t, livingKeepsItsChunk) }

func livingKeepsItsChunk(t *testing.T) {
	dir := t.TempDir()
	a, b := join(t, dir, short(8, 8)), join(t, dir, short(8, 8))
	p, ok, err := a.Next(t.Context())
	if err != nil || !ok || p.Help || p.From != 0 || p.To != 8 {
		t.Fatalf("%+v %v %v", p, ok, err)
	}
	q, ok, err := b.Next(t.Context())
	if err != nil || !ok || !q.Help {
		t.Fatalf("%+v %v %v: want the back of the other's chunk", q, ok, err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 900*time.Millisecond) // three lives of a lease
	defer stop()
	if q, ok, err := b.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%+v %v %v: the chunk of a living process was taken", q, ok, err)
	}
	a.die()
	q, ok, err = b.Next(t.Context())
	if err != nil || !ok || q.Help || q.To != 8 {
		t.Fatalf("%+v %v %v: want the dead one's chunk", q, ok, err)
	}
	// The one that was only taken for dead finishes, too: nothing is lost.
	if err := errors.Join(b.Finish(q, nil), a.Finish(p, nil)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := b.Next(t.Context()); ok || err != nil {
		t.Errorf("%v %v, want the end", ok, err)
	}
}

// A process that leaves in order gives its chunk back at once.
func TestLeaveReturns(t *testing.T) {
	dir := t.TempDir()
	p := short(8, 8)
	p.Seconds = 3600
	a, b := join(t, dir, p), join(t, dir, p)
	if _, ok, err := a.Next(t.Context()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	a.Leave(errors.New("disk on fire"))
	if q, ok, err := b.Next(t.Context()); !ok || err != nil || q.Help {
		t.Fatal(q, ok, err)
	}
	b.Leave(nil)
	s, err := Status(dir)
	if err != nil || len(s.Workers) != 2 || s.Workers[0].Error+s.Workers[1].Error != "disk on fire" {
		t.Errorf("%+v %v", s, err)
	}
}

// Files of an hour ago or ahead, as a wrong clock makes them, move no chunk.
func TestWrongClocks(t *testing.T) { synctest.Test(t, wrongClocks) }

func wrongClocks(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		dir := t.TempDir()
		p := short(4, 4)
		a, b := join(t, dir, p), join(t, dir, p)
		if _, ok, err := a.Next(t.Context()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		stop := make(chan struct{})
		var turning sync.WaitGroup
		turning.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				when := time.Now().Add(off)
				filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error { os.Chtimes(path, when, when); return nil })
			}
		})
		if q, ok, err := b.Next(t.Context()); !ok || err != nil || !q.Help {
			t.Errorf("clock off by %v: %+v %v %v", off, q, ok, err)
		}
		ctx, end := context.WithTimeout(t.Context(), 700*time.Millisecond)
		if q, _, err := b.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("clock off by %v: %+v %v", off, q, err)
		}
		end()
		close(stop)
		turning.Wait()
		a.Leave(nil)
		b.Leave(nil)
	}
}

func TestFailuresAndRetry(t *testing.T) {
	dir := t.TempDir()
	a := join(t, dir, short(30, 10))
	for range 3 {
		p, ok, err := a.Next(t.Context())
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		var failed []Failure
		if p.From == 10 {
			failed = []Failure{{"im12", "cut short"}, {"im15", strings.Repeat("x", 5000)}}
		}
		if err := a.Finish(p, failed); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, _ := a.Next(t.Context()); ok {
		t.Error("more than all")
	}
	s, err := Status(dir)
	if err != nil || s.Done != 30 || len(s.Failed) != 2 || s.Failed[0] != (Failure{"im12", "cut short"}) || len(s.Failed[1].Error) > 1100 {
		t.Errorf("%+v %v", s, err)
	}
	if n, err := Retry(dir); n != 2 || err != nil {
		t.Error(n, err)
	}
	// The owner lives on, and does not hinder the retry.
	b := join(t, dir, short(30, 10))
	p, ok, err := b.Next(t.Context())
	if err != nil || !ok || p.From != 10 || p.Help {
		t.Fatal(p, ok, err)
	}
	if err := b.Finish(p, nil); err != nil {
		t.Fatal(err)
	}
	if s, err := Status(dir); err != nil || s.Done != 30 || len(s.Failed) != 0 {
		t.Errorf("%+v %v", s, err)
	}
	a.Leave(nil)
	b.Leave(nil)
}

func TestOtherJob(t *testing.T) {
	dir := t.TempDir()
	a := join(t, filepath.Join(dir, "one"), short(5, 5))
	other := short(5, 5)
	other.Hash = "xyz"
	var o *OtherError
	if _, err := Join(t.Context(), filepath.Join(dir, "one"), other); !errors.As(err, &o) || !strings.Contains(err.Error(), "a test") {
		t.Error(err)
	}
	if name, err := Busy(dir, "xyz"); name != "one" || err != nil {
		t.Error(name, err)
	}
	if name, err := Busy(dir, "abc"); name != "" || err != nil {
		t.Error(name, err)
	}
	a.Leave(nil)
	if name, err := Busy(dir, "xyz"); name != "" || err != nil {
		t.Error(name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "one", planName), []byte(`{"hash":`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Status(filepath.Join(dir, "one")); err == nil || !strings.Contains(err.Error(), planName) {
		t.Error(err)
	}
	for _, bad := range []string{"", "..", "a/b", ".x", strings.Repeat("a", 101)} {
		if CheckName(bad) == nil {
			t.Errorf("job %q is allowed", bad)
		}
	}
}

// Of all processes one does it, also where it leaves at once while others look
// whether it lives; where it dies another does.
func TestOnce(t *testing.T) {
	for range 10 {
		synctest.Test(t, once)
	}
}

func once(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	did := 0
	dying := join(t, dir, short(1, 1))
	if err := dying.Once(t.Context(), "lesson", func() error { dying.die(); return errors.New("killed") }); err == nil {
		t.Error("no error")
	}
	var all sync.WaitGroup
	for range 8 {
		j := join(t, dir, short(1, 1))
		all.Go(func() {
			err := j.Once(t.Context(), "lesson", func() error {
				mu.Lock()
				defer mu.Unlock()
				did++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			j.Leave(nil)
		})
	}
	all.Wait()
	if did != 1 {
		t.Errorf("done %d times", did)
	}
}

func TestBoardIgnoresOthersFiles(t *testing.T) {
	b, helps := board{}, map[string]int{}
	for _, name := range []string{"000001.0", "000001.1", "000001.0.help", "000002.done", "000003.0", "000003.some", ".tmp-12-000004.0", "README", "000005.x", "000006.-1"} {
		b.note(name, helps)
	}
	want := map[string]entry{"000001": {gen: 1}, "000002": {gen: -1, done: true}, "000003": {gen: 0, done: true, some: true}}
	for key, e := range want {
		if b[key] != e {
			t.Errorf("%s: %+v, want %+v", key, b[key], e)
		}
	}
	var taken []string
	for key, e := range b {
		if e.gen >= 0 || e.done {
			taken = append(taken, key)
		}
	}
	slices.Sort(taken)
	if fmt.Sprint(taken) != "[000001 000002 000003]" {
		t.Error(taken)
	}
}

// A listing that is older than what was seen takes nothing back.
func TestBoardKeeps(t *testing.T) {
	b := board{"a": {gen: 0}, "b": {gen: 2}, "c": {gen: 1}, "new": {gen: 0, done: true}}
	b.keep(board{"a": {gen: 1, helped: true}, "b": {gen: 1, helped: true, done: true, some: true}, "c": {gen: 1, helped: true}, "d": {gen: -1, done: true}})
	want := board{"a": {gen: 1, helped: true}, "b": {gen: 2}, "c": {gen: 1, helped: true}, "d": {gen: -1, done: true}, "new": {gen: 0, done: true}}
	if !maps.Equal(b, want) {
		t.Errorf("%v, want %v", b, want)
	}
}

// TestPlaces: where a process goes on, by what is known of the chunks: "." is free,
// "x" taken, "d" done.
func TestPlaces(t *testing.T) {
	for chunks, want := range map[string]int{
		"........": 0, "x.......": 4, "d.......": 4, "x...x...": 2, "dd.xx...": 6, "..xx....": 6, "...xx.": 0, "xxxxxxxx": -1, "": -1, ".x": 0, "xd.": 2, "x.": 1,
	} {
		j := &Job{Plan: Plan{Items: len(chunks), Size: 1}, board: board{}}
		for i, c := range chunks {
			switch c {
			case 'x':
				j.board.taken(chunkKey(i), 0)
			case 'd':
				j.board.finished(chunkKey(i))
			}
		}
		if got := j.place(); got != want {
			t.Errorf("%q: %d, want %d", chunks, got, want)
		}
	}
}

// Processes that take chunks in turns each go through neighbours: a tar file is read
// by few of them.
func TestStaysWithNeighbours(t *testing.T) {
	dir := t.TempDir()
	const chunks, processes = 64, 4
	p := short(chunks, 1)
	p.Seconds = 3600
	var list [processes]*Job
	var last, jumps [processes]int
	for k := range list {
		list[k] = join(t, dir, p)
		defer list[k].Leave(nil)
	}
	taken := map[int]bool{}
	for n := range chunks {
		k := n % processes
		p, ok, err := list[k].Next(t.Context())
		if err != nil || !ok || p.Help || taken[p.From] {
			t.Fatal(p, ok, err)
		}
		taken[p.From] = true
		if p.From != last[k] {
			jumps[k]++
		}
		last[k] = p.To
		if err := list[k].Finish(p, nil); err != nil {
			t.Fatal(err)
		}
	}
	for k, n := range jumps {
		if n > chunks/processes/2 {
			t.Errorf("process %d left its neighbours %d times in %d chunks", k, n, chunks/processes)
		}
	}
}
