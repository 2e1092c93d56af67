package sam

import (
	"cmp"
	"slices"

	"wsss/data"
)

// suppress is non-maximum suppression by boxes, whatever their classes: masks
// in descending order of score, less those whose box has an IoU above limit
// with one before. Equal scores keep their order.
func suppress(masks []AutoMask, scores []float32, limit float64) []AutoMask {
	order := make([]int, len(masks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var kept []AutoMask
	for _, i := range order {
		m := masks[i]
		if !slices.ContainsFunc(kept, func(k AutoMask) bool { return float64(boxIoU(k.Box, m.Box)) > limit }) {
			kept = append(kept, m)
		}
	}
	return kept
}

// scoresOf lists what suppress orders by.
func scoresOf(masks []AutoMask, score func(AutoMask) float32) []float32 {
	list := make([]float32, len(masks))
	for i, m := range masks {
		list[i] = score(m)
	}
	return list
}

// boxIoU treats the extrema as edges, as the reference does, so a box one
// pixel wide has no area. It is NaN, and nothing suppressed, for two of them.
func boxIoU(a, b Extrema) float32 {
	area := func(e Extrema) float32 { return float32(e.X1-e.X0) * float32(e.Y1-e.Y0) }
	w := max(0, min(a.X1, b.X1)-max(a.X0, b.X0))
	h := max(0, min(a.Y1, b.Y1)-max(a.Y0, b.Y0))
	both := float32(w) * float32(h)
	return both / (area(a) + area(b) - both)
}

// cleanRegions fills holes and removes islands below minArea pixels, then
// drops masks that became duplicates, the changed ones first.
func cleanRegions(masks []AutoMask, minArea int, nms float64) []AutoMask {
	unchanged := make([]float32, len(masks))
	for i := range masks {
		m := &masks[i]
		w, h := m.Bits.W, m.Bits.H
		bits := m.Bits.Decode()
		filled := fillHoles(bits, w, h, minArea)
		removed := removeIslands(bits, w, h, minArea)
		if filled || removed {
			m.Bits, m.Box = data.EncodeRLE(bits, w, h), extrema(bits, w, h)
		} else {
			unchanged[i] = 1
		}
	}
	return suppress(masks, unchanged, nms)
}

// fillHoles sets the 8-connected parts of the background that are smaller
// than minArea, and tells whether there were any.
func fillHoles(bits []uint8, w, h, minArea int) bool {
	small := false
	for _, part := range components(bits, w, h, 0) {
		if len(part) < minArea {
			small = true
			for _, i := range part {
				bits[i] = 1
			}
		}
	}
	return small
}

// removeIslands clears the 8-connected parts of the mask that are smaller than
// minArea, all but the largest where all are, and tells whether it did
// anything.
func removeIslands(bits []uint8, w, h, minArea int) bool {
	parts := components(bits, w, h, 1)
	largest := 0
	for k, part := range parts {
		if len(part) > len(parts[largest]) {
			largest = k
		}
	}
	small := false
	for k, part := range parts {
		if len(part) >= minArea {
			continue
		}
		small = true
		if k == largest {
			continue // reached only where every part is small
		}
		for _, i := range part {
			bits[i] = 0
		}
	}
	return small
}

// components lists the 8-connected parts of the pixels with this value, as
// indices, in raster order of their first pixel.
func components(bits []uint8, w, h int, value uint8) [][]int32 {
	seen := make([]bool, len(bits))
	var parts [][]int32
	for start := range bits {
		if seen[start] || bits[start] != value {
			continue
		}
		seen[start] = true
		part := []int32{int32(start)}
		for k := 0; k < len(part); k++ {
			x, y := int(part[k])%w, int(part[k])/w
			for ny := max(0, y-1); ny <= min(h-1, y+1); ny++ {
				for nx := max(0, x-1); nx <= min(w-1, x+1); nx++ {
					if i := ny*w + nx; !seen[i] && bits[i] == value {
						seen[i] = true
						part = append(part, int32(i))
					}
				}
			}
		}
		parts = append(parts, part)
	}
	return parts
}
