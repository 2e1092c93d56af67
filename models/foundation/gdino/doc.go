// Package gdino finds boxes for text with Grounding-DINO: preprocessing,
// captions with phrase masks and position ids, thresholds, phrases, classes
// and non-maximum suppression (docs/sources.md §4). It works with the native export
// (img, position_ids, text_token_mask) and Hugging Face's (pixel_values,
// pixel_mask); which one it is follows from the names of the inputs.
package gdino
