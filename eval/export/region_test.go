package export

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"wsss/data"
)

// parse reads a map from rows: '.' background, '*' void, digits classes.
func parse(rows ...string) *data.LabelMap {
	m := data.NewLabelMap(len(rows[0]), len(rows))
	for y, row := range rows {
		for x, c := range row {
			switch {
			case c == '*':
				m.Set(x, y, data.Ignore)
			case c != '.':
				m.Set(x, y, uint8(c-'0'))
			}
		}
	}
	return m
}

// random draws blobs: noise where smooth is 0, larger regions above.
func random(seed uint64, w, h, classes, smooth int) *data.LabelMap {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := data.NewLabelMap(w, h)
	for i := range m.Pix {
		m.Pix[i] = uint8(rng.IntN(classes))
		if rng.IntN(20) == 0 {
			m.Pix[i] = data.Ignore
		}
	}
	for range smooth {
		next := m.Clone()
		for y := range h {
			for x := range w {
				var votes [256]int
				for dy := max(y-1, 0); dy <= min(y+1, h-1); dy++ {
					for dx := max(x-1, 0); dx <= min(x+1, w-1); dx++ {
						votes[m.At(dx, dy)]++
					}
				}
				for v, n := range votes {
					if n > votes[next.At(x, y)] {
						next.Set(x, y, uint8(v))
					}
				}
			}
		}
		m = next
	}
	return m
}

// fill rasterises a closed line by the even-odd rule at pixel centres, as
// other tools do.
func fill(m *data.LabelMap, ring [][2]float64, v uint8) {
	for y := range m.H {
		centre := float64(y) + 0.5
		var cross []float64
		for i, p := range ring {
			q := ring[(i+1)%len(ring)]
			if (p[1] <= centre) != (q[1] <= centre) {
				cross = append(cross, p[0]+(q[0]-p[0])*(centre-p[1])/(q[1]-p[1]))
			}
		}
		sort.Float64s(cross)
		for k := 0; k+1 < len(cross); k += 2 {
			for x := int(math.Ceil(cross[k] - 0.5)); x < int(math.Ceil(cross[k+1]-0.5)); x++ {
				m.Set(x, y, v)
			}
		}
	}
}

func floats(ring []image.Point) [][2]float64 {
	out := make([][2]float64, len(ring))
	for i, p := range ring {
		out[i] = [2]float64{float64(p.X), float64(p.Y)}
	}
	return out
}

// withoutVoid is what formats without void can carry.
func withoutVoid(m *data.LabelMap) *data.LabelMap {
	m = m.Clone()
	for i, v := range m.Pix {
		if v == data.Ignore {
			m.Pix[i] = 0
		}
	}
	return m
}

func TestRegionsByHand(t *testing.T) {
	m := parse(
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
		parse("1"), parse("."), parse("*"), parse("121", "212", "121"),
		parse("1111", "1.11", "11.1", "1111"), parse("111", "1.1", "11."), parse("11.", "1.1", "111"),
		parse("1111111", "1.....1", "1.111.1", "1.1.1.1", "1.111.1", "1.....1", "1111111"),
		parse("11111111", "1.11.111", "11111.11", "1.1.11.1", "11111111"),
		parse("111111", "1....1", "1.11.1", "1.1..1", "1.1111", "1.....", "111111"),
	}
	for seed := range uint64(60) {
		maps = append(maps, random(seed, 3+int(seed%23), 2+int(seed%19), 2+int(seed%3), int(seed%4)))
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
			fill(filled, floats(r.Polygon()), uint8(r.Class))
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
		want := withoutVoid(m)
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
	fill(drawn, floats(line), 1)
	for i, v := range drawn.Pix {
		if v != disc.Pix[i] {
			wrong++
		}
	}
	if wrong > r.Area/30 {
		t.Errorf("%d of %d pixels change", wrong, r.Area)
	}
	for seed := range uint64(40) {
		for _, r := range Regions(random(seed, 40, 31, 3, int(seed%5)), 0) {
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
	for name, m := range map[string]*data.LabelMap{"smooth": random(1, 500, 375, 5, 12), "noise": random(1, 500, 375, 2, 0)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for _, r := range Regions(m, 0) {
					r.Polygon()
				}
			}
		})
	}
}
