package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
)

// PayoffName is the file in a run's folder that says whether correcting pays.
const PayoffName = "simulate.json"

// The orders in which images are corrected.
const (
	OrderGain   = "gain"
	OrderRandom = "random"
)

// Payoff is what correcting the first images of an order from the truth led to,
// with one seed.
type Payoff struct {
	Seed      int64   `json:"seed"`
	Order     string  `json:"order"`
	Corrected int     `json:"corrected"`
	Labels    float64 `json:"labels"`  // mIoU of the pseudo-labels, 0..1
	Network   float64 `json:"network"` // mIoU of the network trained on them
}

// MeanPayoff is Payoff over the seeds, with standard deviations.
type MeanPayoff struct {
	Order               string
	Corrected, Seeds    int
	Labels, LabelsDev   float64
	Network, NetworkDev float64
}

// ReadPayoffs reads a run's PayoffName, nil where there is none.
func ReadPayoffs(out string) ([]Payoff, error) {
	path := filepath.Join(out, PayoffName)
	raw, err := files.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Payoff
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// meanPayoffs averages over seeds: order by order, ascending by images.
func meanPayoffs(list []Payoff) []MeanPayoff {
	type key struct {
		order string
		n     int
	}
	groups := map[key][]Payoff{}
	for _, p := range list {
		k := key{p.Order, p.Corrected}
		groups[k] = append(groups[k], p)
	}
	var out []MeanPayoff
	for k, g := range groups {
		m := MeanPayoff{Order: k.order, Corrected: k.n, Seeds: len(g)}
		m.Labels, m.LabelsDev = meanDev(g, func(p Payoff) float64 { return p.Labels })
		m.Network, m.NetworkDev = meanDev(g, func(p Payoff) float64 { return p.Network })
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b MeanPayoff) int { return cmp.Or(cmp.Compare(a.Order, b.Order), a.Corrected-b.Corrected) })
	return out
}

// meanDev is the mean and the sample's standard deviation, 0 of one value.
func meanDev(list []Payoff, of func(Payoff) float64) (mean, dev float64) {
	for _, p := range list {
		mean += of(p) / float64(len(list))
	}
	for _, p := range list {
		dev += (of(p) - mean) * (of(p) - mean)
	}
	if len(list) > 1 {
		dev = math.Sqrt(dev / float64(len(list)-1))
	}
	return mean, dev
}

// WritePayoffs prints a line for each number of corrected images, over the seeds.
func WritePayoffs(w io.Writer, points []Payoff) {
	fmt.Fprintf(w, "\n%-8s %6s %9s %22s %22s\n", "order", "seeds", "corrected", "pseudo-labels, mIoU", "network, mIoU")
	for _, m := range meanPayoffs(points) {
		fmt.Fprintf(w, "%-8s %6d %9d %15.1f ± %4.1f %15.1f ± %4.1f\n", m.Order, m.Seeds, m.Corrected, 100*m.Labels, 100*m.LabelsDev, 100*m.Network, 100*m.NetworkDev)
	}
}
