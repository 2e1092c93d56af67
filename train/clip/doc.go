// Package clip fine-tunes the image encoder of CLIP, imported from ONNX, into
// a classifier of image labels (docs/sources.md §7, box2024): every weight of the
// encoder becomes a variable, and a LayerNorm and a linear layer follow. A run
// survives being killed and ends with the same bytes on the same backend. The
// result is an ONNX file again (Export) that any runtime opens, and that
// package cliptags gives images their labels by.
package clip
