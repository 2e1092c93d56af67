package outline

import (
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/outline/outlinetest"
)

func floats(ring []image.Point) [][2]float64 {
	out := make([][2]float64, len(ring))
	for i, p := range ring {
		out[i] = [2]float64{float64(p.X), float64(p.Y)}
	}
	return out
}

func TestRegionsByHand(t *testing.T) {
	m := outlinetest.Parse(
		"11111..",
		"1...1.2",
		"1.3.1*2",
		"1...1..",
		"11111..",
	)
	r := Regions(m, 0)
	if len(r) != 3 || r[0].Class != 1 || r[1].Class != 2 || r[2].Class != 3 {
		t.Fatalf("regions %+v", r)
	}
	ring := r[0]
	wantOuter := []image.Point{{X: 5, Y: 0}, {X: 5, Y: 5}, {X: 0, Y: 5}, {X: 0, Y: 0}}
	wantHole := []image.Point{{X: 4, Y: 4}, {X: 4, Y: 1}, {X: 1, Y: 1}, {X: 1, Y: 4}}
	if !slices.Equal(ring.Outer, wantOuter) || len(ring.Holes) != 1 || !slices.Equal(ring.Holes[0], wantHole) {
		t.Errorf("outer %v holes %v", ring.Outer, ring.Holes)
	}
	if ring.Area != 16 || ring.Bounds != image.Rect(0, 0, 5, 5) {
		t.Errorf("area %d bounds %v", ring.Area, ring.Bounds)
	}
	want := []image.Point{{X: 5, Y: 0}, {X: 5, Y: 5}, {X: 0, Y: 5}, {X: 0, Y: 0}, {X: 1, Y: 0}, {X: 1, Y: 1}, {X: 1, Y: 4}, {X: 4, Y: 4}, {X: 4, Y: 1}, {X: 1, Y: 1}, {X: 1, Y: 0}}
	if got := ring.Polygon(); !slices.Equal(got, want) {
		t.Errorf("polygon %v, want %v", got, want)
	}
	if got := Regions(m, 2); len(got) != 2 {
		t.Errorf("%d regions of two pixels or more, want 2", len(got))
	}
}

// TestRegionsOfRandomMaps checks that rings and polygons enclose exactly the
// pixels of their region, holes, corner contacts and nested holes included.
func TestRegionsOfRandomMaps(t *testing.T) {
	maps := []*data.LabelMap{
		outlinetest.Parse("1"), outlinetest.Parse("."), outlinetest.Parse("*"), outlinetest.Parse("121", "212", "121"),
		outlinetest.Parse("1111", "1.11", "11.1", "1111"), outlinetest.Parse("111", "1.1", "11."), outlinetest.Parse("11.", "1.1", "111"),
		outlinetest.Parse("1111111", "1.....1", "1.111.1", "1.1.1.1", "1.111.1", "1.....1", "1111111"),
		outlinetest.Parse("11111111", "1.11.111", "11111.11", "1.1.11.1", "11111111"),
		outlinetest.Parse("111111", "1....1", "1.11.1", "1.1..1", "1.1111", "1.....", "111111"),
	}
	for seed := range uint64(60) {
		maps = append(maps, outlinetest.Random(seed, 3+int(seed%23), 2+int(seed%19), 2+int(seed%3), int(seed%4)))
	}
	for k, m := range maps {
		filled, rle := data.NewLabelMap(m.W, m.H), data.NewLabelMap(m.W, m.H)
		for _, r := range Regions(m, 0) {
			area := ShoelaceArea(r.Outer)
			if area <= 0 {
				t.Errorf("map %d: outer ring of area %v", k, area)
			}
			for _, h := range r.Holes {
				if a := ShoelaceArea(h); a >= 0 {
					t.Errorf("map %d: hole of area %v", k, a)
				} else {
					area += a
				}
			}
			if area != float64(r.Area) || ShoelaceArea(r.Polygon()) != float64(r.Area) {
				t.Errorf("map %d: region of %d pixels, rings enclose %v, polygon %v", k, r.Area, area, ShoelaceArea(r.Polygon()))
			}
			outlinetest.Fill(filled, floats(r.Polygon()), uint8(r.Class))
			code := r.RLE(m.W, m.H)
			if err := code.Validate(); err != nil {
				t.Fatalf("map %d: %v", k, err)
			}
			mask := code.Decode()
			if again := data.EncodeRLE(mask, m.W, m.H); !slices.Equal(again.Counts, code.Counts) {
				t.Errorf("map %d: run lengths %v, want %v", k, code.Counts, again.Counts)
			}
			for i, in := range mask {
				if in != 0 {
					rle.Pix[i] = uint8(r.Class)
				}
			}
		}
		want := outlinetest.WithoutVoid(m)
		if !slices.Equal(filled.Pix, want.Pix) {
			t.Errorf("map %d: polygons change it:\n%s", k, show(m))
		}
		if !slices.Equal(rle.Pix, want.Pix) {
			t.Errorf("map %d: run lengths change it", k)
		}
	}
}

// TestSimplified checks the promise on area, and that corners become fewer.
func TestSimplified(t *testing.T) {
	disc := data.NewLabelMap(120, 100)
	for i := range disc.Pix {
		x, y := i%disc.W-60, i/disc.W-50
		if n := x*x + y*y; n < 45*45 && n > 15*15 {
			disc.Pix[i] = 1
		}
	}
	r := Regions(disc, 0)[0]
	line := r.Simplified(1)
	if exact := len(r.Polygon()); len(line) > exact/4 || len(line) < 8 {
		t.Errorf("%d corners of %d", len(line), exact)
	}
	drawn, wrong := data.NewLabelMap(disc.W, disc.H), 0
	outlinetest.Fill(drawn, floats(line), 1)
	for i, v := range drawn.Pix {
		if v != disc.Pix[i] {
			wrong++
		}
	}
	if wrong > r.Area/30 {
		t.Errorf("%d of %d pixels change", wrong, r.Area)
	}
	for seed := range uint64(40) {
		for _, r := range Regions(outlinetest.Random(seed, 40, 31, 3, int(seed%5)), 0) {
			for _, tolerance := range []float64{0, 0.3, 1, 5, 100} {
				line := r.Simplified(tolerance)
				if d := math.Abs(ShoelaceArea(line) - float64(r.Area)); d > 0.01*float64(r.Area) || tolerance == 0 && d > 0 {
					t.Errorf("seed %d, tolerance %v: area changes by %v of %d", seed, tolerance, d, r.Area)
				}
			}
		}
	}
}

func show(m *data.LabelMap) string {
	var b strings.Builder
	for y := range m.H {
		for x := range m.W {
			switch v := m.At(x, y); v {
			case 0:
				b.WriteByte('.')
			case data.Ignore:
				b.WriteByte('*')
			default:
				b.WriteByte('0' + v)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// BenchmarkRegions: a prediction of VOC's size, and the worst case, noise.
func BenchmarkRegions(b *testing.B) {
	for name, m := range map[string]*data.LabelMap{"smooth": outlinetest.Random(1, 500, 375, 5, 12), "noise": outlinetest.Random(1, 500, 375, 2, 0)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for _, r := range Regions(m, 0) {
					r.Polygon()
				}
			}
		})
	}
}
