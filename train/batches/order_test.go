package batches

import (
	"fmt"
	"slices"
	"testing"

	"wsss/data"
	"wsss/data/augment"
)

// packed is a dataset of images 0 … n-1, so many in a file of so many bytes.
type packed struct {
	data.Dataset
	per, bytes, together int64
}

func (p packed) Together() int64 { return p.together }

func (p packed) Part(id string) (string, int64, error) {
	var i int64
	_, err := fmt.Sscan(id, &i)
	return fmt.Sprintf("%d.tar", i/p.per), p.bytes, err
}

// TestOrderOfFiles: files are read one after the other, as many at a time as are allowed;
// every epoch has every image once, in an order of its own.
func TestOrderOfFiles(t *testing.T) {
	const n, per = 200, 10
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	for _, tt := range []struct {
		together int64
		files    int // that are read in any order
	}{{1, 1}, {100, 1}, {399, 3}, {400, 4}} {
		ds := packed{per: per, bytes: 100, together: tt.together}
		o, err := NewOrder(ds, ids, 7)
		again, err2 := NewOrder(ds, ids, 7)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		var epochs [2][]int
		for e := range epochs {
			for i := range n {
				epoch, at := o.At(int64(e*n + i))
				if epoch != int64(e) {
					t.Fatalf("draw %d is of epoch %d", e*n+i, epoch)
				}
				epochs[e] = append(epochs[e], at)
			}
			for from := 0; from < n; from += tt.files * per {
				window := epochs[e][from:min(n, from+tt.files*per)]
				seen := map[int]bool{}
				for _, at := range window {
					seen[at/per] = true
				}
				if len(seen) != len(window)/per {
					t.Errorf("%d together: images %v are of %d files", tt.together, window, len(seen))
				}
				if tt.files > 1 && slices.IsSortedFunc(window, func(a, b int) int { return a/per - b/per }) {
					t.Errorf("%d together: file after file: %v", tt.together, window)
				}
			}
			all := slices.Sorted(slices.Values(epochs[e]))
			for i, at := range all {
				if at != i {
					t.Fatalf("%d together: epoch %d has not every image once", tt.together, e)
				}
			}
		}
		if slices.Equal(epochs[0], epochs[1]) {
			t.Error("two epochs of one order")
		}
		for _, draw := range []int64{n + 37, 2*n - 1, 5} { // as a training that is taken up asks
			_, a := o.At(draw)
			if _, b := again.At(draw); a != b {
				t.Errorf("draw %d: %d, taken up %d", draw, a, b)
			}
		}
		rng := augment.RNG(1, 2, 3)
		for range 50 {
			if at := o.Beside(rng, 57); at/per != 5 {
				t.Fatalf("beside 57 is %d, of another file", at)
			}
		}
	}
	whole, err := NewOrder(packed{per: per, bytes: 100, together: 100 * n / per}, ids, 7)
	plain := &Order{Seed: 7, N: n}
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(2 * n) {
		_, a := whole.At(i)
		if _, b := plain.At(i); a != b {
			t.Fatalf("draw %d: all files fit, and the order is another than without files", i)
		}
	}
}
