// Package blip2 says which of a few texts fits a mask best, by BLIP-2's
// image–text matching or feature similarity (docs/sources.md §5.2), which is how
// Jiang & Yang 2023 names the masks of an automatic generator from image labels. The
// same classification works with any Scorer, CLIP included.
package blip2
