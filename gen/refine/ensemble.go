package refine

import (
	"context"
	"fmt"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/source"
)

func init() {
	gen.RegisterOf("ensemble", gen.Spec{
		Doc:  "several labels combined by vote; pixels without a majority stay undecided",
		Weak: data.Supervisions,
	}, gen.Of[ensembleOptions]{
		Decode: func(table map[string]any) (ensembleOptions, error) {
			return gen.Decode(table, ensembleOptions{Agree: 0.5}, ensembleOptions.check)
		},
		New: newEnsemble,
		Inner: func(o ensembleOptions) (inner []configs.Gen) {
			for _, m := range o.Members {
				inner = append(inner, m.Inner()...)
			}
			return inner
		},
		Needs: func(o ensembleOptions) (n gen.Needs) {
			for _, m := range o.Members {
				n.Add(m.Needs())
			}
			return n
		},
	})
}

// ensembleOptions are the keys of [gen.options].
type ensembleOptions struct {
	Members []memberOptions `toml:"members"` // two or more sources; [[gen.options.members]]
	Agree   float64         `toml:"agree"`   // a label needs more than this share of the votes, else the pixel is void; default 0.5
}

type memberOptions struct {
	source.Options
	Weight *float64 `toml:"weight"` // of the member's vote; default 1
}

type ensemble struct {
	members []*source.Source
	weights []float32
	agree   float32
}

func (o ensembleOptions) check() error {
	if len(o.Members) < 2 {
		return fmt.Errorf("[gen.options] members: %d given, allowed are 2 or more", len(o.Members))
	}
	if !(o.Agree >= 0 && o.Agree < 1) {
		return fmt.Errorf("[gen.options] agree = %v: allowed are numbers in [0, 1)", o.Agree)
	}
	return nil
}

func newEnsemble(env gen.Env, o ensembleOptions) (gen.Method, error) {
	m := &ensemble{agree: float32(o.Agree)}
	for i, member := range o.Members {
		section := fmt.Sprintf("gen.options.members.%d", i)
		s, err := source.Open(env, section, member.Options)
		if err != nil {
			return nil, err
		}
		weight := 1.0
		if member.Weight != nil {
			weight = *member.Weight
		}
		if !(weight > 0 && weight < 1e6) {
			return nil, fmt.Errorf("[%s] weight = %v: allowed are numbers in (0, 1e6)", section, weight)
		}
		m.members, m.weights = append(m.members, s), append(m.weights, float32(weight))
	}
	return m, nil
}

func (m *ensemble) Inputs() (map[string]string, error) { return inputs(nil, m.members...) }

func (m *ensemble) InputFiles(id string) ([]string, error) {
	return inputFiles(id, nil, m.members...)
}

func (m *ensemble) Weights() map[string]string {
	all := map[string]string{}
	for _, s := range m.members {
		for k, v := range s.Weights() {
			all[k] = v
		}
	}
	return all
}

// Learn lets every member learn (gen.Learner).
func (m *ensemble) Learn(ctx context.Context, from gen.Lesson) error {
	for _, s := range m.members {
		if err := s.Learn(ctx, from); err != nil {
			return err
		}
	}
	return nil
}

// Generate returns one mask per class that won somewhere; its score is the
// mean share of votes.
func (m *ensemble) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	labels := make([]*data.LabelMap, len(m.members))
	for i, member := range m.members {
		label, _, err := member.Label(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", i, err)
		}
		labels[i] = label
	}
	label, share := vote(labels, m.weights, m.agree)
	return gen.LabelMasks(label, share, "ensemble"), nil
}

// vote labels every pixel with the value of most weight, the lowest of equal
// ones, if its share of all votes exceeds agree, else with data.Ignore. Void
// pixels abstain.
func vote(labels []*data.LabelMap, weights []float32, agree float32) (*data.LabelMap, []float32) {
	out := data.NewLabelMap(labels[0].W, labels[0].H)
	share := make([]float32, len(out.Pix))
	for i := range out.Pix {
		var votes [256]float32
		var total float32
		for k, l := range labels {
			if v := l.Pix[i]; v != data.Ignore {
				votes[v] += weights[k]
				total += weights[k]
			}
		}
		best := uint8(data.Ignore)
		for _, l := range labels {
			v := l.Pix[i]
			if v != data.Ignore && (best == data.Ignore || votes[v] > votes[best] || votes[v] == votes[best] && v < best) {
				best = v
			}
		}
		if total > 0 {
			share[i] = votes[best] / total
		}
		if share[i] <= agree {
			best = data.Ignore
		}
		out.Pix[i] = best
	}
	return out, share
}
