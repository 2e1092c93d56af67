package grabcut

import (
	"fmt"
	"math"

	"wsss/gen/source"
)

// options are the keys of [gen.options] for this method.
type options struct {
	Iterations int     `toml:"iterations"` // cuts at most, each with refitted colours
	Gamma      float64 `toml:"gamma"`      // weight of smoothness; 50 in the paper, 25 keeps thin parts
	MaxSide    int     `toml:"max_side"`   // regions larger than this are cut smaller first, then refined; 0 = never
	Margin     float64 `toml:"margin"`     // surroundings of a box that show the background, as a share of its sides
	Prior      float64 `toml:"prior"`      // weight of where in a box, or how near to a seed, objects use to lie; 0 = plain GrabCut
	MinFill    float64 `toml:"min_fill"`   // a cut below this share of its box has failed and becomes an ellipse
	MinReach   float64 `toml:"min_reach"`  // a cut that spans less than this share of a side of its box has failed too
	Crowds     bool    `toml:"crowds"`     // also cut boxes that hold a group (COCO iscrowd)
	Radius     float64 `toml:"radius"`     // radius of a point or stroke, as a share of √(width·height)

	From  source.Options `toml:"from"`  // labels or class scores of another method, a run or a tool (saliency, cam, …): what each pixel is at first
	Trust float64        `toml:"trust"` // weight of their log odds; 0 = they are only where the first colours are taken from; default 5
}

func defaults() options {
	return options{Iterations: 5, Gamma: 25, MaxSide: 240, Margin: 0.4, Prior: 1, MinFill: 0.3, MinReach: 0.8, Radius: 0.012, Trust: 5}
}

// check returns an error that names the first key out of range.
func (o options) check() error {
	for _, k := range []struct {
		key     string
		v       float64
		lo, hi  float64
		allowed string
	}{
		{"iterations", float64(o.Iterations), 1, 100, "1..100"},
		{"gamma", o.Gamma, 0, 1000, "0..1000"},
		{"max_side", float64(o.MaxSide), 0, math.MaxInt32, "0 (never shrink) or more pixels"},
		{"margin", o.Margin, 0, 10, "0..10"},
		{"prior", o.Prior, 0, 100, "0..100"},
		{"min_fill", o.MinFill, 0, 1, "0..1"},
		{"min_reach", o.MinReach, 0, 1, "0..1"},
		{"radius", o.Radius, 0, 0.5, "0..0.5"},
		{"trust", o.Trust, 0, 100, "0..100"},
	} {
		if !(k.v >= k.lo && k.v <= k.hi) {
			return fmt.Errorf("[gen.options] %s = %v: allowed is %s", k.key, k.v, k.allowed)
		}
	}
	return nil
}
