// Package promptsam makes pseudo-label masks by prompting Segment Anything:
// method "sam" with boxes, points or scribbles, and method "grounded-sam" with
// the boxes that Grounding-DINO finds for the image's tags (docs/sources.md §2.1, §3,
// §4, §11.4).
package promptsam
