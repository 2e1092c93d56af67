package sam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
)

// oneMask marks the result of an export that picks one mask itself.
const oneMask = -1

// Result is what the decoder gives for one prompt: one mask, the three of
// multimask mode, or those after the single-mask one (docs/sources.md §3.3).
type Result struct {
	LowSide int
	IoU     []float32 // predicted IoU of each mask
	Object  float32   // probability that there is an object at all (SAM 2); 1 where the export does not tell
	first   int       // mask token of the first mask; oneMask where the export chose
	// unstable: where the single mask is not stable, the best of the others is
	// better (SAM 2, docs/sources.md §3.6).
	unstable bool

	from *answer
	at   int // of the first mask among the answer's
}

// answer holds the logits of one call of the decoder, masks × side² of them: where
// it ran, or on the host.
type answer struct {
	prompts, masks, side int
	tensor               *tensors.Tensor // nil where the host has them

	mu     sync.Mutex
	values []float32 // nil until they are asked for
}

// Logits are those of the i-th mask, LowSide² over the whole square. They are not
// to be changed.
func (r Result) Logits(i int) ([]float32, error) {
	a := r.from
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.values == nil {
		var err error
		if a.values, err = tensors.CopyFlatData[float32](a.tensor); err != nil {
			return nil, err
		}
	}
	area := r.LowSide * r.LowSide
	return a.values[(r.at+i)*area : (r.at+i+1)*area], nil
}

// Free gives back at once what the results hold where the decoder ran.
func Free(results []Result) {
	for _, r := range results {
		if r.from != nil && r.from.tensor != nil {
			_ = r.from.tensor.FinalizeAll() // memory only; repeated calls do nothing
		}
	}
}

// Choice says which mask of a result to take.
type Choice string

// The choices.
const (
	// Single is mask token 0, the answer for prompts without ambiguity, such
	// as boxes; the best of the others where the export lacks it, or SAM 2's is
	// not stable.
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
		if stable, err := r.singleIsStable(); err != nil || stable {
			return 0, err
		}
	}
	return r.best(), nil
}

// Of the single mask's stability (docs/sources.md §3.6).
const (
	stableOffset = 0.05
	stableFrom   = float32(0.98)
)

// singleIsStable tells whether the mask of token 0 stays nearly the same under a moved
// threshold. An empty mask does.
func (r Result) singleIsStable() (bool, error) {
	if !r.unstable {
		return true, nil
	}
	low, err := r.Logits(0)
	return !(Stability(low, stableOffset) < stableFrom), err
}

// Multimask lists the indices of the multimask outputs, or the only mask.
func (r Result) Multimask() []int {
	var list []int
	for i := range r.IoU {
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

// Iterate adds each prompt's points one per pass, each time with the chosen
// logits of the pass before, and returns the last results with the indices of
// the chosen masks (docs/sources.md §3.3, §11.4). A box, if any, is in every pass.
// Prompts pass together.
func (m *Model) Iterate(ctx context.Context, e *Embedding, prompts []Prompt, choice func(i int) Choice) (last []Result, picks []int, err error) {
	last, picks = make([]Result, len(prompts)), make([]int, len(prompts))
	masks := make([][]float32, len(prompts))
	passes := 0
	for i, p := range prompts {
		masks[i], passes = p.Mask, max(passes, 1, len(p.Points))
	}
	for n := 1; n <= passes; n++ {
		var steps []Prompt
		var which []int
		for i, p := range prompts {
			if n == 1 || n <= len(p.Points) {
				steps = append(steps, Prompt{Box: p.Box, Mask: masks[i], Points: p.Points[:min(n, len(p.Points))]})
				which = append(which, i)
			}
		}
		results, err := m.Predict(ctx, e, steps)
		if err != nil {
			return nil, nil, err
		}
		for k, i := range which {
			last[i] = results[k]
			if picks[i], err = last[i].Pick(choice(i)); err != nil {
				return nil, nil, err
			}
			if masks[i], err = last[i].Logits(picks[i]); err != nil {
				return nil, nil, err
			}
		}
	}
	return last, picks, nil
}
