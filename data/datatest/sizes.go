package datatest

import "image"

// PhotoSizes are all sizes that a photo has whose long side is long pixels and
// whose other one is short at least, lying and standing. With 500 and 160 they
// are VOC's but for a few: of the 21 photos of shared/data/voc_mini one is
// smaller, 480×360, and of the 100 of shared/data/tiny_coco none is longer than
// 3.005 : 1.
func PhotoSizes(long, short int) []image.Point {
	var all []image.Point
	for n := short; n <= long; n++ {
		all = append(all, image.Pt(long, n), image.Pt(n, long))
	}
	return all
}

// Distinct counts the values of shape over sizes.
func Distinct(sizes []image.Point, shape func(image.Point) image.Point) int {
	seen := map[image.Point]bool{}
	for _, size := range sizes {
		seen[shape(size)] = true
	}
	return len(seen)
}
