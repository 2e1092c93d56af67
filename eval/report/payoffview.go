package report

import (
	"fmt"

	"wsss/data/words"
)

// payoffView is what correcting led to, as charts and a table.
type payoffView struct {
	Charts []chart
	Means  []MeanPayoff
	Seeds  int
	Text   string
}

func payoffOf(list []Payoff) *payoffView {
	if len(list) == 0 {
		return nil
	}
	v := &payoffView{Means: meanPayoffs(list)}
	for _, m := range v.Means {
		v.Seeds = max(v.Seeds, m.Seeds)
	}
	v.Charts = []chart{
		payoffChart("network, mIoU over corrected images", v.Means, func(m MeanPayoff) float64 { return 100 * m.Network }),
		payoffChart("pseudo-labels, mIoU over corrected images", v.Means, func(m MeanPayoff) float64 { return 100 * m.Labels }),
	}
	v.Text = payoffText(v.Means)
	return v
}

// payoffText says by how much the order by gain is ahead with most images
// corrected.
func payoffText(means []MeanPayoff) string {
	last := map[string]MeanPayoff{}
	for _, m := range means {
		if m.Corrected >= last[m.Order].Corrected {
			last[m.Order] = m
		}
	}
	gain, random := last[OrderGain], last[OrderRandom]
	if gain.Corrected == 0 || gain.Corrected != random.Corrected {
		return ""
	}
	return fmt.Sprintf("With %s corrected, the order by gain is %+.1f points of mIoU from a random one for the network and %+.1f for the pseudo-labels (mean over %s).",
		words.Plural(gain.Corrected, "image"), 100*(gain.Network-random.Network), 100*(gain.Labels-random.Labels), words.Plural(gain.Seeds, "seed"))
}

func payoffChart(name string, means []MeanPayoff, of func(MeanPayoff) float64) chart {
	c := chart{Name: name}
	var xs, ys []float64
	for _, m := range means {
		xs, ys = append(xs, float64(m.Corrected)), append(ys, of(m))
	}
	f := newFrame(xs, ys)
	f.ticks(&c)
	for i, order := range []string{OrderGain, OrderRandom} {
		var s Series
		for _, m := range means {
			if m.Order == order {
				s.Step, s.Value = append(s.Step, float64(m.Corrected)), append(s.Value, of(m))
			}
		}
		if n := len(s.Step); n > 0 {
			c.Lines = append(c.Lines, line{Name: "by " + order, Number: i + 1, Points: f.points(s), Last: fmt.Sprintf("%.1f", s.Value[n-1]), Single: n == 1})
		}
	}
	return c
}
