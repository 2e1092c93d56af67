package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes/float16"
)

// Entry is one array of a dictionary to write, either of floats or of whole
// numbers, in row-major order.
type Entry struct {
	Key    string
	Shape  []int
	Floats []float32
	Half   bool // floats are written in half precision
	Ints   []int64
}

// maxEntry bounds the bytes of one array: their count has four bytes.
const maxEntry = math.MaxUint32

// WriteDict writes a dictionary of arrays as np.save(path, dictionary) does, in
// pickle protocol 3, which every Python 3 reads:
// np.load(path, allow_pickle=True).item().
func WriteDict(w io.Writer, entries []Entry) error {
	p := &pickler{}
	p.op(0x80, 3)
	p.begin("O8", "|", 63, nil)
	p.op(']', '}', '(')
	for _, e := range entries {
		if err := p.entry(e); err != nil {
			return fmt.Errorf("array %q: %w", e.Key, err)
		}
	}
	p.op('u', 'a', 't', 'b', '.')
	header := "{'descr': '|O', 'fortran_order': False, 'shape': (), }"
	fill := 64 - (len(magic)+4+len(header)+1)%64
	header += strings.Repeat(" ", fill%64) + "\n"
	head := append(bytes.Clone(magic), 1, 0)
	head = binary.LittleEndian.AppendUint16(head, uint16(len(header)))
	for _, part := range [][]byte{head, []byte(header), p.out} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// pickler writes the operations of a pickle.
type pickler struct{ out []byte }

func (p *pickler) op(codes ...byte)   { p.out = append(p.out, codes...) }
func (p *pickler) global(name string) { p.out = append(p.out, "c"+name+"\n"...) }

func (p *pickler) text(s string) {
	p.op('X')
	p.out = append(binary.LittleEndian.AppendUint32(p.out, uint32(len(s))), s...)
}

func (p *pickler) number(n int) {
	p.op('J')
	p.out = binary.LittleEndian.AppendUint32(p.out, uint32(int32(n)))
}

// begin makes an empty array and its state but for the values: a mark, the
// version, the shape, the type and the order.
func (p *pickler) begin(kind, order string, flags int, shape []int) {
	p.global("numpy.core.multiarray\n_reconstruct")
	p.global("numpy\nndarray")
	p.op('K', 0, 0x85, 'C', 1, 'b', 0x87, 'R')
	p.op('(', 'K', 1, '(')
	for _, n := range shape {
		p.number(n)
	}
	p.op('t')
	p.global("numpy\ndtype")
	p.text(kind)
	p.op('K', 0, 'K', 1, 0x87, 'R', '(', 'K', 3)
	p.text(order)
	p.op('N', 'N', 'N')
	p.number(-1)
	p.number(-1)
	p.number(flags)
	p.op('t', 'b', 0x89)
}

func (p *pickler) entry(e Entry) error {
	n := 1
	for _, d := range e.Shape {
		if d < 0 || d > math.MaxInt32 {
			return fmt.Errorf("shape %v: allowed are sizes that fit 32 bits", e.Shape)
		}
		n *= d
	}
	if given := len(e.Floats) + len(e.Ints); given != n {
		return fmt.Errorf("%d values for the shape %v", given, e.Shape)
	}
	p.text(e.Key)
	kind, size := "f4", 4
	switch {
	case e.Ints != nil:
		kind, size = "i8", 8
	case e.Half:
		kind, size = "f2", 2
	}
	if n > maxEntry/size {
		return fmt.Errorf("shape %v: too large to write", e.Shape)
	}
	p.begin(kind, "<", 0, e.Shape)
	p.op('B')
	p.out = binary.LittleEndian.AppendUint32(p.out, uint32(n*size))
	for _, v := range e.Floats {
		if e.Half {
			p.out = binary.LittleEndian.AppendUint16(p.out, float16.FromFloat32(v).Bits())
			continue
		}
		p.out = binary.LittleEndian.AppendUint32(p.out, math.Float32bits(v))
	}
	for _, v := range e.Ints {
		p.out = binary.LittleEndian.AppendUint64(p.out, uint64(v))
	}
	p.op('t', 'b')
	return nil
}
