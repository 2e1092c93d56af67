package sam

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// oneMask marks the result of an export that picks one mask itself.
const oneMask = -1

// Result is what the decoder gives for one prompt: one mask, the three of
// multimask mode, or those after the single-mask one (docs/sources.md §3.3).
type Result struct {
	LowSide int
	Low     [][]float32 // logits, LowSide² each, over the whole square
	IoU     []float32   // predicted IoU of each
	first   int         // mask token of Low[0]; oneMask where the export chose
}

// Choice says which mask of a result to take.
type Choice string

// The choices.
const (
	// Single is mask token 0, the answer for prompts without ambiguity, such
	// as boxes; the best of the others where the export lacks it.
	Single Choice = "single"
	// Best is the multimask output with the highest predicted IoU.
	Best Choice = "best"
	// Third is the third multimask output, mostly the whole object, as
	// Jiang & Yang 2023 takes it (docs/sources.md §3.3, §11.4).
	Third Choice = "third"
)

// Choices lists what ParseChoice takes.
var Choices = []Choice{Single, Best, Third}

// ParseChoice checks a choice read from a config; key names it in the error.
func ParseChoice(key, s string) (Choice, error) {
	if c := Choice(s); slices.Contains(Choices, c) {
		return c, nil
	}
	names := make([]string, len(Choices))
	for i, c := range Choices {
		names[i] = string(c)
	}
	return "", fmt.Errorf("%s = %q: allowed are %s", key, s, strings.Join(names, ", "))
}

// Pick returns the index of the chosen mask. Third is an error for an export
// that returns one mask only, and so chose itself.
func (r Result) Pick(c Choice) (int, error) {
	switch {
	case r.first == oneMask && c == Third:
		return 0, fmt.Errorf("the third mask is wanted, but this SAM decoder was exported to return a single one: use the multi-mask export")
	case r.first == oneMask:
		return 0, nil
	case c == Third:
		return 3 - r.first, nil
	case c == Single && r.first == 0:
		return 0, nil
	}
	return r.best(), nil
}

// Multimask lists the indices of the multimask outputs, or the only mask.
func (r Result) Multimask() []int {
	var list []int
	for i := range r.Low {
		if r.first == oneMask || r.first+i > 0 {
			list = append(list, i)
		}
	}
	return list
}

// best is the multimask output with the highest predicted IoU, the earliest
// of equals.
func (r Result) best() int {
	list := r.Multimask()
	return slices.MaxFunc(list, func(a, b int) int {
		switch {
		case r.IoU[a] < r.IoU[b]:
			return -1
		case r.IoU[a] > r.IoU[b]:
			return 1
		}
		return 0
	})
}

// Iterate adds the prompt's points one per pass, each time with the chosen
// logits of the pass before, and returns the last result with the index of
// the chosen mask (docs/sources.md §3.3, §11.4). The box, if any, is in every pass.
func (m *Model) Iterate(ctx context.Context, e *Embedding, p Prompt, c Choice) (Result, int, error) {
	step := Prompt{Box: p.Box, Mask: p.Mask}
	passes := max(1, len(p.Points))
	var last Result
	pick := 0
	for i := range passes {
		step.Points = p.Points[:min(i+1, len(p.Points))]
		results, err := m.Predict(ctx, e, []Prompt{step})
		if err != nil {
			return Result{}, 0, err
		}
		last = results[0]
		if pick, err = last.Pick(c); err != nil {
			return Result{}, 0, err
		}
		step.Mask = last.Low[pick]
	}
	return last, pick, nil
}
