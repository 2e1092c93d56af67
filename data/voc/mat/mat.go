// Package mat reads integer matrices out of MATLAB 5 files (".mat", version 5
// to 7, plain or compressed): as much as the Semantic Boundaries Dataset needs
// (docs/sources.md §9). HDF5 files (version 7.3) are refused by name.
package mat

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
)

// MaxBytes bounds a file, and what one of its elements decompresses to.
const MaxBytes = 64 << 20

// Element types of the format.
const (
	miINT8       = 1
	miUINT8      = 2
	miINT16      = 3
	miUINT16     = 4
	miINT32      = 5
	miUINT32     = 6
	miSINGLE     = 7
	miDOUBLE     = 9
	miINT64      = 12
	miUINT64     = 13
	miMATRIX     = 14
	miCOMPRESSED = 15
)

// Array classes of the format.
const (
	classStruct     = 2
	classDouble     = 6
	classLastNumber = 15
)

const (
	headerBytes = 128
	maxDims     = 8
	maxFields   = 1 << 10
)

// ReadLabelMap reads the matrix that path leads to, a variable and the field
// names of nested 1×1 structs ("GTcls", "Segmentation"), as a label map: row r,
// column c of the matrix is pixel (c, r). Values must be whole numbers 0..255.
// The error names the file.
func ReadLabelMap(file string, path ...string) (*data.LabelMap, error) {
	f, _, err := files.OpenRegular(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := readBounded(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	m, err := DecodeLabelMap(raw, path...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// DecodeLabelMap is ReadLabelMap on a file's bytes.
func DecodeLabelMap(raw []byte, path ...string) (*data.LabelMap, error) {
	if bytes.HasPrefix(raw, []byte("\x89HDF")) || bytes.HasPrefix(raw, []byte("MATLAB 7.3")) {
		return nil, errors.New("MATLAB 7.3 (HDF5) file: save it with version 7 or older")
	}
	if len(raw) < headerBytes {
		return nil, fmt.Errorf("file of %d bytes is no MATLAB 5 file", len(raw))
	}
	var order binary.ByteOrder
	switch string(raw[126:128]) {
	case "IM":
		order = binary.LittleEndian
	case "MI":
		order = binary.BigEndian
	default:
		return nil, errors.New("no MATLAB 5 file: its header lacks the byte order")
	}
	s := &stream{buf: raw[headerBytes:], order: order}
	for len(s.buf) > 0 {
		e, err := s.next()
		if err != nil {
			return nil, err
		}
		if e.kind == miCOMPRESSED {
			if e, err = inflate(e.data, order); err != nil {
				return nil, err
			}
		}
		if e.kind != miMATRIX {
			continue
		}
		a, err := parseArray(e.data, order)
		if err != nil {
			return nil, err
		}
		if a.name == path[0] {
			return a.descend(path)
		}
	}
	return nil, fmt.Errorf("no variable %s", path[0])
}

func readBounded(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err == nil && len(raw) > MaxBytes {
		err = fmt.Errorf("holds more than %d bytes", MaxBytes)
	}
	return raw, err
}

// inflate returns the one element inside a compressed element.
func inflate(packed []byte, order binary.ByteOrder) (element, error) {
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return element{}, fmt.Errorf("compressed variable: %w", err)
	}
	raw, err := readBounded(z)
	if err != nil {
		return element{}, fmt.Errorf("compressed variable: %w", err)
	}
	return (&stream{buf: raw, order: order}).next()
}

type element struct {
	kind uint32
	data []byte
}

// stream cuts a byte slice into elements.
type stream struct {
	buf   []byte
	order binary.ByteOrder
}

func (s *stream) next() (element, error) {
	if len(s.buf) < 8 {
		return element{}, errors.New("file is cut off inside an element")
	}
	kind := s.order.Uint32(s.buf)
	if size := kind >> 16; size != 0 { // small element: size, type and up to 4 bytes in 8
		if size > 4 {
			return element{}, fmt.Errorf("small element of %d bytes: at most 4 fit", size)
		}
		e := element{kind & 0xffff, s.buf[4 : 4+size]}
		s.buf = s.buf[8:]
		return e, nil
	}
	size := uint64(s.order.Uint32(s.buf[4:]))
	if size > uint64(len(s.buf)-8) {
		return element{}, fmt.Errorf("file is cut off: an element of %d bytes has %d", size, len(s.buf)-8)
	}
	e := element{kind, s.buf[8 : 8+size]}
	if kind != miCOMPRESSED { // all others are padded to 8 bytes
		size = (size + 7) &^ 7
	}
	s.buf = s.buf[min(8+size, uint64(len(s.buf))):]
	return e, nil
}

// array is a matrix element whose header has been read; rest holds its values.
type array struct {
	class uint32
	dims  []int
	name  string
	rest  stream
}

func parseArray(raw []byte, order binary.ByteOrder) (*array, error) {
	a := &array{rest: stream{raw, order}}
	flags, err := a.rest.next()
	if err != nil || flags.kind != miUINT32 || len(flags.data) < 4 {
		return nil, errors.New("array lacks its flags")
	}
	a.class = order.Uint32(flags.data) & 0xff
	dims, err := a.rest.next()
	if err != nil || dims.kind != miINT32 || len(dims.data)%4 != 0 || len(dims.data) < 8 || len(dims.data) > 4*maxDims {
		return nil, errors.New("array has bad dimensions")
	}
	for d := dims.data; len(d) > 0; d = d[4:] {
		n := order.Uint32(d)
		if n > data.MaxPixels {
			return nil, fmt.Errorf("array has a side of %d", n)
		}
		a.dims = append(a.dims, int(n))
	}
	name, err := a.rest.next()
	if err != nil {
		return nil, err
	}
	a.name = string(name.data)
	return a, nil
}

// descend follows path[1:] through structs and reads the matrix there.
func (a *array) descend(path []string) (*data.LabelMap, error) {
	for i, name := range path[1:] {
		next, err := a.field(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(path[:i+1], "."), err)
		}
		a = next
	}
	m, err := a.labels()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(path, "."), err)
	}
	return m, nil
}

// field returns a field of a 1×1 struct.
func (a *array) field(want string) (*array, error) {
	if a.class != classStruct {
		return nil, errors.New("not a struct")
	}
	for _, n := range a.dims {
		if n != 1 {
			return nil, fmt.Errorf("struct array of size %v: only 1×1 is read", a.dims)
		}
	}
	s := a.rest
	length, err := s.next()
	if err != nil || length.kind != miINT32 || len(length.data) != 4 {
		return nil, errors.New("struct lacks the length of its field names")
	}
	width := int(s.order.Uint32(length.data))
	names, err := s.next()
	if err != nil || width <= 0 || width > 256 || len(names.data)%width != 0 || len(names.data)/width > maxFields {
		return nil, errors.New("struct has bad field names")
	}
	var have []string
	for n := names.data; len(n) > 0; n = n[width:] {
		name, _, _ := strings.Cut(string(n[:width]), "\x00")
		e, err := s.next()
		if err != nil {
			return nil, err
		}
		if name == want && e.kind == miMATRIX {
			return parseArray(e.data, s.order)
		}
		have = append(have, name)
	}
	return nil, fmt.Errorf("no field %s: it has %s", want, strings.Join(have, ", "))
}

// labels reads a real two-dimensional matrix, stored column by column.
func (a *array) labels() (*data.LabelMap, error) {
	if a.class < classDouble || a.class > classLastNumber || len(a.dims) != 2 {
		return nil, fmt.Errorf("not a matrix of numbers (array class %d, %d dimensions)", a.class, len(a.dims))
	}
	h, w := a.dims[0], a.dims[1]
	if h == 0 || w == 0 || int64(h)*int64(w) > data.MaxPixels {
		return nil, fmt.Errorf("matrix of %d×%d: sides must be positive and the area at most %d", h, w, data.MaxPixels)
	}
	s := a.rest
	e, err := s.next()
	if err != nil {
		return nil, err
	}
	size, number := decoder(e.kind, s.order)
	if size == 0 || len(e.data)/size != h*w || len(e.data)%size != 0 {
		return nil, fmt.Errorf("matrix of %d×%d holds %d bytes of element type %d", h, w, len(e.data), e.kind)
	}
	m := data.NewLabelMap(w, h)
	for x := range w {
		for y := range h {
			v := number(e.data[(x*h+y)*size:])
			if v < 0 || v > 255 || v != math.Trunc(v) {
				return nil, fmt.Errorf("pixel (%d,%d) has value %v: allowed are whole numbers 0..255", x, y, v)
			}
			m.Set(x, y, uint8(v))
		}
	}
	return m, nil
}

// decoder returns the bytes per value of an element type (0 for an unknown
// one) and a function that reads one.
func decoder(kind uint32, order binary.ByteOrder) (int, func([]byte) float64) {
	switch kind {
	case miINT8:
		return 1, func(b []byte) float64 { return float64(int8(b[0])) }
	case miUINT8:
		return 1, func(b []byte) float64 { return float64(b[0]) }
	case miINT16:
		return 2, func(b []byte) float64 { return float64(int16(order.Uint16(b))) }
	case miUINT16:
		return 2, func(b []byte) float64 { return float64(order.Uint16(b)) }
	case miINT32:
		return 4, func(b []byte) float64 { return float64(int32(order.Uint32(b))) }
	case miUINT32:
		return 4, func(b []byte) float64 { return float64(order.Uint32(b)) }
	case miINT64:
		return 8, func(b []byte) float64 { return float64(int64(order.Uint64(b))) }
	case miUINT64:
		return 8, func(b []byte) float64 { return float64(order.Uint64(b)) }
	case miSINGLE:
		return 4, func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) }
	case miDOUBLE:
		return 8, func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) }
	}
	return 0, nil
}
