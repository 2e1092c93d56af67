// Package sam3 finds everything in a photo that words, or boxes around examples,
// mean, with Segment Anything 3 (docs/sources.md §3.7). It works with its ONNX exports
// in three graphs: an image encoder, a text encoder and a decoder, whose inputs tell
// by their names where they come from.
package sam3
