package camnet

import (
	"context"
	"image"
	"math"
	"testing"

	"github.com/gomlx/compute"

	"wsss/data/datatest"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
)

// TestMapperCanvas: images that share canvases get the maps of images at their
// own size, mirrored ones too.
func TestMapperCanvas(t *testing.T) {
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		for _, prototypes := range []bool{false, true} {
			open := func(canvas bool) *Mapper {
				n, store, _, err := Open(checkpoint)
				if err != nil {
					t.Fatal(err)
				}
				m := NewMapper(b, n, store, MapOptions{Scales: []float64{1, 0.5, 1.4}, Flip: true, Bucket: 1, MaxSide: 2000, Shapes: 8})
				if m.canvas = canvas; prototypes {
					m.SetPrototypes(somePrototypes(n.cfg.Classes, 64))
				}
				t.Cleanup(m.Close)
				return m
			}
			exact, shared := open(false), open(true)
			for _, size := range [][2]int{{90, 70}, {80, 75}} {
				compareMaps(t, exact, shared, noise(0, size))
			}
			if n := shared.graphs.Len(); n != 2 { // 128×128 and 64×64
				t.Errorf("%d graphs", n)
			}
		}
	})
}

// TestMapperTogether: images that share runs get the maps that each gets alone,
// where they have one canvas and sizes of their own too.
func TestMapperTogether(t *testing.T) {
	sizes := [][2]int{{90, 70}, {80, 75}, {90, 70}, {128, 128}, {66, 100}, {70, 65}}
	for _, prototypes := range []bool{false, true} {
		engines := backendtest.Names(t)
		if prototypes {
			engines = backendtest.Quick(t)
		}
		backendtest.Each(t, engines, func(t *testing.T, b compute.Backend) {
			n, store, _, err := Open(checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			m := NewMapper(b, n, store, MapOptions{Scales: []float64{1}, Flip: true, Bucket: 1, MaxSide: 2000, Shapes: 8})
			defer m.Close()
			if m.canvas = true; prototypes {
				m.SetPrototypes(somePrototypes(n.cfg.Classes, 64))
			}
			backendtest.SharedRuns(t, len(sizes), 1e-4, func(i int) ([]float32, error) {
				maps, err := m.Maps(t.Context(), noise(i, sizes[i]))
				if err != nil {
					return nil, err
				}
				return maps[0].Values, nil
			})
		})
	}
}

func noise(seed int, size [2]int) *imageproc.RGB {
	img := &imageproc.RGB{W: size[0], H: size[1], Pix: make([]uint8, 3*size[0]*size[1])}
	for i := range img.Pix {
		img.Pix[i] = uint8(i * (i + seed) / 7)
	}
	return img
}

func somePrototypes(classes, channels int) *Prototypes {
	p := &Prototypes{Context: make([][][]float32, classes)}
	for c := range classes {
		v := make([]float32, channels)
		for i := range v {
			v[i] = float32((i*7+c*3)%11) - 3
		}
		p.Parts = append(p.Parts, [][]float32{v})
	}
	return p
}

// compareMaps demands maps that are equal to 1e-5 of the largest value.
func compareMaps(t *testing.T, exact, shared *Mapper, img *imageproc.RGB) {
	t.Helper()
	want, err := exact.Maps(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	got, err := shared.Maps(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		g := got[i]
		if g.W != w.W || g.H != w.H || len(g.Values) != len(w.Values) {
			t.Fatalf("map %d is %d×%d, want %d×%d", i, g.W, g.H, w.W, w.H)
		}
		most, off := 0.0, 0.0
		for k, v := range w.Values {
			most = max(most, math.Abs(float64(v)))
			off = max(off, math.Abs(float64(v-g.Values[k])))
		}
		if !(off <= 1e-5*most) || most == 0 {
			t.Errorf("map %d differs by %.2g, its largest value is %.3g", i, off, most)
		}
	}
}

// TestMapperCompilations: CAMs of VOC at IRN's four scales are some shapes.
func TestMapperCompilations(t *testing.T) {
	m := &Mapper{canvas: true, opts: MapOptions{Bucket: 1, MaxSide: 2000}}
	var scaled []image.Point
	for _, size := range datatest.PhotoSizes(500, 160) {
		for _, s := range []float64{1, 0.5, 1.5, 2} {
			scaled = append(scaled, image.Pt(m.side(size.X, s), m.side(size.Y, s)))
		}
	}
	n := datatest.Distinct(scaled, m.Shape)
	if t.Logf("%d shapes", n); n > 150 {
		t.Errorf("%d shapes, want 150 at most", n)
	}
}
