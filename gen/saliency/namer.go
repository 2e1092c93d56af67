package saliency

import (
	"context"

	"wsss/data"
	"wsss/data/openimages"
	"wsss/gen"
	"wsss/models/foundation/blip2"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/imageproc"
	"wsss/models/foundation/load"
	"wsss/models/manifest"
)

// namer tells the connected parts of what stands out apart by CLIP.
type namer struct {
	scorer  *clip.Scorer
	classes data.Classes
	hashes  map[string]string
}

// cropMargin is how much around a part CLIP sees, as a share of its sides.
const cropMargin = 0.1

// speck is the share of the photo below which a part is too small to be named.
const speck = 1.0 / 2000

func openNamer(env gen.Env, o options) (*namer, error) {
	var paths [3]string
	for i, role := range []string{"vision", "text", "merges"} {
		var err error
		if paths[i], err = manifest.Resolve(o.ModelDir, "", o.CLIP, "clip", role); err != nil {
			return nil, err
		}
	}
	model, files, err := load.CLIP(env.Backend, paths[0], paths[1], paths[2], load.Options{})
	if err != nil {
		return nil, err
	}
	return &namer{model.NewScorer(o.Templates), env.Classes, files.Hashes()}, nil
}

// shares gives each part of what stands out, specks aside, whole to the tag
// that CLIP finds in it.
func (n *namer) shares(ctx context.Context, s *data.Sample, tags []int, salient []float32, threshold float32) ([][]float32, error) {
	out := make([][]float32, len(tags))
	list := make([]blip2.Candidate, len(tags))
	for t, class := range tags {
		out[t] = make([]float32, len(salient))
		list[t] = blip2.Candidate{Class: t, Text: openimages.Word(n.classes.Name(class))}
	}
	img := imageproc.FromImage(s.Image)
	for _, part := range data.Parts(above(salient, threshold), img.W, img.H) {
		if float64(len(part)) < speck*float64(len(salient)) {
			break // the largest come first
		}
		bits := make([]uint8, len(salient))
		for _, i := range part {
			bits[i] = 1
		}
		t, _, err := blip2.Classify(ctx, n.scorer, img, data.EncodeRLE(bits, img.W, img.H), list, blip2.CropOptions{Margin: cropMargin})
		if err != nil {
			return nil, err
		}
		for _, i := range part {
			out[t][i] = 1
		}
	}
	return out, nil
}
