package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// machine interprets the opcodes of pickle protocols 2 to 5 that np.save
// emits. It builds values; the only "calls" are those of construct.
type machine struct {
	in     []byte // what is left to read
	stack  []any
	marks  []int // stack heights at MARK
	memo   map[uint32]any
	budget int // bytes that text conversions may still allocate
}

type (
	global string // "module attribute" by name, "module.attribute"
	tuple  struct{ items []any }
	list   struct{ items []any }
	dtype  struct {
		elem   elemType
		object bool
	}
	// objectArray is an array of pickled values.
	objectArray struct {
		shape []int
		items []any
	}
	// pending is an ndarray between its constructor and its state.
	pending struct{ value any }
)

var errCut = errors.New("pickle is cut off")

// maxSteps bounds the opcodes of a pickle, and so the values it makes; the
// labels of all of COCO take about two million.
const maxSteps = 1 << 24

// unpickle reads one value.
func unpickle(in []byte) (any, error) {
	m := &machine{in: in, memo: map[uint32]any{}, budget: 2*len(in) + 4096}
	for range maxSteps {
		op, err := m.take(1)
		if err != nil {
			return nil, err
		}
		if op[0] == '.' {
			v, err := m.pop()
			if err != nil {
				return nil, err
			}
			return clean(v)
		}
		if err := m.step(op[0]); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("pickle of more than %d steps", maxSteps)
}

func (m *machine) take(n int) ([]byte, error) {
	if n < 0 || n > len(m.in) {
		return nil, errCut
	}
	b := m.in[:n:n]
	m.in = m.in[n:]
	return b, nil
}

// sized takes a little-endian length of the given width, then that many bytes.
func (m *machine) sized(width int) ([]byte, error) {
	n, err := m.uint(width)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(m.in)) {
		return nil, errCut
	}
	return m.take(int(n))
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
	for i, c := range m.in {
		if c == '\n' {
			b, err := m.take(i + 1)
			return string(b[:i]), err
		}
	}
	return "", errCut
}

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	return nil
}

func (m *machine) pop() (any, error) {
	n := len(m.stack)
	if n == 0 || len(m.marks) > 0 && n <= m.marks[len(m.marks)-1] {
		return nil, errors.New("pickle takes more values than it made")
	}
	v := m.stack[n-1]
	m.stack = m.stack[:n-1]
	return v, nil
}

func (m *machine) top() (any, error) {
	if len(m.stack) == 0 {
		return nil, errors.New("pickle takes more values than it made")
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
		return m.push(&tuple{})
	case ']':
		return m.push(&list{})
	case '}':
		return m.push(&Dict{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.popN(int(op - 0x84))
		if err != nil {
			return err
		}
		return m.push(&tuple{items})
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
		return m.push(&tuple{items})
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *list:
		v.items = append(v.items, items...)
		return nil
	case *Dict:
		if len(items)%2 == 0 && (op == 's' || op == 'u') {
			for i := 0; i < len(items); i += 2 {
				switch items[i].(type) {
				case string, int64, float64, bool, []byte, nil:
				default:
					return errors.New("pickled dictionary has a key that is neither text nor number")
				}
				v.Keys, v.Values = append(v.Keys, items[i]), append(v.Values, items[i+1])
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
	}
	width, text := 0, false
	switch op {
	case 'X':
		width, text = 4, true
	case 0x8c:
		width, text = 1, true
	case 0x8d:
		width, text = 8, true
	case 'B', 'T': // BINBYTES, BINSTRING
		width = 4
	case 'C', 'U': // SHORT_BINBYTES, SHORT_BINSTRING
		width = 1
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		width = 8
	default:
		return fmt.Errorf("pickle opcode 0x%02x is not allowed", op)
	}
	b, err := m.sized(width)
	if err != nil {
		return err
	}
	if text {
		return m.push(string(b))
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
		return m.push(global(module + "." + name))
	}
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	return m.push(global(module + "." + name))
}
