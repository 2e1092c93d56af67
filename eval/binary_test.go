package eval

import (
	"path/filepath"
	"strings"
	"testing"

	"wsss/data"
)

// maskSet is a dataset of one mask.
type maskSet struct{ truth *data.LabelMap }

func (maskSet) Name() string                 { return "masks" }
func (maskSet) Classes() data.Classes        { return data.Classes{Names: []string{"background", "cat"}} }
func (maskSet) Splits() []string             { return []string{"all"} }
func (maskSet) IDs(string) ([]string, error) { return []string{"a"}, nil }
func (maskSet) ImagePath(string) string      { return "" }
func (m maskSet) Load(id string, _ data.Want) (*data.Sample, error) {
	return &data.Sample{ID: id, Truth: m.truth.Clone()}, nil
}

// TestBinaryLabels: label maps of 0 and 255 by another tool's name are warned
// of, and read as class 1 where that is asked for.
func TestBinaryLabels(t *testing.T) {
	truth := &data.LabelMap{W: 2, H: 2, Pix: []uint8{0, 1, 1, 0}}
	dir := t.TempDir()
	if err := data.WriteLabelMap(filepath.Join(dir, "a_pred.PNG"), &data.LabelMap{W: 2, H: 2, Pix: []uint8{0, 255, 255, 0}}); err != nil {
		t.Fatal(err)
	}
	for _, binary := range []bool{false, true} {
		r, err := Folder(t.Context(), maskSet{truth}, "all", dir, Options{Binary: binary}, nil)
		if err != nil {
			t.Fatal(err)
		}
		warned := len(r.Notes) == 1 && strings.Contains(r.Notes[0], "in 1 of 1 masks only 0 and 255 occur: are they binary masks?")
		if warned == binary || (r.MIoU == 1) != binary {
			t.Errorf("binary %v: mean IoU %v, notes %q", binary, r.MIoU, r.Notes)
		}
	}
}
