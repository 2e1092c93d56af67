package annotation

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"

	"wsss/data"
)

// bitReader reads a packed mask bit by bit, high bits first.
type bitReader struct {
	bytes []byteList
	at    int // in bits
}

func (r *bitReader) read(n int) (v uint32, err error) {
	for range n {
		if r.at/8 >= len(r.bytes) {
			return 0, errors.New("brush: the packed mask is cut short")
		}
		v = v<<1 | uint32(r.bytes[r.at/8]>>(7-r.at%8))&1
		r.at++
	}
	return v, nil
}

// unpackBrush reads Label Studio's brush strokes: the photo's pixels in red,
// green, blue and opacity, row by row, packed as thi.ng's rle-pack does: the
// count of values (32 bits), the bits of a value and four sizes of run lengths,
// then runs of one value and stretches of several. Opaque pixels are inside.
func unpackBrush(packed []byteList, w, h int) (data.RLE, error) {
	if w <= 0 || h <= 0 || int64(w)*int64(h) > data.MaxPixels {
		return data.RLE{}, fmt.Errorf("brush on a photo of %d×%d pixels: at most %d are allowed", w, h, data.MaxPixels)
	}
	in := bitReader{bytes: packed}
	count, err := in.read(32)
	if err != nil {
		return data.RLE{}, err
	}
	if int64(count) != 4*int64(w)*int64(h) {
		return data.RLE{}, fmt.Errorf("brush of %d values on a photo of %d×%d pixels: four for each pixel are needed", count, w, h)
	}
	bits, err := in.read(5)
	if err != nil {
		return data.RLE{}, err
	}
	var sizes [4]uint32
	for i := range sizes {
		if sizes[i], err = in.read(4); err != nil {
			return data.RLE{}, err
		}
	}
	mask := make([]uint8, w*h)
	for i := 0; i < int(count); {
		if i, err = unpackRun(&in, mask, i, int(count), int(bits)+1, sizes); err != nil {
			return data.RLE{}, err
		}
	}
	return data.EncodeRLE(mask, w, h), nil
}

// unpackRun reads one run from value i on and returns where it ends.
func unpackRun(in *bitReader, mask []uint8, i, count, bits int, sizes [4]uint32) (int, error) {
	same, err := in.read(1)
	if err != nil {
		return i, err
	}
	which, err := in.read(2)
	if err != nil {
		return i, err
	}
	length, err := in.read(int(sizes[which]) + 1)
	if err != nil {
		return i, err
	}
	end := i + 1 + int(length)
	if end > count {
		return i, fmt.Errorf("brush: a run ends at value %d of %d", end, count)
	}
	var v uint32
	for k := i; k < end; k++ {
		if same == 0 || k == i {
			if v, err = in.read(bits); err != nil {
				return i, err
			}
		}
		if k%4 == 3 && v != 0 {
			mask[k/4] = 1
		}
	}
	return end, nil
}

// turnedAboutCorner are the upright bounds of a rectangle that is turned about
// its upper left corner, degrees clockwise.
func turnedAboutCorner(x, y, w, h, degrees float64) (x0, y0, x1, y1 float64) {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	corners := []float64{x, y}
	for _, p := range [][2]float64{{w, 0}, {w, h}, {0, h}} {
		corners = append(corners, x+p[0]*cos-p[1]*sin, y+p[0]*sin+p[1]*cos)
	}
	return bounds(corners)
}

// mask reads a brush, or a bitmask: a PNG of the photo's size.
func (v *studioValue) mask(kind string, w, h int) (data.RLE, error) {
	if kind == "bitmask" {
		head, text, _ := strings.Cut(v.Picture, ",")
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !strings.HasSuffix(head, ";base64") {
			return data.RLE{}, fmt.Errorf("imageDataURL %.40q: allowed is data:image/png;base64,…", v.Picture)
		}
		inside, pw, ph, err := decodeBitmap(raw)
		if err == nil && (pw != w || ph != h) {
			err = fmt.Errorf("bitmask of %d×%d pixels on a photo of %d×%d: they must be equal", pw, ph, w, h)
		}
		if err != nil {
			return data.RLE{}, err
		}
		return place(0, 0, pw, ph, w, h, inside)
	}
	if v.Format != "" && v.Format != "rle" {
		return data.RLE{}, fmt.Errorf("brush of format %q: allowed is rle", v.Format)
	}
	return unpackBrush(v.RLE, w, h)
}
