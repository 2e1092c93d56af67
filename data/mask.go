package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"slices"

	"wsss/checkpoints/files"
	"wsss/data/photo"
)

// RGB is a colour that stands for a class in a mask.
type RGB [3]uint8

func (c RGB) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// MaskCoding says what the pixels of a mask PNG mean. The zero value takes
// indices and grey values for classes, and colours for those of VOC's palette.
type MaskCoding struct {
	// Classes bounds what VOC's palette may name and grey RGB pixels may be,
	// background included; 0 is MaxClasses.
	Classes int
	// Colours is the table of colours and labels, where the data set has one
	// (a labelmap.txt). Pixels of RGB masks must be in it. Of an indexed mask
	// the colours of the palette count where all that occur are in it.
	Colours map[RGB]uint8
	// Binary reads masks in which only 0 and 255 occur as masks of class 1.
	Binary bool
}

// ReadLabelMap is MaskCoding{}.Read: a mask whose pixel values are classes.
func ReadLabelMap(path string) (*LabelMap, error) { return MaskCoding{}.Read(path) }

// DecodeLabelMap is ReadLabelMap on a stream.
func DecodeLabelMap(r io.Reader) (*LabelMap, error) { return MaskCoding{}.Decode(r) }

// Read reads a mask PNG (docs/sources.md §9): indexed (the index is the class),
// greyscale of up to 16 bits (the file's own value is), or RGB, of which each
// colour must stand for a class exactly. Transparent pixels of colour masks
// are background. The error names the file.
func (c MaskCoding) Read(path string) (*LabelMap, error) {
	f, _, err := files.OpenLimited(path, photo.MaxFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := c.Decode(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Decode is Read on a stream.
func (c MaskCoding) Decode(r io.Reader) (*LabelMap, error) {
	var header bytes.Buffer
	cfg, err := png.DecodeConfig(io.TeeReader(r, &header))
	if err != nil {
		return nil, fmt.Errorf("not a PNG mask: %w", err)
	}
	if int64(cfg.Width)*int64(cfg.Height) > MaxPixels {
		return nil, fmt.Errorf("mask of %d×%d pixels: at most %d are allowed", cfg.Width, cfg.Height, MaxPixels)
	}
	if header.Len() < ihdrEnd {
		return nil, errors.New("not a PNG mask: it lacks its header")
	}
	depth, colour := header.Bytes()[ihdrDepth], header.Bytes()[ihdrColour]
	defer photo.Reserve(maskBytes(depth, colour) * int64(cfg.Width) * int64(cfg.Height))()
	img, err := png.Decode(io.MultiReader(&header, r))
	if err != nil {
		return nil, fmt.Errorf("not a PNG mask: %w", err)
	}
	scale := uint8(1)
	if colour == pngGrey && depth < 8 {
		// The decoder stretches 1, 2 and 4-bit grey to 0..255; the file's own
		// values are the classes.
		scale = 255 / (1<<depth - 1)
	}
	m, err := c.labels(img, cfg.Width, cfg.Height, scale)
	if err == nil && c.Binary && m.Binary() {
		for i, v := range m.Pix {
			m.Pix[i] = v & 1
		}
	}
	return m, err
}

func (c MaskCoding) labels(img image.Image, w, h int, scale uint8) (*LabelMap, error) {
	switch p := img.(type) {
	case *image.Paletted:
		if m := c.palette(p); m != nil {
			return m, nil
		}
		return labelsFrom(p.Pix, p.Stride, w, h, 1), nil
	case *image.Gray:
		return labelsFrom(p.Pix, p.Stride, w, h, scale), nil
	case *image.Gray16:
		return deepGrey(p)
	}
	return c.colours(img, scale)
}

// Binary tells whether a map holds only 0 and void, and more void than borders
// of objects are: what other tools write for a mask of one class.
func (m *LabelMap) Binary() bool {
	void := 0
	for _, v := range m.Pix {
		if v != 0 && v != Ignore {
			return false
		}
		void += int(v & 1)
	}
	return void > len(m.Pix)/100
}

// BinaryNote is what a person must know who takes binary masks for class
// numbers. n of total masks are.
func BinaryNote(n, total int, where string) string {
	return fmt.Sprintf("%s: in %d of %d masks only 0 and %d occur: are they binary masks? %d is void, class 1 has the value 1", where, n, total, Ignore, Ignore)
}

// Offsets in a PNG file: 8 bytes of signature, 8 of chunk head, then IHDR with
// width, height, bit depth and colour type.
const (
	ihdrDepth  = 24
	ihdrColour = 25
	ihdrEnd    = 26

	pngGrey    = 0
	pngIndexed = 3
)

// maskBytes is the memory for each pixel that decoding a mask takes.
func maskBytes(depth, colour uint8) int64 {
	switch {
	case colour != pngGrey && colour != pngIndexed:
		return 1 + 4*int64(depth)/8 + 4
	case depth == 16:
		return 3
	}
	return 2
}

// labelsFrom copies decoded pixels, each divided by scale.
func labelsFrom(pix []uint8, stride, w, h int, scale uint8) *LabelMap {
	m := NewLabelMap(w, h)
	for y := range h {
		copy(m.Pix[y*w:(y+1)*w], pix[y*stride:])
	}
	if scale > 1 {
		for i := range m.Pix {
			m.Pix[i] /= scale
		}
	}
	return m
}

// deepGrey reads 16-bit grey: small numbers as they are and 65535 as void, or
// 8-bit values that a tool stretched to 16 bits.
func deepGrey(p *image.Gray16) (*LabelMap, error) {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	m := NewLabelMap(w, h)
	at := func(i int) int { return int(p.Pix[i/w*p.Stride+2*(i%w)])<<8 | int(p.Pix[i/w*p.Stride+2*(i%w)+1]) }
	stretched := true
	for i := range m.Pix {
		stretched = stretched && at(i)%257 == 0
	}
	for i := range m.Pix {
		switch v := at(i); {
		case stretched:
			m.Pix[i] = uint8(v / 257)
		case v == 0xffff:
			m.Pix[i] = Ignore
		case v > Ignore:
			return nil, fmt.Errorf("pixel (%d,%d) of a 16-bit mask has value %d: allowed are classes up to %d, and %d or 65535 (void)", i%w, i/w, v, MaxClasses-1, Ignore)
		default:
			m.Pix[i] = uint8(v)
		}
	}
	return m, nil
}

// palette reads an indexed mask by its colours, nil where there is no table or
// one of the colours is not in it.
func (c MaskCoding) palette(p *image.Paletted) *LabelMap {
	if c.Colours == nil {
		return nil
	}
	m := labelsFrom(p.Pix, p.Stride, p.Rect.Dx(), p.Rect.Dy(), 1)
	var label [256]int // of a palette index, plus one
	for i, v := range m.Pix {
		if label[v] == 0 {
			r, g, b, _ := p.Palette[v].RGBA()
			l, known := c.Colours[RGB{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}]
			if !known {
				return nil
			}
			label[v] = int(l) + 1
		}
		m.Pix[i] = uint8(label[v] - 1)
	}
	return m
}

// mostColours bounds the different colours of a mask: a photo is none.
const mostColours = 1 << 12

// colours reads a mask by its colours. scale divides grey ones.
func (c MaskCoding) colours(img image.Image, scale uint8) (*LabelMap, error) {
	p := ToNRGBA(img)
	m := NewLabelMap(p.Rect.Dx(), p.Rect.Dy())
	first := map[RGB]int{} // the pixel that shows a colour first
	for y := range m.H {
		row := p.Pix[y*p.Stride:]
		for x := range m.W {
			if q := row[4*x : 4*x+4]; q[3] != 0 {
				rgb := RGB{q[0], q[1], q[2]}
				if _, seen := first[rgb]; !seen {
					if first[rgb] = y*m.W + x; len(first) > mostColours {
						return nil, fmt.Errorf("a mask of more than %d colours: is it a photo? Allowed are PNGs whose pixels are class numbers, or colours that stand for classes exactly", mostColours)
					}
				}
			}
		}
	}
	table, err := c.table(first, scale, m.W)
	if err != nil {
		return nil, err
	}
	for y := range m.H {
		row := p.Pix[y*p.Stride:]
		for x := range m.W {
			if q := row[4*x : 4*x+4]; q[3] != 0 {
				m.Pix[y*m.W+x] = table[RGB{q[0], q[1], q[2]}]
			}
		}
	}
	return m, nil
}

// ColourError says that a colour of a mask stands for no class.
type ColourError struct {
	Colours []RGB // all that occur in the mask, sorted
	text    string
}

func (e *ColourError) Error() string { return e.text }

// MaskColours lists the colours of a mask PNG that is read by its colours,
// sorted; none of one whose indices or grey values are the classes.
func MaskColours(path string) ([]RGB, error) {
	_, err := MaskCoding{Colours: map[RGB]uint8{}}.Read(path)
	var unknown *ColourError
	if errors.As(err, &unknown) {
		return unknown.Colours, nil
	}
	return nil, err
}

// table finds the label of every colour that occurs. Without a table of the
// data set's own, masks whose colours are all grey class numbers are read as
// these, others as VOC's palette.
func (c MaskCoding) table(first map[RGB]int, scale uint8, w int) (map[RGB]uint8, error) {
	classes := c.Classes
	if classes == 0 {
		classes = MaxClasses
	}
	table, what := c.Colours, "the data set's table of colours"
	if table == nil {
		grey := make(map[RGB]uint8, len(first))
		for rgb := range first {
			if v := rgb[0] / scale; rgb[0] == rgb[1] && rgb[1] == rgb[2] && (int(v) < classes || v == Ignore) {
				grey[rgb] = v
			}
		}
		if len(grey) == len(first) {
			return grey, nil
		}
		table, what = vocColours(classes), fmt.Sprintf("VOC's palette of %d classes (data.options.colours, or a labelmap.txt, names others)", classes)
	}
	odd := RGB{}
	at := -1
	for rgb, i := range first {
		if _, known := table[rgb]; !known && (at < 0 || i < at) {
			odd, at = rgb, i
		}
	}
	if at >= 0 {
		return nil, &ColourError{
			Colours: slices.SortedFunc(maps.Keys(first), func(a, b RGB) int { return slices.Compare(a[:], b[:]) }),
			text:    fmt.Sprintf("pixel (%d,%d) of a colour mask is %v, which stands for no class in %s", at%w, at/w, odd, what),
		}
	}
	return table, nil
}

func vocColours(classes int) map[RGB]uint8 {
	table := make(map[RGB]uint8, classes+1)
	add := func(i int) {
		r, g, b, _ := vocPalette[i].RGBA()
		table[RGB{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}] = uint8(i)
	}
	for i := range min(classes, MaxClasses) {
		add(i)
	}
	add(Ignore)
	return table
}
