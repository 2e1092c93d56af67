// Package outlinetest makes label maps for tests of outlines and of the formats
// that hold them.
package outlinetest

import (
	"math"
	"math/rand/v2"
	"sort"

	"wsss/data"
)

// Parse reads a map from rows: '.' background, '*' void, digits classes.
func Parse(rows ...string) *data.LabelMap {
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

// Random draws blobs: noise where smooth is 0, larger regions above.
func Random(seed uint64, w, h, classes, smooth int) *data.LabelMap {
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

// Fill rasterises a closed line by the even-odd rule at pixel centres, as
// other tools do.
func Fill(m *data.LabelMap, ring [][2]float64, v uint8) {
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

// WithoutVoid is what formats without void can carry.
func WithoutVoid(m *data.LabelMap) *data.LabelMap {
	m = m.Clone()
	for i, v := range m.Pix {
		if v == data.Ignore {
			m.Pix[i] = 0
		}
	}
	return m
}
