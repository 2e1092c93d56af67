package jobs

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"wsss/checkpoints/files"
	"wsss/checkpoints/store/storetest"
)

// TestTakeoverOnBucket: of four processes that see a chunk's owner dead at the
// same moment, one has the chunk, every time, of 200 in the long form; and the
// owner, if it lives after all, knows that it has it no more.
func TestTakeoverOnBucket(t *testing.T) {
	s := storetest.Serve(t)
	root, err := files.Mount("out", s.Address("jobs"), false)
	if err != nil {
		t.Fatal(err)
	}
	s.Race(storetest.Rounds(), func(round int) { takeover(t, filepath.Join(root, fmt.Sprint(round)), round%2 == 0) })
}

// takeover has four processes take the chunk of one that said that it ends, or fell
// silent.
func takeover(t *testing.T, dir string, says bool) {
	p := Plan{About: "a test", Hash: "abc", Items: 8, Size: 8, Seconds: 3600}
	owner := joinIn(t, dir, p)
	had, ok, err := owner.Next(t.Context())
	if err != nil || !ok || had.Help {
		t.Errorf("%+v %v %v", had, ok, err)
		return
	}
	owner.die()
	if says {
		owner.Leave(errors.New("disk on fire"))
	}
	var others [4]*Job
	var parts [4]int
	var all sync.WaitGroup
	for k := range others {
		j := joinIn(t, dir, p)
		others[k] = j
		w, err := readWorker(dir, owner.worker)
		if err != nil {
			t.Error(err)
		}
		j.seen[owner.worker] = sighting{w.Beat, time.Now().Add(-2 * time.Hour)}
		all.Go(func() {
			i, _, help, _, err := j.returned()
			if err != nil {
				t.Error(err)
			}
			if parts[k] = -1; !help {
				parts[k] = i
			}
		})
	}
	all.Wait()
	owners := 0
	for k, j := range others {
		if parts[k] == 0 {
			owners++
			j.doubt = true
			if !j.Holds(Part{key: chunkKey(0), gen: j.board.of(chunkKey(0)).gen}) {
				t.Errorf("%s: the owner does not hold its chunk", dir)
			}
		}
		j.die()
	}
	if owners != 1 {
		t.Errorf("%s: %d processes have the chunk", dir, owners)
	}
	if owner.doubt = true; owner.Holds(had) {
		t.Errorf("%s: the chunk is still the dead one's", dir)
	}
}

func joinIn(t *testing.T, dir string, p Plan) *Job {
	j, err := Join(t.Context(), dir, p)
	if err != nil {
		t.Error(err)
		panic(err)
	}
	return j
}

// TestHolds: a process that was stopped for a while asks the store whether its
// chunk is its own; one that beats does not ask.
func TestHolds(t *testing.T) {
	dir := t.TempDir()
	p := short(16, 8)
	p.Seconds = 3600
	a, b := join(t, dir, p), join(t, dir, p)
	part, ok, err := a.Next(t.Context())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if a.doubtful() || !a.Holds(part) {
		t.Error("a chunk taken just now")
	}
	a.mu.Lock()
	a.told = a.told.Add(-3601 * time.Second) // it slept
	a.mu.Unlock()
	if !a.doubtful() || !a.Holds(part) {
		t.Error("nobody took it")
	}
	a.mu.Lock()
	a.told = a.told.Add(-3601 * time.Second)
	a.mu.Unlock()
	if err := a.tell(); err != nil { // it beats again before it looks
		t.Fatal(err)
	}
	if ok, err := b.lease(part.key, 1); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if !a.doubtful() || a.Holds(part) {
		t.Error("another has it, and it was not noticed")
	}
	if !a.Holds(Part{Help: true, key: part.key}) {
		t.Error("helping needs no chunk")
	}
	a.die()
	b.die()
}

// TestLeaseInTheMaking: a lease whose owner is not written down yet is nobody's to
// take: without hard links it is made in two steps.
func TestLeaseInTheMaking(t *testing.T) {
	dir := t.TempDir()
	p := short(8, 8)
	p.Seconds = 3600
	j := join(t, dir, p)
	if err := files.CreateNew(j.path("000000.0"), nil); err != nil {
		t.Fatal(err)
	}
	if i, _, help, waiting, err := j.returned(); err != nil || i == 0 && !help || i != 0 && !waiting {
		t.Errorf("took chunk %d, %v %v", i, help, err)
	}
	j.seen["000000.0"] = sighting{0, time.Now().Add(-2 * time.Hour)} // its maker died in between
	if i, _, help, _, err := j.returned(); err != nil || i != 0 || help {
		t.Errorf("chunk %d, %v %v: want the one that nobody made to its end", i, help, err)
	}
	j.die()
}

// TestGoesOnBehindTheFront: whoever takes a chunk over begins behind what its owners
// have told to be finished, of a dead one and of one that left; a retry begins anew.
func TestGoesOnBehindTheFront(t *testing.T) {
	dir := t.TempDir()
	next := func(j *Job, from, to int) Part {
		t.Helper()
		p, ok, err := j.Next(t.Context())
		for p.Help { // until the owner is known to be dead
			p, ok, err = j.Next(t.Context())
		}
		if err != nil || !ok || p.From != from || p.To != to {
			t.Fatalf("%+v %v %v, want %d..%d", p, ok, err, from, to)
		}
		return p
	}
	a := join(t, dir, short(20, 10))
	p := next(a, 0, 10)
	if err := a.Finish(p, nil); err != nil {
		t.Fatal(err)
	}
	q := next(a, 10, 20)
	a.Through(p, 9) // of another part: says nothing of this one
	a.Through(q, 4)
	if err := a.tell(); err != nil { // the beat
		t.Fatal(err)
	}
	a.die()
	b := join(t, dir, short(20, 10))
	q = next(b, 14, 20)
	b.Through(q, 2)
	b.Leave(errors.New("stopped"))
	c := join(t, dir, short(20, 10))
	next(c, 16, 20)
	c.die() // before it did anything
	d := join(t, dir, short(20, 10))
	q = next(d, 16, 20)
	d.Through(q, 1)
	if err := errors.Join(d.Finish(q, []Failure{{"17", "damaged"}}), d.tell()); err != nil {
		t.Fatal(err)
	}
	if n, err := Retry(dir); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	next(d, 10, 20)
	d.Leave(nil)
}
