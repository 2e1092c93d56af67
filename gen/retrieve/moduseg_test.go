package retrieve

import (
	"encoding/base64"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/datatest"
	"wsss/gen"
)

// TestModuSeg compares with ModuSeg's own code: regions, their features, which
// leave the bank, and what photos are named (testdata/gen_moduseg.py).
func TestModuSeg(t *testing.T) {
	var ref struct {
		Width, Height int
		Classes       []string
		Bank          []struct {
			ID, Photo, Label string
			Regions          []struct {
				Class, Area int
				Feature     []float64
			}
		}
		Kept    map[string][]string
		Queries []struct {
			ID, Photo, Painted string
			Masks              []string
			Found              []struct {
				Class, Area int
				Score       float64
			}
		}
	}
	datatest.JSON(t, "testdata/moduseg.json", &ref)
	decode := func(text string) []byte {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	photo := func(id, text string) *data.Sample {
		img := image.NewNRGBA(image.Rect(0, 0, ref.Width, ref.Height))
		for i, rgb := 0, decode(text); i < len(rgb); i += 3 {
			copy(img.Pix[i/3*4:], []uint8{rgb[i], rgb[i+1], rgb[i+2], 255})
		}
		return &data.Sample{ID: id, Image: img}
	}
	s := newSplit(t)
	folder := t.TempDir()
	if err := os.MkdirAll(s.labels, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range ref.Bank {
		s.Order = append(s.Order, p.ID)
		s.Samples[p.ID] = photo(p.ID, p.Photo)
		if err := data.WriteLabelMap(filepath.Join(s.labels, p.ID+".png"), &data.LabelMap{W: ref.Width, H: ref.Height, Pix: decode(p.Label)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range ref.Queries {
		dir := filepath.Join(folder, q.ID)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for i, text := range q.Masks {
			bits := decode(text)
			for j := range bits {
				bits[j] *= 255
			}
			if err := data.WriteLabelMap(filepath.Join(dir, fmt.Sprintf("%02d.png", i)), &data.LabelMap{W: ref.Width, H: ref.Height, Pix: bits}); err != nil {
				t.Fatal(err)
			}
		}
	}
	g := learnt(t, s, data.WeakNone, t.TempDir(), s.options(t, m{"proposals": []m{{"masks": folder}}, "min_area": 30, "erode": 2, "erode_less": false, "clean": "centre", "vote": "count", "k": 5, "overlap": "best", "balance": false}))
	worst := 0.0
	at := map[string]int{}
	for i, r := range g.bank.rows {
		at[fmt.Sprint(r.class, g.bank.photos[r.photo].ID)] = i
	}
	n := 0
	for _, p := range ref.Bank {
		for _, r := range p.Regions {
			n++
			i, ok := at[fmt.Sprint(r.Class, p.ID)]
			if !ok || g.bank.rows[i].area != r.Area {
				t.Fatalf("%s of %s: %d pixels are wanted: %v", fruit.Name(r.Class), p.ID, r.Area, ok)
			}
			for j, v := range g.bank.index.Row(i) {
				worst = max(worst, math.Abs(float64(v)-r.Feature[j]))
			}
			kept := slices.Contains(ref.Kept[fmt.Sprint(r.Class)], p.ID)
			if g.bank.rows[i].excluded == kept {
				t.Errorf("%s of %s: kept %v, want %v", fruit.Name(r.Class), p.ID, !g.bank.rows[i].excluded, kept)
			}
		}
	}
	if n != len(g.bank.rows) {
		t.Errorf("%d regions, want %d", len(g.bank.rows), n)
	}
	if worst > 3e-4 { // half precision of values up to 1
		t.Errorf("features differ by %.1e", worst)
	}
	fuser, err := gen.NewFuser(configs.Fuse{Rule: "score"}, fruit)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range ref.Queries {
		masks, err := g.Generate(t.Context(), photo(q.ID, q.Photo))
		if err != nil {
			t.Fatal(err)
		}
		var got []gen.Mask
		for _, f := range q.Found {
			if f.Class != 0 {
				if i := len(got); i >= len(masks) || masks[i].Class != f.Class || masks[i].Bits.Area() != f.Area || math.Abs(float64(masks[i].Score)-f.Score) > 1e-3 {
					t.Fatalf("%s: %+v, want mask %d to be %+v", q.ID, masks, i, f)
				}
				got = append(got, masks[len(got)])
			}
		}
		if len(got) != len(masks) {
			t.Errorf("%s: %d masks, want %d", q.ID, len(masks), len(got))
		}
		label, err := fuser.Fuse(image.Pt(ref.Width, ref.Height), masks)
		if err != nil || !slices.Equal(label.Pix, decode(q.Painted)) {
			t.Errorf("%s: another label (%v)", q.ID, err)
		}
	}
}
