package clip

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"wsss/data/prob"
	"wsss/data/vector"
)

// Origami is CLIP-ES's single template (docs/sources.md §6.1).
const Origami = "a clean origami {}."

// DefaultTemplates is what the published model was mostly trained to read.
var DefaultTemplates = []string{"a photo of a {}."}

// Words is one class in words: its name and synonyms, all of which count.
type Words []string

// Ensemble embeds each class as the mean over templates and synonyms of the
// normalised text embeddings, normalised again. A template has {} where the
// word goes.
func (m *Model) Ensemble(ctx context.Context, templates []string, classes []Words) ([][]float32, error) {
	if len(templates) == 0 {
		return nil, fmt.Errorf("no prompt templates")
	}
	means := make([][]float32, len(classes))
	for i, words := range classes {
		if len(words) == 0 {
			return nil, fmt.Errorf("class %d has no words", i)
		}
		for _, word := range words {
			for _, template := range templates {
				if !strings.Contains(template, "{}") {
					return nil, fmt.Errorf("prompt template %q lacks {}", template)
				}
				rows, err := m.Text(ctx, strings.ReplaceAll(template, "{}", word))
				if err != nil {
					return nil, err
				}
				if means[i] == nil {
					means[i] = make([]float32, len(rows[0]))
				}
				for k, v := range rows[0] {
					means[i][k] += v
				}
			}
		}
		vector.Normalise(means[i])
	}
	return means, nil
}

// Logits are scale · cosine of a normalised image embedding with each of the
// normalised classes.
func Logits(image []float32, classes [][]float32, scale float32) []float32 {
	out := make([]float32, len(classes))
	for i, c := range classes {
		out[i] = scale * vector.Dot(c, image)
	}
	return out
}

// Softmax turns logits into probabilities that sum to 1.
func Softmax(logits []float32) []float32 {
	if len(logits) == 0 {
		return nil
	}
	out := make([]float32, len(logits))
	prob.Softmax(out, logits)
	return out
}

// TopN lists the indices of the n largest scores, descending; the lower index
// first among equals.
func TopN(scores []float32, n int) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	return order[:max(0, min(n, len(order)))]
}

// MultiLabel is, for each class, its probability against the background
// classes alone: several classes can be present at once, which a softmax over
// all of them denies.
func MultiLabel(classes, background []float32) []float32 {
	out := make([]float32, len(classes))
	for i, v := range classes {
		out[i] = Softmax(append([]float32{v}, background...))[0]
	}
	return out
}

// Background are CLIP-ES's words for what is no object of VOC (docs/sources.md §6.1).
var Background = []string{
	"ground", "land", "grass", "tree", "building", "wall", "sky", "lake", "water", "river", "sea", "railway", "railroad",
	"keyboard", "helmet", "cloud", "house", "mountain", "ocean", "road", "rock", "street", "valley", "bridge", "sign",
}
