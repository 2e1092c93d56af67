package retrieve

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"wsss/gen"
	"wsss/gen/segments"
	"wsss/gen/source"
	"wsss/models/foundation/features"
)

// options are the keys of [gen.options]. docs/retrieve.md sets them beside
// ModuSeg's.
type options struct {
	Features  features.Table `toml:"features"`  // the network
	Proposals []proposal     `toml:"proposals"` // what is to be named: [[gen.options.proposals]], all of them together
	From      source.Options `toml:"from"`      // labels that the bank is built from: of another method, a run, a tool, or true masks
	Bank      string         `toml:"bank"`      // file of the bank; default one in the folder of the labels. Without from it is taken as it is

	Regions   string `toml:"regions"`    // of a label: class (default; one of each class in a photo), parts (each connected part)
	MinArea   int    `toml:"min_area"`   // pixels; smaller regions and proposals are left out; default 300
	Erode     int    `toml:"erode"`      // pixels that regions lose at their edges, where labels err; default 20
	ErodeLess bool   `toml:"erode_less"` // regions that would get smaller than min_area lose less (default); false: they are left out
	Pool      string `toml:"pool"`       // lengths (default): features count by the length that the network gives them; alike

	Clean string  `toml:"clean"` // what leaves the bank: neighbours (default), whose nearest are of other classes; centre, those farthest from their class's mean; none
	Agree float64 `toml:"agree"` // share of the neighbours' votes below which a region leaves; default 0.5
	Drop  float64 `toml:"drop"`  // share of a class that leaves by clean = "centre"; default 0.25

	K             int     `toml:"k"`              // nearest regions that vote; default 9
	Vote          string  `toml:"vote"`           // weighted by similarity (default), or count
	Balance       bool    `toml:"balance"`        // a class with fewer than k regions in the bank is not outvoted for that (default): its votes count for k
	Temperature   float64 `toml:"temperature"`    // votes by similarity weigh exp(similarity/temperature), as in the usual weighted k-NN; default 0.07; 0 = they weigh the similarity
	MinSimilarity float64 `toml:"min_similarity"` // of the best region that votes for the winner; below, a proposal is background; default 0
	MinShare      float64 `toml:"min_share"`      // of the votes that the winner needs, else a proposal is background; default 0
	Overlap       string  `toml:"overlap"`        // pixels of several proposals: votes (default), of all that cover them, each spread over its own; best, the most similar one's
	NMS           float64 `toml:"nms"`            // of overlap = "best": IoU above which the worse of two proposals of a class goes; default 0.4, 1 = none
	LeaveOneOut   bool    `toml:"leave_one_out"`  // a photo's own regions do not vote for it; default true
	Empty         string  `toml:"empty"`          // a class that photos are tagged with and that no region is of: error (default), allow
}

// proposal is a source of masks.
type proposal struct {
	segments.Options
	Parts *bool `toml:"parts"` // each connected part is one; default true but for sam-auto, masks and sidecars
}

func (p proposal) split() bool {
	if p.Parts != nil {
		return *p.Parts
	}
	return p.Masks == "" && p.Sidecars == "" && p.Method != "sam-auto"
}

// Values of the options that are words.
const (
	regionsClass, regionsParts            = "class", "parts"
	poolLengths, poolAlike                = "lengths", "alike"
	cleanNeighbours, cleanCentre, noClean = "neighbours", "centre", "none"
	voteSimilarity, voteCount             = "similarity", "count"
	emptyError, emptyAllow                = "error", "allow"
	overlapVotes, overlapBest             = "votes", "best"
)

func defaults() options {
	return options{
		Regions: regionsClass, MinArea: 300, Erode: 20, ErodeLess: true, Pool: poolLengths,
		Clean: cleanNeighbours, Agree: 0.5, Drop: 0.25,
		K: 9, Vote: voteSimilarity, Balance: true, Temperature: 0.07, Overlap: overlapVotes, NMS: 0.4, LeaveOneOut: true, Empty: emptyError,
	}
}

func (o options) check() error {
	if err := o.Features.Check("gen.options.features"); err != nil {
		return err
	}
	if len(o.Proposals) == 0 {
		return errors.New("[gen.options] proposals is missing: [[gen.options.proposals]] with a method such as sam-auto, saliency or grabcut, or a folder of masks")
	}
	for i, p := range o.Proposals {
		if err := p.Check(); err != nil {
			return fmt.Errorf("[gen.options.proposals.%d] %w", i, err)
		}
	}
	if !o.From.Given() && o.Bank == "" {
		return errors.New("[gen.options] from and bank are missing: allowed are labels to build a bank from, a bank that a run has made, or both")
	}
	for _, w := range []struct {
		key, value string
		allowed    []string
	}{
		{"regions", o.Regions, []string{regionsClass, regionsParts}}, {"pool", o.Pool, []string{poolLengths, poolAlike}},
		{"clean", o.Clean, []string{cleanNeighbours, cleanCentre, noClean}}, {"vote", o.Vote, []string{voteSimilarity, voteCount}},
		{"empty", o.Empty, []string{emptyError, emptyAllow}}, {"overlap", o.Overlap, []string{overlapVotes, overlapBest}},
	} {
		if !slices.Contains(w.allowed, w.value) {
			return fmt.Errorf("[gen.options] %s = %q: allowed are %s", w.key, w.value, strings.Join(w.allowed, ", "))
		}
	}
	return cmp.Or(
		gen.Within("min_area", float64(o.MinArea), 1, math.MaxInt32), gen.Within("erode", float64(o.Erode), 0, 1<<12), gen.Within("k", float64(o.K), 1, 1<<12),
		gen.Within("agree", o.Agree, 0, 1), gen.Within("drop", o.Drop, 0, 1), gen.Within("temperature", o.Temperature, 0, 100),
		gen.Within("min_similarity", o.MinSimilarity, -1, 1), gen.Within("min_share", o.MinShare, 0, 1), gen.Within("nms", o.NMS, 0, 1),
	)
}
