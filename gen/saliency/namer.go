package saliency

import (
	"context"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/gen/naming"
	"wsss/models/foundation/blip2"
)

// namer tells the connected parts of what stands out apart.
type namer struct {
	*naming.Namer
	classes data.Classes
	words   naming.Words
}

// speck is the share of the photo below which a part is too small to be named.
const speck = 1.0 / 2000

func openNamer(env gen.Env, o options) (*namer, error) {
	n, err := o.naming().Open(env.Backend, naming.Place{Dir: o.ModelDir})
	return &namer{n, env.Classes, nil}, err
}

// shares gives each part of what stands out, specks aside, whole to the tag
// that the namer finds in it.
func (n *namer) shares(ctx context.Context, s *data.Sample, tags []int, salient []float32, threshold float32) ([][]float32, error) {
	out := make([][]float32, len(tags))
	list := make([]blip2.Candidate, len(tags))
	for t, class := range tags {
		out[t] = make([]float32, len(salient))
		list[t] = blip2.Candidate{Class: t, Text: n.words.Of(n.classes.Name(class))[0]}
	}
	img := imageproc.FromImage(s.Image)
	var parts [][]int32
	var masks []data.RLE
	for _, part := range data.Parts(above(salient, threshold), img.W, img.H) {
		if float64(len(part)) < speck*float64(len(salient)) {
			break // the largest come first
		}
		bits := make([]uint8, len(salient))
		for _, i := range part {
			bits[i] = 1
		}
		parts, masks = append(parts, part), append(masks, data.EncodeRLE(bits, img.W, img.H))
	}
	names, err := n.Names(ctx, img, masks, list)
	if err != nil {
		return nil, err
	}
	for k, name := range names {
		for _, i := range parts[k] {
			out[name.Class][i] = 1
		}
	}
	return out, nil
}
