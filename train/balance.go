package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/models"
)

// mostBalanced bounds the label maps that class weights are taken from; they are
// spread evenly over the images.
const mostBalanced = 2000

// Bounds of a class's weight by its frequency.
const leastWeight, mostWeight = 0.1, 10

// classWeights are the weights of a pixel of each class, nil where all are 1.
func (r *run) classWeights() ([]float64, error) {
	t := r.Config
	if len(t.ClassWeights) == 0 && t.Balance == "" {
		return nil, nil
	}
	if _, taught := r.Net.(models.Taught); taught {
		return nil, fmt.Errorf("train.loss: train.network.arch = %q has a loss of its own, which takes no class weights", t.Arch)
	}
	if n := len(t.ClassWeights); n > 0 {
		if n != r.Classes.Len() {
			return nil, fmt.Errorf("train.loss.class_weights has %d numbers: wanted is one for each of the %d classes, %s", n, r.Classes.Len(), strings.Join(r.Classes.Names, ", "))
		}
		return t.ClassWeights, nil
	}
	counts, err := r.countClasses()
	if err != nil {
		return nil, err
	}
	weights := balanced(counts, t.Balance)
	words := make([]string, len(weights))
	for c, w := range weights {
		words[c] = fmt.Sprintf("%s %.3g", r.Classes.Names[c], w)
	}
	r.Log("class weights by frequency: " + strings.Join(words, ", "))
	return weights, nil
}

// classCount is what label maps hold of a class.
type classCount struct {
	pixels float64 // of the class
	of     float64 // labelled ones, of the images that have it
}

// countClasses looks at label maps spread over the training images.
func (r *run) countClasses() ([]classCount, error) {
	counts := make([]classCount, r.Classes.Len())
	n := min(len(r.ids), mostBalanced)
	for i := range n {
		m, err := r.labelMap(r.ids[i*len(r.ids)/n])
		if err != nil {
			return nil, err
		}
		var seen [256]float64
		for _, v := range m.Pix {
			seen[v]++
		}
		labelled := float64(len(m.Pix)) - seen[data.Ignore]
		for c := range counts {
			if seen[c] > 0 {
				counts[c].pixels += seen[c]
				counts[c].of += labelled
			}
		}
	}
	return counts, nil
}

// labelMap is what an image is trained on, without the image.
func (r *run) labelMap(id string) (*data.LabelMap, error) {
	if r.LabelsDir == "" {
		s, err := r.Dataset.Load(id, data.WantTruth)
		if err != nil {
			return nil, err
		}
		return s.Truth, s.Truth.CheckRange(r.Classes.Len())
	}
	path, err := files.Join(r.LabelsDir, id+".png")
	if err != nil {
		return nil, err
	}
	m, err := data.ReadLabelMap(path)
	if err == nil {
		err = m.CheckRange(r.Classes.Len())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// balanced are weights by frequency: the median of the classes' shares over the
// share of each, or the root of that. A class that no label map has counts 1.
func balanced(counts []classCount, how string) []float64 {
	share := func(c classCount) float64 { return c.pixels / c.of }
	var all []float64
	for _, c := range counts {
		if c.pixels > 0 {
			all = append(all, share(c))
		}
	}
	weights := make([]float64, len(counts))
	if len(all) == 0 {
		return slices.Repeat([]float64{1}, len(counts))
	}
	slices.Sort(all)
	median := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	for i, c := range counts {
		if weights[i] = 1; c.pixels == 0 {
			continue
		}
		if weights[i] = median / share(c); how == "sqrt" {
			weights[i] = math.Sqrt(weights[i])
		}
		weights[i] = min(max(weights[i], leastWeight), mostWeight)
	}
	return weights
}
