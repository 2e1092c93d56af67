package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// point is an object that a reader makes itself.
type point struct{ x, y int64 }

func (p *point) SetState(state any) error {
	t, ok := state.(*Tuple)
	if !ok || len(t.Items) != 2 {
		return fmt.Errorf("state %v is no pair", state)
	}
	p.x, p.y = t.Items[0].(int64), t.Items[1].(int64)
	return nil
}

var reader = Reader{
	Construct: func(name string, args []any) (any, error) {
		if name == "geo.Point" {
			return &point{}, nil
		}
		return nil, nil
	},
	Persistent: func(id any) (any, error) { return fmt.Sprintf("ref %v", id), nil },
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     any
	}{
		{"list", "\x80\x02](K\x01X\x01\x00\x00\x00aN\x88e.", []any{int64(1), "a", nil, true}},
		{"tuple", "\x80\x02(K\x01K\x02t.", []any{int64(1), int64(2)}},
		{"dict", "\x80\x02}(X\x01\x00\x00\x00aK\x01K\x02Nu.", &Dict{[]any{"a", int64(2)}, []any{int64(1), nil}}},
		{"ordered, with attributes", "\x80\x02ccollections\nOrderedDict\n)RX\x01\x00\x00\x00aK\x01s}b.", &Dict{[]any{"a"}, []any{int64(1)}}},
		{"ordered of pairs", "\x80\x02ccollections\nOrderedDict\n](X\x01\x00\x00\x00aK\x01\x86e\x85R.", &Dict{[]any{"a"}, []any{int64(1)}}},
		{"unknown class", "\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.", &Opaque{Name: "os.system", Args: []any{"ls"}}},
		{"class itself", "\x80\x02cos\nsystem\n.", &Opaque{Name: "os.system"}},
		{"known class", "\x80\x02cgeo\nPoint\n)RK\x03K\x04\x86b.", &point{3, 4}},
		{"reference", "\x80\x02K\x07Q.", "ref 7"},
		{"negative long", "\x80\x02\x8a\x01\xff.", int64(-1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, rest, err := reader.Read([]byte(c.in + "rest"))
			if err != nil || !reflect.DeepEqual(got, c.want) || string(rest) != "rest" {
				t.Errorf("got %#v, %q (%v), want %#v", got, rest, err, c.want)
			}
		})
	}
}

// TestReadFile: a file gives what its bytes give, but for long byte strings, of
// which it tells the place, however they lie to what is read at a time.
func TestReadFile(t *testing.T) {
	for _, before := range []int{0, 10, chunk - 20, chunk, 3*chunk + 5} {
		text := strings.Repeat("x", before)
		for _, size := range []int{5, leastSpan - 1, leastSpan, 2*chunk + 7} {
			in := "\x80\x04]("
			in += "\x8d" + string(binary.LittleEndian.AppendUint64(nil, uint64(before))) + text
			in += "cgeo\nPoint\n)RK\x03K\x04\x86b"
			in += "B" + string(binary.LittleEndian.AppendUint32(nil, uint32(size)))
			at := len(in)
			in += strings.Repeat("y", size) + "K\x07e.behind"
			got, err := reader.ReadFile(strings.NewReader(in), int64(len(in)))
			if err != nil {
				t.Fatal(err)
			}
			var raw any = Span{int64(at), int64(size)}
			if size < leastSpan {
				raw = []byte(strings.Repeat("y", size))
			}
			if want := []any{text, &point{3, 4}, raw, int64(7)}; !reflect.DeepEqual(got, want) {
				t.Errorf("%d bytes of text, %d others: something else was read", before, size)
			}
			for _, cut := range []int{at - 1, at + size/2, at + size} {
				if _, err := reader.ReadFile(strings.NewReader(in), int64(cut)); !errors.Is(err, errCut) {
					t.Errorf("cut at %d: %v", cut, err)
				}
			}
		}
	}
	if _, err := reader.ReadFile(strings.NewReader("\x80\x02cgeo"+strings.Repeat("o", 4*maxLine)), 4*maxLine); !errors.Is(err, errCut) {
		t.Errorf("a name without an end: %v", err)
	}
}

func TestReadFaults(t *testing.T) {
	for _, c := range []struct{ fault, in string }{
		{"cut off", "\x80\x02]"},
		{"cut off", "\x80\x02X\xff\xff\xff\xffa"},
		{"more values", "\x80\x02(0."},
		{"lacks a mark", "\x80\x02t."},
		{"is no pair", "\x80\x02cgeo\nPoint\n)RK\x03b."},
		{"not a named class", "\x80\x02K\x01)R."},
		{"not made of pairs", "\x80\x02ccollections\nOrderedDict\nK\x01\x85R."},
		{"neither text nor number", "\x80\x02}]K\x01s."},
		{"state of a int64", "\x80\x02K\x01K\x01b."},
		{"64 bits", "\x80\x02\x8a\x09" + strings.Repeat("\xff", 9) + "."},
		{"before it is made", "\x80\x02h\x00."},
	} {
		if _, _, err := reader.Read([]byte(c.in)); err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%q: error %v, want %q", c.in, err, c.fault)
		}
	}
	if _, _, err := (Reader{}).Read([]byte("\x80\x02K\x01Q.")); err == nil {
		t.Error("a reference without a resolver is accepted")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\x80\x02}(X\x01\x00\x00\x00aK\x01u."))
	f.Add([]byte("\x80\x02cgeo\nPoint\n)RK\x03K\x04\x86b."))
	f.Add([]byte("\x80\x02](h\x00e."))
	f.Fuzz(func(t *testing.T, in []byte) {
		v, rest, err := reader.Read(in)
		if err == nil && len(rest) >= len(in) {
			t.Fatalf("%T from nothing", v)
		}
		if _, fileErr := reader.ReadFile(bytes.NewReader(in), int64(len(in))); (fileErr == nil) != (err == nil) {
			t.Fatalf("%v, of a file %v", err, fileErr)
		}
	})
}

// TestBoundedMemory: opcodes that make much of few bytes end before the memory
// does.
func TestBoundedMemory(t *testing.T) {
	for name, c := range map[string]struct {
		head, op string
	}{
		"marks":        {"", "("},
		"empty dicts":  {"", "}"},
		"numbers":      {"", "K\x01"},
		"memo":         {"N", "\x94"},
		"dict entries": {"}", "NNs"},
		"tuples":       {"", "N\x85"},
		"references":   {"Nq\x00", "h\x00"},
	} {
		in := []byte("\x80\x02" + c.head + strings.Repeat(c.op, 12<<20/len(c.op)) + ".")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := Reader{}.Read(in)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: read %d MB", name, len(in)>>20)
		}
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 4*maxMemory>>20 {
			t.Errorf("%s: %d MB allocated in all, want at most %d", name, took, 4*maxMemory>>20)
		}
	}
}
