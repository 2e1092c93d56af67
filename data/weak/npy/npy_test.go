package npy

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/data/datatest"
)

func TestReadTypes(t *testing.T) {
	want := []float32{0, 1, 2, 3, 4, 5}
	for _, name := range []string{"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "be_f4", "be_i2"} {
		a, err := Read("testdata/" + name + ".npy")
		if err != nil {
			t.Error(err)
			continue
		}
		if got := a.Float32(); !slices.Equal(a.Shape, []int{2, 3}) || !slices.Equal(got, want) {
			t.Errorf("%s: shape %v values %v", name, a.Shape, got)
		}
		if a.Type != strings.TrimPrefix(name, "be_") {
			t.Errorf("%s: type %q", name, a.Type)
		}
		ints, err := a.Int64()
		if strings.Contains(name, "f") {
			if err == nil {
				t.Errorf("%s: floats were given as integers", name)
			}
		} else if err != nil || !slices.Equal(ints, []int64{0, 1, 2, 3, 4, 5}) {
			t.Errorf("%s: integers %v (%v)", name, ints, err)
		}
	}
}

func TestReadLayouts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		shape []int
		want  []float32
	}{
		{"b1", []int{2, 3}, []float32{0, 1, 0, 1, 0, 1}},
		{"negative", []int{2, 3}, []float32{-1, 2, -3, 4, -5, 6}},
		{"empty", []int{0, 3}, []float32{}},
		{"fortran", []int{2, 3, 4}, func() (v []float32) {
			for i := range 24 {
				v = append(v, float32(i))
			}
			return v
		}()},
	} {
		a, err := Read("testdata/" + tt.name + ".npy")
		if err != nil {
			t.Error(err)
			continue
		}
		if got := a.Float32(); !slices.Equal(a.Shape, tt.shape) || !slices.Equal(got, tt.want) {
			t.Errorf("%s: shape %v values %v, want %v %v", tt.name, a.Shape, got, tt.shape, tt.want)
		}
	}
}

func TestHalf(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0x3c00: 1, 0xc000: -2, 0x3555: 0.333251953125, 0x7bff: 65504, 0x0001: math.Ldexp(1, -24),
		0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		if got := half(bits); got != want {
			t.Errorf("half(%#04x) = %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(half(0x7e00)) {
		t.Error("half(0x7e00) is a number")
	}
}

func TestReadPickles(t *testing.T) {
	for _, protocol := range []string{"2", "3", "4", "5"} {
		v, err := ReadObject("testdata/labels_p" + protocol + ".npy")
		if err != nil {
			t.Error(err)
			continue
		}
		d, ok := v.(*Dict)
		if !ok || !slices.Equal(d.Keys, []any{int64(2007000032), int64(2008000001), "2009_000003"}) {
			t.Errorf("protocol %s: got %T, keys %v", protocol, v, d.Keys)
			continue
		}
		for i, want := range [][]float32{{1, 0, 1}, {0, 0, 0}, {0, 1, 0}} {
			a, ok := d.Values[i].(*Array)
			if !ok || !slices.Equal(a.Float32(), want) {
				t.Errorf("protocol %s: value %d is %T, want %v", protocol, i, d.Values[i], want)
			}
		}
	}
}

func TestReadCAM(t *testing.T) {
	v, err := ReadObject("testdata/cam.npy")
	if err != nil {
		t.Fatal(err)
	}
	d := v.(*Dict)
	keys, err := d.Get("keys").(*Array).Int64()
	if err != nil || !slices.Equal(keys, []int64{3, 14}) {
		t.Errorf("keys %v (%v)", keys, err)
	}
	if a := d.Get("high_res").(*Array); !slices.Equal(a.Shape, []int{2, 2, 3}) || a.Float32()[11] != 11 {
		t.Errorf("high_res has shape %v", a.Shape)
	}
	if d.Get("scale") != 0.5 || d.Get("none") != nil || d.Get("ok") != true || d.Get("big") != int64(1)<<40 || d.Get("absent") != nil {
		t.Errorf("plain values are %v", d.Values)
	}
	list := d.Get("list").([]any)
	if list[0] != int64(1) || !slices.Equal(list[1].([]any), []any{int64(2), int64(-3)}) {
		t.Errorf("list is %v", list)
	}
	if raw := d.Get("raw").([]byte); string(raw) != "\x00\xff" {
		t.Errorf("bytes are %q", raw)
	}
}

// TestNothingRuns reads a pickle that would run a shell command in Python.
func TestNothingRuns(t *testing.T) {
	v, err := ReadObject("testdata/evil.npy")
	if err != nil {
		t.Fatal(err)
	}
	o, ok := v.(*Dict).Get("x").(*Opaque)
	if !ok || o.Name != "posix.system" || len(o.Args) != 1 {
		t.Errorf("got %+v, want the call as data", v)
	}
	if _, err := os.Stat("/tmp/wsss-evil"); err == nil {
		t.Error("the command ran")
	}
}

func TestReadFaults(t *testing.T) {
	good, err := os.ReadFile("testdata/f4.npy")
	if err != nil {
		t.Fatal(err)
	}
	object := func(body string) []byte {
		head := "{'descr': '|O', 'fortran_order': False, 'shape': (), }"
		return []byte("\x93NUMPY\x01\x00" + string([]byte{byte(len(head)), 0}) + head + body)
	}
	tests := []struct {
		name, fault string
		raw         []byte
	}{
		{"not npy", "not a .npy file", []byte("PK\x03\x04 hello world")},
		{"cut header", "cut off", good[:40]},
		{"cut data", "needs 24 bytes", good[:len(good)-1]},
		{"version", "npy version 9", append([]byte("\x93NUMPY\x09"), good[7:]...)},
		{"huge shape", "too large", []byte(strings.Replace(string(good), "(2, 3), }      ", "(99999999999,9999999999), }", 1))},
		{"text", "not supported", must(os.ReadFile("testdata/text.npy"))},
		{"cut pickle", "cut off", object("\x80\x02]")},
		{"underflow", "more values", object("\x80\x02a.")},
		{"old protocol", "protocol 1", object("\x80\x01.")},
		{"opcode", "opcode 0x69", object("\x80\x02i.")},
		{"deep", "nests deeper", object("\x80\x02" + strings.Repeat("]", 300) + strings.Repeat("a", 299) + ".")},
		{"unknown memo", "before it is made", object("\x80\x02h\x07.")},
		{"repeated text", "too often", object("\x80\x02X\x00\x10\x00\x00" + strings.Repeat("x", 4096) + "q\x00" +
			strings.Repeat("c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R", 90) + ".")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.npy")
			if err := os.WriteFile(path, tt.raw, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := ReadObject(path)
			if err == nil || !strings.Contains(err.Error(), tt.fault) || !strings.Contains(err.Error(), "x.npy") {
				t.Errorf("error %v, want the file and %q", err, tt.fault)
			}
		})
	}
	if _, err := Read("testdata/cam.npy"); err == nil || !strings.Contains(err.Error(), "pickled dictionary") {
		t.Errorf("error %v does not say what the file holds", err)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestSharedTuples holds a tuple that doubles 60 times: 2⁶⁰ leaves if copied.
func TestSharedTuples(t *testing.T) {
	body := "\x80\x02K\x01" + strings.Repeat("q\x00h\x00\x86", 60) + "."
	if v, err := unpickle([]byte(body)); err != nil || len(v.([]any)) != 2 {
		t.Errorf("got %T (%v)", v, err)
	}
}

func TestRealLabels(t *testing.T) {
	for _, path := range []string{
		datatest.Path(t, "voc_lists", "seam", "voc12", "cls_labels.npy"),
		datatest.Path(t, "voc_lists", "weclip", "cls_labels_onehot.npy"),
	} {
		v, err := ReadObject(path)
		if err != nil {
			t.Fatal(err)
		}
		d := v.(*Dict)
		var ones float32
		for _, v := range d.Values {
			for _, x := range v.(*Array).Float32() {
				ones += x
			}
		}
		if len(d.Keys) != 12031 || ones != 18605 {
			t.Errorf("%s: %d images with %v labels, want 12031 with 18605", path, len(d.Keys), ones)
		}
	}
}

func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.npy")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range paths {
		f.Add(must(os.ReadFile(path)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := Parse(raw)
		if a, ok := v.(*Array); ok && err == nil {
			if len(a.Float32()) != a.Len() {
				t.Fatal("values are missing")
			}
		}
	})
}
