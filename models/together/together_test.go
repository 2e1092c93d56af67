package together

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// slow doubles numbers; a run waits for a word.
type slow struct {
	began, proceed chan struct{}
	mu             sync.Mutex
	runs           [][]int
	bad            int // the item that makes a run fail
}

func (s *slow) run(_ context.Context, _ string, items []int) ([]int, error) {
	s.began <- struct{}{}
	<-s.proceed
	s.mu.Lock()
	s.runs = append(s.runs, items)
	s.mu.Unlock()
	if slices.Contains(items, s.bad) {
		if len(items) > 1 && s.bad < 0 {
			panic("no number")
		}
		return nil, fmt.Errorf("item %d: bad", s.bad)
	}
	var out []int
	for _, v := range items {
		out = append(out, 2*v)
	}
	return out, nil
}

func newSlow(size int) (*slow, *Runs[string, int, int]) {
	s := &slow{began: make(chan struct{}), proceed: make(chan struct{}), bad: 1 << 30}
	return s, &Runs[string, int, int]{Size: func(string) int { return size }, Run: s.run}
}

// wait until so many wait for their turn.
func wait(r *Runs[string, int, int], n int) {
	for have := -1; have != n; {
		r.mu.Lock()
		have = len(r.waiting)
		r.mu.Unlock()
	}
}

// TestRuns: what comes while one runs shares the next run, of one key; everybody
// gets its own answer, and every run is of the same size.
func TestRuns(t *testing.T) {
	s, r := newSlow(4)
	var wg sync.WaitGroup
	ask := func(key string, v int) {
		wg.Go(func() {
			if got, err := r.Do(t.Context(), key, v); got != 2*v || err != nil {
				t.Errorf("%d: %d, %v", v, got, err)
			}
		})
	}
	ask("a", 1)
	<-s.began
	for i := range 5 {
		ask("a", 2+i)
	}
	ask("b", 9)
	wait(r, 6)
	s.proceed <- struct{}{}
	for range 3 { // four of a, the fifth, and b, in the order of who gets the turn
		<-s.began
		s.proceed <- struct{}{}
	}
	wg.Wait()
	if len(s.runs) != 4 {
		t.Fatalf("runs of %v: want 4", s.runs)
	}
	for _, items := range s.runs {
		if len(items) != 4 || slices.Contains(items, 9) && slices.Min(items) != 9 {
			t.Errorf("a run of %v", items)
		}
	}
}

// TestRunsFail: an item that cannot be computed fails alone, whether its run ends
// with an error or a panic.
func TestRunsFail(t *testing.T) {
	for _, bad := range []int{5, -5} {
		s, r := newSlow(3)
		s.bad = bad
		var wg sync.WaitGroup
		ask := func(v int) {
			wg.Go(func() {
				got, err := r.Do(t.Context(), "", v)
				if v == bad {
					if err == nil || !strings.Contains(err.Error(), "bad") && !strings.Contains(err.Error(), "no number") {
						t.Errorf("%d: %v", v, err)
					}
				} else if got != 2*v || err != nil {
					t.Errorf("%d: %d, %v", v, got, err)
				}
			})
		}
		ask(1)
		<-s.began
		for _, v := range []int{2, bad, 3} {
			ask(v)
		}
		wait(r, 3)
		go func() {
			for range s.began {
				s.proceed <- struct{}{}
			}
		}()
		s.proceed <- struct{}{}
		wg.Wait()
		close(s.began)
		if n := len(s.runs); n != 6 || r.Single() { // the first, three together, each of these again, and the bad one in a run of one
			t.Errorf("%d runs: %v, single %t", n, s.runs, r.Single())
		}
	}
}

// TestSingle: what fails for several items is asked for one at a time from then on,
// whether one or several were asked for.
func TestSingle(t *testing.T) {
	var mu sync.Mutex
	var sizes []int
	r := Runs[string, int, int]{
		Size: func(string) int { return 3 },
		Run: func(_ context.Context, _ string, items []int) ([]int, error) {
			mu.Lock()
			defer mu.Unlock()
			if sizes = append(sizes, len(items)); len(items) > 1 {
				return nil, errors.New("one item, please")
			}
			return items, nil
		},
	}
	for v := range 3 {
		if got, err := r.Do(t.Context(), "", v); got != v || err != nil {
			t.Errorf("%d: %d, %v", v, got, err)
		}
	}
	if !slices.Equal(sizes, []int{3, 1, 1, 1}) || !r.Single() {
		t.Errorf("runs of %v items, single %t", sizes, r.Single())
	}
	r.single.Store(false)
	for range 2 {
		sizes = nil
		if got, err := r.All(t.Context(), "", []int{5, 6}); !slices.Equal(got, []int{5, 6}) || err != nil {
			t.Errorf("all: %d, %v", got, err)
		}
	}
	if !slices.Equal(sizes, []int{1, 1}) {
		t.Errorf("runs of %v items", sizes)
	}
}

// TestRunsEnd: who does not want its answer any more costs no run, and takes
// none from others.
func TestRunsEnd(t *testing.T) {
	s, r := newSlow(2)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if got, err := r.Do(ctx, "", 1); got != 2 || err != nil { // it began before
			t.Errorf("%d, %v", got, err)
		}
	})
	<-s.began
	wg.Go(func() {
		if _, err := r.Do(ctx, "other", 2); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	wait(r, 1)
	cancel()
	s.proceed <- struct{}{}
	wg.Wait()
	if wait(r, 0); len(s.runs) != 1 {
		t.Errorf("runs %v", s.runs)
	}
}

// TestRunsFree: what nobody asked for is given back, what somebody did is not.
func TestRunsFree(t *testing.T) {
	freed := 0
	r := &Runs[string, int, *int]{
		Size: func(string) int { return 3 },
		Run: func(_ context.Context, _ string, items []int) (out []*int, err error) {
			for _, v := range items {
				out = append(out, &v)
			}
			return out, nil
		},
		Free: func(v *int) { freed, *v = freed+1, 0 },
	}
	if got, err := r.Do(t.Context(), "", 5); err != nil || *got != 5 || freed != 2 {
		t.Errorf("%v, %v, %d freed", *got, err, freed)
	}
}

// TestRunsOfOne: items of a size of 1 run at the same time.
func TestRunsOfOne(t *testing.T) {
	s, r := newSlow(1)
	var wg sync.WaitGroup
	for v := range 2 {
		wg.Go(func() {
			if got, err := r.Do(t.Context(), "", v); got != 2*v || err != nil {
				t.Errorf("%d: %d, %v", v, got, err)
			}
		})
	}
	<-s.began
	<-s.began // while the first waits
	s.proceed <- struct{}{}
	s.proceed <- struct{}{}
	wg.Wait()
}
