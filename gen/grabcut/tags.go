package grabcut

import (
	"slices"

	"wsss/data"
	"wsss/gen"
)

// weakTag is the note on every mask made from tags.
const (
	weakTag  = "weak: a tag says nothing about place; the object is taken to lie in the centre"
	weakTags = weakTag + ", and the parts, largest first, are dealt to the tags in class order"
)

// tags makes the only guess that colours allow from tags: one cut of what lies
// in the centre against the frame of the image. Several tags cannot be told
// apart; the connected parts of the cut go to them in turn, largest part and
// lowest class first, so a tag may stay without a mask.
func (c *cutter) tags(tags []int) ([]gen.Mask, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	bounds := c.img.Rect
	r := newRegion(bounds)
	frame := bounds.Inset(max(1, min(bounds.Dx(), bounds.Dy())/50))
	if frame.Empty() {
		frame = bounds
	}
	c.occupy(r, frame, c.opts.Prior)
	inside, score, _, err := c.cut(r)
	if err != nil {
		return nil, err
	}
	parts := data.Parts(inside, bounds.Dx(), bounds.Dy())
	shares := make([][]uint8, len(tags))
	for k, part := range parts {
		t := k % len(tags)
		if shares[t] == nil {
			shares[t] = make([]uint8, len(inside))
		}
		for _, i := range part {
			shares[t][i] = 1
		}
	}
	note := weakTag
	if len(tags) > 1 {
		note = weakTags
	}
	var masks []gen.Mask
	for t, class := range slices.Sorted(slices.Values(tags)) {
		if shares[t] == nil {
			continue
		}
		masks = append(masks, gen.Mask{
			Class: class, Bits: data.EncodeRLE(shares[t], bounds.Dx(), bounds.Dy()),
			Score: score / float32(2*len(tags)), Note: note,
			From: gen.Prompt{Class: class, Source: "tag", Score: 1},
		})
	}
	return masks, nil
}
