// Package openimages selects the categories of VOC or COCO from Open Images
// (docs/sources.md §7, §9) and opens the result as dataset kind "openimages".
//
// Build streams the official CSV files, however large, in bounded memory: a
// scan keeps the rows of the wanted labels, sorted into buckets by image id on
// disk, and the buckets are then turned into labels one by one. What people
// verified to be absent is kept apart from what nobody looked for.
package openimages
