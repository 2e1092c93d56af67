package mat

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadLabelMap(t *testing.T) {
	for _, tc := range []struct{ file, variable, err string }{
		{"sbd.mat", "GTcls", ""},
		{"plain.mat", "GTcls", ""},
		{"double.mat", "GTcls", ""},
		{"int16.mat", "GTinst", ""},
		{"int16.mat", "GTcls", "no variable GTcls"},
		{"plain.mat", "other", "other: not a struct"},
		{"negative.mat", "GTcls", "GTcls.Segmentation: pixel (0,1) has value -7: allowed are whole numbers 0..255"},
		{"text.mat", "GTcls", "GTcls.Segmentation: not a matrix of numbers"},
		{"gen_mat.py", "GTcls", "no MATLAB 5 file"},
		{"absent.mat", "GTcls", "no such file"},
	} {
		t.Run(tc.file+" "+tc.variable, func(t *testing.T) {
			path := filepath.Join("testdata", tc.file)
			m, err := ReadLabelMap(path, tc.variable, "Segmentation")
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || !strings.Contains(err.Error(), path) {
					t.Fatalf("error %v, want one with %q and the file", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.W != 5 || m.H != 4 {
				t.Fatalf("size %v, want 5×4", m.Size())
			}
			for y := range m.H {
				for x := range m.W {
					if got, want := int(m.At(x, y)), (3*x+7*y)%21; got != want {
						t.Errorf("pixel (%d,%d) is %d, want %d", x, y, got, want)
					}
				}
			}
		})
	}
	_, err := ReadLabelMap(filepath.Join("testdata", "sbd.mat"), "GTcls", "Labels")
	if err == nil || !strings.Contains(err.Error(), "no field Labels: it has Boundaries, Segmentation, CategoriesPresent") {
		t.Errorf("error %v does not list the fields", err)
	}
}

// TestBigEndian rebuilds a file by hand in the other byte order.
func TestBigEndian(t *testing.T) {
	var b bytes.Buffer
	b.Write(make([]byte, 124))
	b.WriteString("\x01\x00MI")
	words := func(v ...uint32) { binary.Write(&b, binary.BigEndian, v) }
	words(miMATRIX, 48, miUINT32, 8, 9, 0, miINT32, 8, 1, 2, 1<<16|miINT8, 'v'<<24, 2<<16|miUINT8, 0x0a0b0000)
	m, err := DecodeLabelMap(b.Bytes(), "v")
	if err != nil || m.W != 2 || m.H != 1 || m.Pix[0] != 10 || m.Pix[1] != 11 {
		t.Errorf("map %+v, error %v: want 2×1 of 10, 11", m, err)
	}
}

func FuzzDecodeLabelMap(f *testing.F) {
	for _, name := range []string{"sbd.mat", "plain.mat", "double.mat", "int16.mat"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := DecodeLabelMap(raw, "GTcls", "Segmentation"); err == nil && len(m.Pix) != m.W*m.H {
			t.Errorf("%d pixels for %v", len(m.Pix), m.Size())
		}
	})
}
