package data

import (
	"encoding/binary"
	"math/bits"
)

// EncodePackedRLE encodes a mask of w×h pixels whose columns are bits: row y of
// column x is bit y%8, lowest first, of cols[x*stride+y/8]. Bits of rows from h on
// are not looked at. stride is a multiple of 8.
func EncodePackedRLE(cols []byte, stride, w, h int) RLE {
	r := RLE{W: w, H: h}
	begin, inside := 0, uint64(0) // of the run, counted in columns one below the other
	for x := range w {
		for y := 0; y < h; y += 64 {
			word, n := binary.LittleEndian.Uint64(cols[x*stride+y/8:]), min(64, h-y)
			// Bits that differ from the run's are ones.
			for at := 0; at < n; {
				next := at + bits.TrailingZeros64((word^-inside)>>at)
				if next >= n {
					break
				}
				r.Counts = append(r.Counts, uint32(x*h+y+next-begin))
				begin, inside, at = x*h+y+next, 1-inside, next
			}
		}
	}
	r.Counts = append(r.Counts, uint32(w*h-begin))
	return r
}
