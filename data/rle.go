package data

import (
	"fmt"
	"image"
)

// RLE is a binary mask as run lengths in column-major order, background run
// first: COCO's convention, so that a mask goes to and from COCO JSON without
// loss. len(Counts) may be odd or even; the runs sum to W*H.
type RLE struct {
	W, H   int
	Counts []uint32
}

// EncodeRLE packs a row-major mask (non-zero = inside) of w×h bytes.
func EncodeRLE(mask []uint8, w, h int) RLE {
	r := RLE{W: w, H: h}
	var run uint32
	inside := false
	for x := 0; x < w; x++ {
		for y := 0; y < h; y++ {
			if (mask[y*w+x] != 0) != inside {
				r.Counts = append(r.Counts, run)
				run, inside = 0, !inside
			}
			run++
		}
	}
	r.Counts = append(r.Counts, run)
	return r
}

// Validate checks that the runs cover exactly W×H pixels and that the image
// is of a sane size; call it on codes read from a file.
func (r RLE) Validate() error {
	if r.W <= 0 || r.H <= 0 || int64(r.W)*int64(r.H) > MaxPixels {
		return fmt.Errorf("run-length mask of %d×%d: sides must be positive and the area at most %d", r.W, r.H, MaxPixels)
	}
	var sum uint64
	for _, c := range r.Counts {
		sum += uint64(c)
	}
	if sum != uint64(r.W)*uint64(r.H) {
		return fmt.Errorf("run-length mask covers %d pixels of %d×%d", sum, r.W, r.H)
	}
	return nil
}

// Decode unpacks into a row-major mask of W*H bytes, 1 inside.
func (r RLE) Decode() []uint8 {
	mask := make([]uint8, r.W*r.H)
	r.Each(func(x, y0, y1 int) {
		for y := y0; y < y1; y++ {
			mask[y*r.W+x] = 1
		}
	})
	return mask
}

// Each calls f for every vertical run of inside pixels: column x, rows
// y0 <= y < y1. Runs come in column order.
func (r RLE) Each(f func(x, y0, y1 int)) {
	pos := 0
	for i, c := range r.Counts {
		n := int(c)
		if i%2 == 1 {
			for n > 0 {
				x, y := pos/r.H, pos%r.H
				k := min(n, r.H-y)
				f(x, y, y+k)
				pos += k
				n -= k
			}
			continue
		}
		pos += n
	}
}

// Area is the number of inside pixels.
func (r RLE) Area() int {
	n := 0
	for i := 1; i < len(r.Counts); i += 2 {
		n += int(r.Counts[i])
	}
	return n
}

// Bounds is the smallest rectangle that holds every inside pixel; empty for an
// empty mask.
func (r RLE) Bounds() image.Rectangle {
	var b image.Rectangle
	r.Each(func(x, y0, y1 int) { b = b.Union(image.Rect(x, y0, x+1, y1)) })
	return b
}
