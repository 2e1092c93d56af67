// Package clip compares images with words by CLIP: image and text towers,
// prompt ensembles with synonyms, the best classes and multi-label scores
// (docs/sources.md §7). It works with the full export (pixel_values, input_ids →
// image_embeds, text_embeds) and with separate vision and text models.
package clip
