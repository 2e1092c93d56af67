package data

import (
	"cmp"
	"image"
	"slices"
)

// ByShape orders images, given by index, so that those follow each other that
// a network sees at the same shape, and compiles once for; within one shape in
// the order of ids. shape tells it from a size in pixels.
func ByShape(ds Dataset, ids []string, shape func(size image.Point) image.Point) []int {
	order, shapes := make([]int, len(ids)), make([]image.Point, len(ids))
	for i, id := range ids {
		order[i] = i
		if size, err := ImageSize(ds.ImagePath(id)); err == nil { // else loading the image says what is wrong
			shapes[i] = shape(size)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(shapes[a].X, shapes[b].X), cmp.Compare(shapes[a].Y, shapes[b].Y))
	})
	return order
}
