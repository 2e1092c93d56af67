package batches

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// TestOrder: every epoch has every image once, in an order of its own, and a
// draw is the same whoever asks first.
func TestOrder(t *testing.T) {
	const n = 7
	var all [3][]int
	o := &Order{Seed: 5, N: n}
	for e := range all {
		for k := range n {
			epoch, i := o.At(int64(e*n + k))
			if epoch != int64(e) {
				t.Fatalf("epoch %d, want %d", epoch, e)
			}
			all[e] = append(all[e], i)
		}
		if sorted := slices.Sorted(slices.Values(all[e])); !slices.Equal(sorted, []int{0, 1, 2, 3, 4, 5, 6}) {
			t.Errorf("epoch %d draws %v", e, all[e])
		}
	}
	if slices.Equal(all[0], all[1]) && slices.Equal(all[1], all[2]) {
		t.Error("every epoch has the same order")
	}
	if _, i := (&Order{Seed: 5, N: n}).At(2*n + 3); i != all[2][3] {
		t.Errorf("resumed: %d, want %d", i, all[2][3])
	}
}

func TestPrefetch(t *testing.T) {
	for _, workers := range []int{1, 3, 0} {
		next, stop := Prefetch(context.Background(), 9, workers, func(i int) (int, error) {
			time.Sleep(time.Duration(i*7%3) * time.Millisecond)
			return i * i, nil
		})
		for i := range 9 {
			if got, err := next(); got != i*i || err != nil {
				t.Errorf("%d workers: batch %d is %d (%v)", workers, i, got, err)
			}
		}
		stop()
	}
	broken := errors.New("broken")
	next, stop := Prefetch(context.Background(), 5, 2, func(i int) (int, error) { return i, broken })
	defer stop()
	if _, err := next(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	next, stop2 := Prefetch(ctx, 1<<30, 2, func(i int) (int, error) { return i, nil })
	defer stop2()
	cancel()
	for {
		if _, err := next(); err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			return
		}
	}
}
