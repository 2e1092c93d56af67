package data

import "fmt"

// Each count of COCO's compressed run lengths is written as a signed number in
// groups of five bits, low group first, one printable character per group:
// bit 5 says that more follow, and 48 ("0") is added. From the fourth count
// on, the difference to the count two places before is written: neighbouring
// columns cut an object at similar heights, so differences are short.
const (
	rleBits   = 5
	rleMore   = 1 << rleBits
	rleSign   = 1 << (rleBits - 1)
	rleOffset = '0'
	// rleGroups bounds the characters of one count: 7 groups hold any signed
	// 32-bit difference.
	rleGroups = 7
)

// COCOString returns the counts in COCO's compressed text form, as in the
// "counts" of an RLE segmentation; ParseCOCOString is its inverse.
func (r RLE) COCOString() string {
	out := make([]byte, 0, 2*len(r.Counts))
	for i, c := range r.Counts {
		v := int64(c)
		if i > 2 {
			v -= int64(r.Counts[i-2])
		}
		for more := true; more; {
			group := byte(v & (rleMore - 1))
			v >>= rleBits
			if group&rleSign != 0 {
				more = v != -1
			} else {
				more = v != 0
			}
			if more {
				group |= rleMore
			}
			out = append(out, group+rleOffset)
		}
	}
	return string(out)
}

// ParseCOCOString reads COCO's compressed counts of a mask of w×h pixels and
// checks that they cover exactly the image.
func ParseCOCOString(s string, w, h int) (RLE, error) {
	r := RLE{W: w, H: h, Counts: make([]uint32, 0, min(len(s), 1<<16))}
	for p := 0; p < len(s); {
		var v int64
		for group := 0; ; group++ {
			if p == len(s) {
				return RLE{}, fmt.Errorf("run-length text ends inside count %d", len(r.Counts))
			}
			c := int64(s[p]) - rleOffset
			if c < 0 || c >= 2*rleMore || group == rleGroups {
				return RLE{}, fmt.Errorf("run-length text has a bad character %q at %d", s[p], p)
			}
			p++
			v |= (c & (rleMore - 1)) << (rleBits * group)
			if c&rleMore == 0 {
				if c&rleSign != 0 {
					v |= -1 << (rleBits * (group + 1))
				}
				break
			}
		}
		if n := len(r.Counts); n > 2 {
			v += int64(r.Counts[n-2])
		}
		if v < 0 || v > MaxPixels {
			return RLE{}, fmt.Errorf("run-length text has a run of %d pixels: allowed are 0..%d", v, MaxPixels)
		}
		r.Counts = append(r.Counts, uint32(v))
	}
	return r, r.Validate()
}
