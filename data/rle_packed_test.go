package data

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPackedRLE: columns of bits are encoded as the mask itself is, whatever lies
// below it.
func TestPackedRLE(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, size := range [][2]int{{1, 1}, {3, 8}, {5, 63}, {5, 64}, {4, 65}, {7, 130}, {50, 128}} {
		w, h := size[0], size[1]
		for _, share := range []float64{0, 0.02, 0.5, 0.98, 1} {
			stride := (h + 63) / 64 * 8
			mask, cols := make([]uint8, w*h), make([]byte, w*stride)
			for i := range cols { // what must not be looked at
				cols[i] = byte(rng.IntN(256))
			}
			for x := range w {
				for y := range h {
					bit := byte(1) << (y % 8)
					cols[x*stride+y/8] &^= bit
					if rng.Float64() < share {
						mask[y*w+x] = 1
						cols[x*stride+y/8] |= bit
					}
				}
			}
			want, got := EncodeRLE(mask, w, h), EncodePackedRLE(cols, stride, w, h)
			if got.W != w || got.H != h || !slices.Equal(got.Counts, want.Counts) {
				t.Errorf("%d×%d, %v inside: %v, want %v", w, h, share, got.Counts, want.Counts)
			}
		}
	}
}
