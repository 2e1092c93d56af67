package cam

import (
	"context"

	"wsss/data"
	"wsss/gen"
	"wsss/gen/saliency"
	"wsss/gen/source"
)

// cue is a salient-object network that says where the background is, as EPS and
// others use one; nil says nothing.
type cue struct{ maps *saliency.Mapper }

// cueOptions is the key of CAM methods that names it.
type cueOptions struct {
	Saliency saliency.Network `toml:"saliency"` // what does not stand out is background: its score is threshold + 0.5 − saliency
}

func (o cueOptions) check() error {
	if !o.Saliency.Given() {
		return nil
	}
	return o.Saliency.Check("gen.options.saliency")
}

func (o cueOptions) needs() gen.Needs {
	if !o.Saliency.Given() {
		return gen.Needs{}
	}
	return o.Saliency.Needs()
}

func (o cueOptions) open(env gen.Env, hashes map[string]string) (*cue, error) {
	if !o.Saliency.Given() {
		return nil, nil
	}
	m, err := o.Saliency.Open(env.Backend, "gen.options.saliency")
	if err != nil {
		return nil, err
	}
	for file, sum := range m.Weights() {
		hashes[file] = sum
	}
	return &cue{m}, nil
}

// add gives scores of the size of the image a background of their own: the
// constant where saliency is undecided, 0.5 more where nothing stands out, so
// that only what the classes are very sure of counts there, and less where
// something does.
func (c *cue) add(ctx context.Context, s *data.Sample, scores *source.Scores, threshold float64) (*source.Scores, error) {
	if c == nil || len(scores.Classes) == 0 {
		return scores, nil
	}
	salient, err := c.maps.Map(ctx, s)
	if err != nil {
		return nil, err
	}
	bg := make([]float32, len(salient))
	for i, v := range salient {
		bg[i] = min(max(float32(threshold)+0.5-v, 0), 1)
	}
	return &source.Scores{W: scores.W, H: scores.H, Classes: append([]int{0}, scores.Classes...), Maps: append([][]float32{bg}, scores.Maps...)}, nil
}
