package batches

import (
	"context"
	"errors"
	"io"
	"testing"
)

// Ahead keeps the order, prepares each batch before it is taken, frees what is
// not, and ends.
func TestAhead(t *testing.T) {
	made, freed := 0, 0
	next := func() (int, error) {
		made++
		if made == 4 {
			return 0, io.ErrUnexpectedEOF
		}
		return made, nil
	}
	prepare := func(b int) (string, error) { return string(rune('a' + b - 1)), nil }
	free := func(string) { freed++ }
	take, stop := Ahead(context.Background(), 9, next, prepare, free)
	for _, want := range []string{"a", "b", "c"} {
		if got, err := take(); err != nil || got != want {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	if _, err := take(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the last batch: %v", err)
	}
	stop()
	if freed != 0 {
		t.Errorf("%d batches freed that were taken", freed)
	}

	made = 0
	ctx, cancel := context.WithCancel(context.Background())
	take, stop = Ahead(ctx, 9, next, prepare, free)
	if _, err := take(); err != nil {
		t.Fatal(err)
	}
	cancel()
	stop()
	if _, err := take(); !errors.Is(err, context.Canceled) || made-freed > 2 {
		t.Errorf("after the end: %v, %d made, %d freed", err, made, freed)
	}
}

// TestFeed: in its turn a batch is fetched when it is taken, not before; ahead
// or not, the batches and the error are the same.
func TestFeed(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		made := 0
		next := func() (int, error) {
			if made == 2 {
				return 0, io.ErrUnexpectedEOF
			}
			made++
			return made, nil
		}
		take, stop := Feed(context.Background(), ahead, 9, next, func(b int) (int, error) { return 10 * b, nil }, func(int) {})
		if !ahead && made != 0 {
			t.Errorf("%d batches fetched that nobody asked for", made)
		}
		for _, want := range []int{10, 20} {
			if got, err := take(); got != want || err != nil {
				t.Errorf("ahead %t: %d, %v, want %d", ahead, got, err, want)
			}
		}
		if _, err := take(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("ahead %t: %v", ahead, err)
		}
		stop()
	}
}
