package noise

import (
	"path/filepath"
	"testing"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/gen"
)

// TestNoise counts the errors of a label map with two masks, before and after
// every mask got the other one's class.
func TestNoise(t *testing.T) {
	dir, truth := t.TempDir(), t.TempDir()
	m, want := data.NewLabelMap(10, 1), data.NewLabelMap(10, 1)
	copy(m.Pix, []uint8{0, 0, 1, 1, 1, 2, 2, 2, 2, data.Ignore})
	copy(want.Pix, []uint8{0, 1, 1, 1, 0, 1, 2, 2, data.Ignore, 2})
	side := gen.Sidecar{ID: "a", Width: 10, Height: 1}
	for class, score := range map[int]float32{1: 0.9, 2: 0.4} {
		bits := make([]uint8, 10)
		for i, v := range m.Pix {
			if int(v) == class {
				bits[i] = 1
			}
		}
		side.Masks = append(side.Masks, gen.SidecarMask{Mask: gen.Mask{Class: class, Score: score}, RLE: data.EncodeRLE(bits, 10, 1).COCOString()})
	}
	for path, write := range map[string]func(string) error{
		filepath.Join(dir, "a.png"):   func(p string) error { return data.WriteLabelMap(p, m) },
		filepath.Join(truth, "a.png"): func(p string) error { return data.WriteLabelMap(p, want) },
		filepath.Join(dir, "a.json"):  func(p string) error { return files.WriteJSON(p, side) },
	} {
		if err := write(path); err != nil {
			t.Fatal(err)
		}
	}
	n, err := count(dir, truth)
	if err != nil {
		t.Fatal(err)
	}
	if got := [4]int{n.all, n.missed, n.invented, n.confused}; got != [4]int{8, 1, 1, 1} {
		t.Errorf("counts %v, want 8 labelled, one error of each kind", got)
	}
	if n.scores[1][900] != 2 || n.scores[1][400] != 2 || n.scores[0][900] != 1 || n.scores[0][400] != 1 {
		t.Error("the scores of right and wrong pixels are not 0.9 and 0.4, two and one of each")
	}
	out := filepath.Join(t.TempDir(), "swapped")
	if err := swap(dir, out, 1); err != nil {
		t.Fatal(err)
	}
	got, err := data.ReadLabelMap(filepath.Join(out, "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range m.Pix {
		if want := map[uint8]uint8{0: 0, 1: 2, 2: 1, data.Ignore: data.Ignore}[v]; got.Pix[i] != want {
			t.Errorf("pixel %d: %d became %d, want %d", i, v, got.Pix[i], want)
		}
	}
	if n, err = count(out, truth); err != nil || n.confused != 4 || n.scores[0][900] != 3 {
		t.Errorf("swapped labels: %d pixels of another object, %v; want 4, with the scores of their masks", n.confused, err)
	}
	if err := swap(dir, out, 1); err == nil {
		t.Error("swapped labels replaced a folder")
	}
}
