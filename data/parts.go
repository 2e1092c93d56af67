package data

import "slices"

// Parts lists the 4-connected parts of a mask as pixel indices, largest
// first, then topmost.
func Parts(mask []uint8, w, h int) [][]int32 {
	seen := make([]bool, len(mask))
	var parts [][]int32
	for start, v := range mask {
		if v == 0 || seen[start] {
			continue
		}
		part := []int32{int32(start)}
		seen[start] = true
		visit := func(i int) {
			if mask[i] != 0 && !seen[i] {
				seen[i] = true
				part = append(part, int32(i))
			}
		}
		for k := 0; k < len(part); k++ {
			i := int(part[k])
			if i%w > 0 {
				visit(i - 1)
			}
			if i%w < w-1 {
				visit(i + 1)
			}
			if i >= w {
				visit(i - w)
			}
			if i < w*(h-1) {
				visit(i + w)
			}
		}
		parts = append(parts, part)
	}
	slices.SortStableFunc(parts, func(a, b []int32) int { return len(b) - len(a) })
	return parts
}
