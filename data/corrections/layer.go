package corrections

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"strconv"

	"wsss/data"
)

// Layer is the painted pixels of an image, row-major: 0 is untouched, else 1 +
// the label value.
type Layer struct {
	W, H int
	Pix  []uint16
}

// none is what regions takes for no label.
const none = -1

func itoa(n int) string { return strconv.Itoa(n) }

// Layer unpacks the painted pixels.
func (c *Correction) Layer() *Layer {
	l := &Layer{c.W, c.H, make([]uint16, c.W*c.H)}
	for _, r := range c.Painted {
		v := uint16(r.Class) + 1
		r.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				l.Pix[y*l.W+x] = v
			}
		})
	}
	return l
}

// SetLayer packs painted pixels.
func (c *Correction) SetLayer(l *Layer) {
	c.Painted = regions(l.W, l.H, func(i int) int { return int(l.Pix[i]) - 1 })
}

// regions packs the pixels of each label value, which at tells, in one pass
// along the columns; values ascend.
func regions(w, h int, at func(i int) int) []Region {
	type code struct {
		counts []uint32
		end    int // of the last run, in column order
	}
	codes := make(map[int]*code)
	pos, value, start := 0, none, 0
	flush := func() {
		if value == none {
			return
		}
		c := codes[value]
		if c == nil {
			c = &code{}
			codes[value] = c
		}
		if n := len(c.counts); n > 0 && c.end == start {
			c.counts[n-1] += uint32(pos - start)
		} else {
			c.counts = append(c.counts, uint32(start-c.end), uint32(pos-start))
		}
		c.end = pos
	}
	for x := range w {
		for y := range h {
			if v := at(y*w + x); v != value {
				flush()
				value, start = v, pos
			}
			pos++
		}
	}
	flush()
	var list []Region
	for v := range 256 {
		if c := codes[v]; c != nil {
			if rest := w*h - c.end; rest > 0 {
				c.counts = append(c.counts, uint32(rest))
			}
			list = append(list, Region{v, data.RLE{W: w, H: h, Counts: c.counts}})
		}
	}
	return list
}

// Runs packs values row by row as pairs of unsigned varints, value and number
// of pixels. It is how pixels travel between the page and the server.
func Runs[T uint8 | uint16](pix []T) []byte {
	var out []byte
	for i := 0; i < len(pix); {
		j := i + 1
		for j < len(pix) && pix[j] == pix[i] {
			j++
		}
		out = binary.AppendUvarint(out, uint64(pix[i]))
		out = binary.AppendUvarint(out, uint64(j-i))
		i = j
	}
	return out
}

// Change is pixels of a rectangle to paint: in Runs 0 leaves a pixel as it is,
// 1 makes it untouched, and 2 + v gives it the label value v.
type Change struct {
	Rect image.Rectangle
	Runs []byte
}

// Apply paints a change; classes bounds its label values. Nothing is changed
// where it is wrong.
func (l *Layer) Apply(ch Change, classes int) error {
	if ch.Rect.Empty() || !ch.Rect.In(image.Rect(0, 0, l.W, l.H)) {
		return fmt.Errorf("pixels of %v: allowed are rectangles inside the image of %d×%d", ch.Rect, l.W, l.H)
	}
	if err := eachRun(ch, classes, func(int, int, uint16) {}); err != nil {
		return err
	}
	return eachRun(ch, classes, func(x, y int, v uint16) {
		if v > 0 {
			l.Pix[y*l.W+x] = v - 1
		}
	})
}

func eachRun(ch Change, classes int, set func(x, y int, v uint16)) error {
	runs, at, all := ch.Runs, 0, ch.Rect.Dx()*ch.Rect.Dy()
	for len(runs) > 0 {
		v, n := binary.Uvarint(runs)
		if n <= 0 {
			return errors.New("pixels: a broken run length code")
		}
		runs = runs[n:]
		count, n := binary.Uvarint(runs)
		if n <= 0 || count > uint64(all-at) {
			return errors.New("pixels: a run beyond the rectangle")
		}
		runs = runs[n:]
		if v > 1 && v-2 >= uint64(classes) && v-2 != data.Ignore {
			return fmt.Errorf("pixels of label %d: allowed are 0..%d and %d (void)", v-2, classes-1, data.Ignore)
		}
		for range count {
			set(ch.Rect.Min.X+at%ch.Rect.Dx(), ch.Rect.Min.Y+at/ch.Rect.Dx(), uint16(v))
			at++
		}
	}
	if at != all {
		return fmt.Errorf("pixels: runs of %d for a rectangle of %d", at, all)
	}
	return nil
}
