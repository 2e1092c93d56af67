package lock

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wsss/checkpoints/files"
	"wsss/checkpoints/store/storetest"
)

func onBucket(t *testing.T) (*storetest.Server, string) {
	t.Helper()
	s := storetest.Serve(t)
	root, err := files.Mount("out", s.Address("locks"), false)
	if err != nil {
		t.Fatal(err)
	}
	return s, root
}

// TestTakeoverOnBucket: of four processes that find a dead one's lease at the same
// moment, one has the folder, every time, of 200 in the long form.
func TestTakeoverOnBucket(t *testing.T) {
	s, root := onBucket(t)
	count := storetest.Rounds()
	s.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	for round := range count {
		s.Put(fmt.Sprintf("locks/%d/.leases/1", round), []byte(`{"pid":7,"host":"elsewhere","command":"train"}`))
	}
	s.Now = time.Now
	s.Race(count, func(round int) { takeover(t, filepath.Join(root, fmt.Sprint(round))) })
	if keys := s.Keys("locks/"); len(keys) != count {
		t.Errorf("left are %v", keys)
	}
}

// takeover has four processes take a folder at once.
func takeover(t *testing.T, dir string) {
	var has atomic.Int32
	var all sync.WaitGroup
	locks := make([]*Lock, 4)
	for k := range locks {
		all.Go(func() {
			l, err := Acquire(dir, "test")
			if err == nil {
				has.Add(1)
				locks[k] = l
			} else if !errors.As(err, new(*HeldError)) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if has.Load() != 1 {
		t.Errorf("%s: %d have the folder", dir, has.Load())
	}
	for _, l := range locks {
		if err := l.Still(); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		l.Release()
	}
	l, err := Acquire(dir, "next")
	if err != nil {
		t.Errorf("%s, given back: %v", dir, err)
	}
	l.Release()
}

// TestOneAtATimeOnBucket: among many that take and give back, never two have it.
func TestOneAtATimeOnBucket(t *testing.T) {
	s, root := onBucket(t)
	s.Late = func() { time.Sleep(rand.N(300 * time.Microsecond)) }
	oneAtATime(t, 6, func() (*Lock, error) { return Acquire(root, "test") }, func(had int32) bool { return had < 15 }, time.Millisecond)
}

// TestSlowOwnerOnBucket: who was taken for dead is told so, and takes nothing away
// from who has the folder now.
func TestSlowOwnerOnBucket(t *testing.T) {
	defer func(a, b time.Duration) { renewEvery, expireAfter = a, b }(renewEvery, expireAfter)
	renewEvery = time.Hour
	s, root := onBucket(t)
	slow, err := Acquire(root, "train")
	if err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if err := Check(root); !errors.As(err, &held) || held.Holder.Command != "train" || !strings.HasPrefix(err.Error(), "s3://") {
		t.Errorf("Check: %v", err)
	}
	expireAfter = 0
	next, err := Acquire(root, "run")
	if err != nil {
		t.Fatal(err)
	}
	expireAfter = time.Hour
	if err := slow.Still(); !errors.Is(err, ErrLost) {
		t.Errorf("Still: %v, want ErrLost", err)
	}
	slow.Release()
	if err := Check(root); !errors.As(err, &held) || held.Holder.Command != "run" {
		t.Errorf("after the slow one left: %v", err)
	}
	next.Release()
	if err := Check(root); err != nil {
		t.Error(err)
	}
	for _, clock := range []time.Duration{-time.Hour, time.Hour} { // of the store: it is asked for the time, too
		s.Now = func() time.Time { return time.Now().Add(clock) }
		l, err := Acquire(root, "train")
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(root); !errors.As(err, &held) {
			t.Errorf("a clock off by %v: %v", clock, err)
		}
		l.Release()
	}
}
