// Package sam turns prompts into masks with Segment Anything: the image is
// embedded once, then decoded for any number of points, boxes and earlier
// masks (docs/sources.md §3). It works with the ONNX exports that are published:
// Meta's decoder with an encoder export (also MobileSAM), Hugging Face's
// vision_encoder and prompt_encoder_mask_decoder, EfficientSAM's pair, and for
// SAM 2 and 2.1 samexporter's pair, onnx-community's and wsss's own; which one it
// is follows from the names of the inputs.
package sam
