package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// machine interprets the opcodes of pickle protocols 2 to 5.
type machine struct {
	Reader
	in    []byte // what is left to read, of a file what was read ahead
	file  rest   // … and what follows it there
	stack []any
	marks []int // stack heights at MARK
	memo  map[uint32]any
	spent int // bytes of what was made, kept or not
}

// What values take in memory, about: a place on the stack or in a container, a
// boxed number, a container, an entry of a map.
const (
	placeCost = 16
	boxCost   = 16
	boxesCost = 96
	entryCost = 96
)

// spend counts memory before it is taken.
func (m *machine) spend(bytes int) error {
	if m.spent += bytes; m.spent > maxMemory {
		return fmt.Errorf("pickle makes values of more than %d MB", maxMemory>>20)
	}
	return nil
}

var (
	errCut  = errors.New("pickle is cut off")
	errTake = errors.New("pickle takes more values than it made")
)

// run reads to the STOP opcode and returns the value on the stack.
func (m *machine) run() (any, error) {
	for range maxSteps {
		op, err := m.take(1)
		if err != nil {
			return nil, err
		}
		if op[0] == '.' {
			return m.pop()
		}
		if err := m.spend(cost(op[0])); err != nil {
			return nil, err
		}
		if err := m.step(op[0]); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("pickle of more than %d steps", maxSteps)
}

// cost is what an opcode makes at most, beside text and items.
func cost(op byte) int {
	switch op {
	case '(':
		return placeCost
	case ')', ']', '}', 't', 0x85, 0x86, 0x87, 'R', 0x81, 'Q', 'c', 0x93:
		return boxesCost
	case 'q', 'r', 0x94:
		return entryCost
	case 'a', 's':
		return 4 * placeCost
	case '0', '1', 0x80, 0x95, 'e', 'u':
		return 0
	}
	return placeCost + boxCost
}

func (m *machine) take(n int) ([]byte, error) {
	if err := m.fill(n); err != nil {
		return nil, err
	}
	b := m.in[:n:n]
	m.in = m.in[n:]
	return b, nil
}

// sized takes a little-endian length of the given width, then that many bytes.
func (m *machine) sized(width int) ([]byte, error) {
	n, err := m.length(width)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

// length takes a little-endian length of the given width, of something that is
// there.
func (m *machine) length(width int) (int, error) {
	n, err := m.uint(width)
	if err != nil {
		return 0, err
	}
	if n > uint64(len(m.in))+uint64(m.file.size) {
		return 0, errCut
	}
	return int(n), nil
}

func (m *machine) uint(width int) (uint64, error) {
	b, err := m.take(width)
	if err != nil {
		return 0, err
	}
	var full [8]byte
	copy(full[:], b)
	return binary.LittleEndian.Uint64(full[:]), nil
}

func (m *machine) line() (string, error) {
	for from := 0; ; {
		if i := bytes.IndexByte(m.in[from:], '\n'); i >= 0 {
			b, err := m.take(from + i + 1)
			return string(b[:from+i]), err
		}
		if from = len(m.in); m.file.size == 0 || from > maxLine {
			return "", errCut
		}
		if err := m.fill(from + 1); err != nil {
			return "", err
		}
	}
}

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	return nil
}

func (m *machine) pop() (any, error) {
	n := len(m.stack)
	if n == 0 || len(m.marks) > 0 && n <= m.marks[len(m.marks)-1] {
		return nil, errTake
	}
	v := m.stack[n-1]
	m.stack = m.stack[:n-1]
	return v, nil
}

func (m *machine) top() (any, error) {
	if len(m.stack) == 0 {
		return nil, errTake
	}
	return m.stack[len(m.stack)-1], nil
}

// popMark returns a copy of the values above the last mark and drops them.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("pickle lacks a mark")
	}
	at := m.marks[len(m.marks)-1]
	m.marks = m.marks[:len(m.marks)-1]
	if err := m.spend(3 * placeCost * (len(m.stack) - at)); err != nil {
		return nil, err
	}
	items := append([]any(nil), m.stack[at:]...)
	m.stack = m.stack[:at]
	return items, nil
}

func (m *machine) popN(n int) ([]any, error) {
	items := make([]any, n)
	for i := n - 1; i >= 0; i-- {
		v, err := m.pop()
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return items, nil
}

// step runs one opcode.
func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := m.uint(1)
		if err == nil && (v < 2 || v > 5) {
			err = fmt.Errorf("pickle protocol %d: allowed are 2 to 5", v)
		}
		return err
	case 0x95: // FRAME
		_, err := m.take(8)
		return err
	case '(': // MARK
		m.marks = append(m.marks, len(m.stack))
		return nil
	case '0': // POP
		_, err := m.pop()
		return err
	case '1': // POP_MARK
		_, err := m.popMark()
		return err
	case 'c', 0x93: // GLOBAL, STACK_GLOBAL
		return m.global(op)
	case 'R', 0x81: // REDUCE, NEWOBJ
		return m.reduce()
	case 'b': // BUILD
		return m.build()
	case 'Q': // BINPERSID
		return m.persistent()
	case 'q', 'r', 0x94, 'h', 'j': // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
		return m.remember(op)
	case ')', 't', 0x85, 0x86, 0x87, ']', 'a', 'e', '}', 's', 'u':
		return m.container(op)
	}
	return m.literal(op)
}

// remember moves values to and from the memo.
func (m *machine) remember(op byte) error {
	width := map[byte]int{'q': 1, 'r': 4, 'h': 1, 'j': 4, 0x94: 0}[op]
	key, err := m.uint(width)
	if err != nil {
		return err
	}
	if op == 'h' || op == 'j' {
		v, ok := m.memo[uint32(key)]
		if !ok {
			return fmt.Errorf("pickle refers to value %d before it is made", key)
		}
		return m.push(v)
	}
	if op == 0x94 {
		key = uint64(len(m.memo))
	}
	v, err := m.top()
	m.memo[uint32(key)] = v
	return err
}

// container runs the opcodes of tuples, lists and dictionaries.
func (m *machine) container(op byte) error {
	switch op {
	case ')':
		return m.push(&Tuple{})
	case ']':
		return m.push(&List{})
	case '}':
		return m.push(&Dict{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.popN(int(op - 0x84))
		if err != nil {
			return err
		}
		return m.push(&Tuple{items})
	}
	var items []any
	var err error
	switch op {
	case 't', 'e', 'u':
		items, err = m.popMark()
	case 'a':
		items, err = m.popN(1)
	case 's':
		items, err = m.popN(2)
	}
	if err != nil {
		return err
	}
	if op == 't' {
		return m.push(&Tuple{items})
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *List:
		v.Items = append(v.Items, items...)
		return nil
	case *Dict:
		if len(items)%2 == 0 && (op == 's' || op == 'u') {
			for i := 0; i < len(items); i += 2 {
				if err := v.add(items[i], items[i+1]); err != nil {
					return err
				}
			}
			return nil
		}
	case *Opaque:
		return nil // items of an unknown container class are dropped
	}
	return fmt.Errorf("pickle adds items to a %T", v)
}

// literal pushes a number or text.
func (m *machine) literal(op byte) error {
	switch op {
	case 'N':
		return m.push(nil)
	case 0x88, 0x89:
		return m.push(op == 0x88)
	case 'K', 'M', 'J': // BININT1, BININT2, BININT
		width := map[byte]int{'K': 1, 'M': 2, 'J': 4}[op]
		v, err := m.uint(width)
		if op == 'J' {
			return errors.Join(err, m.push(int64(int32(v))))
		}
		return errors.Join(err, m.push(int64(v)))
	case 0x8a: // LONG1
		b, err := m.sized(1)
		if err != nil {
			return err
		}
		if len(b) > 8 {
			return errors.New("pickle holds an integer of more than 64 bits")
		}
		var full [8]byte
		copy(full[:], b)
		shift := 64 - 8*len(b)
		return m.push(int64(binary.LittleEndian.Uint64(full[:])<<shift) >> shift)
	case 'G': // BINFLOAT
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case 'X': // BINUNICODE
		return m.sequence(4, true)
	case 0x8c: // SHORT_BINUNICODE
		return m.sequence(1, true)
	case 0x8d: // BINUNICODE8
		return m.sequence(8, true)
	case 'B', 'T': // BINBYTES, BINSTRING
		return m.sequence(4, false)
	case 'C', 'U': // SHORT_BINBYTES, SHORT_BINSTRING
		return m.sequence(1, false)
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		return m.sequence(8, false)
	}
	return fmt.Errorf("pickle opcode 0x%02x is not allowed", op)
}

// sequence pushes text or bytes, whose length stands before them in so many bytes.
func (m *machine) sequence(width int, text bool) error {
	n, err := m.length(width)
	if err != nil {
		return err
	}
	ofFile := m.file.from != nil
	if ofFile && !text && n >= leastSpan {
		return m.push(m.skip(n))
	}
	if ofFile || text {
		if err := m.spend(n); err != nil {
			return err
		}
	}
	b, err := m.take(n)
	switch {
	case err != nil:
		return err
	case text:
		return m.push(string(b))
	case ofFile:
		b = bytes.Clone(b) // else it would keep what was read with it
	}
	return m.push(b)
}

func (m *machine) global(op byte) error {
	if op == 0x93 {
		parts, err := m.popN(2)
		if err != nil {
			return err
		}
		module, ok1 := parts[0].(string)
		name, ok2 := parts[1].(string)
		if !ok1 || !ok2 {
			return errors.New("pickle names a class without text")
		}
		return m.push(Global(module + "." + name))
	}
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	return m.push(Global(module + "." + name))
}

// reduce takes a constructor's name and arguments and pushes what it makes.
func (m *machine) reduce() error {
	parts, err := m.popN(2)
	if err != nil {
		return err
	}
	name, ok1 := parts[0].(Global)
	args, ok2 := parts[1].(*Tuple)
	if !ok1 || !ok2 {
		return errors.New("pickle calls something that is not a named class")
	}
	if m.Construct != nil {
		v, err := m.Construct(string(name), args.Items)
		if err != nil {
			return err
		}
		if v != nil {
			return m.push(v)
		}
	}
	if name == "collections.OrderedDict" {
		d, err := orderedDict(args.Items)
		if err != nil {
			return err
		}
		return m.push(d)
	}
	return m.push(&Opaque{Name: string(name), Args: args.Items})
}

// build gives the object on the stack its state.
func (m *machine) build() error {
	parts, err := m.popN(2)
	if err != nil {
		return err
	}
	switch obj := parts[0].(type) {
	case Stateful:
		if err := obj.SetState(parts[1]); err != nil {
			return err
		}
	case *Opaque:
		obj.State = parts[1]
	case *Dict: // attributes of an OrderedDict, such as a state dict's versions
	default:
		return fmt.Errorf("pickle sets the state of a %T", parts[0])
	}
	return m.push(parts[0])
}

// persistent resolves a reference to something outside the pickle.
func (m *machine) persistent() error {
	id, err := m.pop()
	if err != nil {
		return err
	}
	if m.Persistent == nil {
		return errors.New("pickle refers to data outside itself")
	}
	v, err := m.Persistent(id)
	if err != nil {
		return err
	}
	return m.push(v)
}

// orderedDict takes nothing, or as Python 2 writes it a list of pairs.
func orderedDict(args []any) (*Dict, error) {
	d := &Dict{}
	if len(args) == 0 {
		return d, nil
	}
	pairs, ok := args[0].(*List)
	if !ok {
		return nil, errors.New("pickled OrderedDict is not made of pairs")
	}
	for _, pair := range pairs.Items {
		var kv []any
		switch p := pair.(type) {
		case *Tuple:
			kv = p.Items
		case *List:
			kv = p.Items
		}
		if len(kv) != 2 {
			return nil, errors.New("pickled OrderedDict is not made of pairs")
		}
		if err := d.add(kv[0], kv[1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Dict) add(key, value any) error {
	switch key.(type) {
	case string, int64, float64, bool, []byte, nil:
	default:
		return errors.New("pickled dictionary has a key that is neither text nor number")
	}
	d.Keys, d.Values = append(d.Keys, key), append(d.Values, value)
	return nil
}
