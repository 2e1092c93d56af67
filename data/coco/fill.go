package coco

import "wsss/data"

// FillPolygon rasterises a closed line x0, y0, x1, y1, … in pixel edges on w×h
// pixels, pixel for pixel as pycocotools' annToMask does. At least three points
// are needed, each coordinate within ±2^20.
func FillPolygon(xy []float64, w, h int) (data.RLE, error) { return fillPolygon(xy, w, h) }
