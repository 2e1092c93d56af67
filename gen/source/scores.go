package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"wsss/data"
	"wsss/gen"
)

// ScoreOptions say how class scores are read and become labels (docs/sources.md §6.3,
// §11.1).
type ScoreOptions struct {
	Key        string   `toml:"key"`         // array of the dictionary; default the first of high_res, attn_highres, cam
	FirstClass *int     `toml:"first_class"` // label value of the file's class 0; default 1, as in IRN, PSA and CLIP-ES
	Normalise  string   `toml:"normalise"`   // each map: "" = as it is, "max" = by its maximum, "minmax"
	Background string   `toml:"background"`  // score of the background: "constant" (default) or "power": (1 − max)^alpha
	Threshold  *float64 `toml:"threshold"`   // the constant; default 0.15 (docs/sources.md §11.1)
	Alpha      *float64 `toml:"alpha"`       // the exponent; default 1, as in CLIP-ES; PSA: 16
	MinScore   float64  `toml:"min_score"`   // pixels whose best score is below become void
}

func (o ScoreOptions) check() error {
	if err := oneOf("normalise", o.Normalise, "", "max", "minmax"); err != nil {
		return err
	}
	if err := oneOf("background", o.Background, "", "constant", "power"); err != nil {
		return err
	}
	switch {
	case o.FirstClass != nil && (*o.FirstClass < 0 || *o.FirstClass >= data.MaxClasses):
		return fmt.Errorf("first_class = %d: allowed are 0..%d", *o.FirstClass, data.MaxClasses-1)
	case o.Threshold != nil && math.IsNaN(*o.Threshold):
		return fmt.Errorf("threshold = %v: allowed are numbers", *o.Threshold)
	case o.Alpha != nil && !(*o.Alpha >= 0):
		return fmt.Errorf("alpha = %v: allowed are numbers >= 0", *o.Alpha)
	case math.IsNaN(o.MinScore):
		return fmt.Errorf("min_score = %v: allowed are numbers", o.MinScore)
	}
	return nil
}

func (o ScoreOptions) firstClass() int    { return or(o.FirstClass, 1) }
func (o ScoreOptions) threshold() float32 { return float32(or(o.Threshold, 0.15)) }
func (o ScoreOptions) exponent() float64  { return or(o.Alpha, 1) }
func or[T any](p *T, otherwise T) T {
	if p != nil {
		return *p
	}
	return otherwise
}

// Scores are the scores of some classes at every pixel of a w×h raster.
type Scores struct {
	W, H    int
	Classes []int       // label values, ascending; 0 where the background has a score of its own
	Maps    [][]float32 // one per class, row-major
}

// Scorer is a method whose labels are the arg-max of class scores: the source
// of those scores for the methods that refine.
type Scorer interface {
	gen.Method
	// Scores are those of the image's classes at the size of the image; the
	// background is among them, first, where it has scores of its own and Rule
	// says nothing about it.
	Scores(ctx context.Context, s *data.Sample) (*Scores, error)
	// Rule is how the method itself makes labels of its scores. Background,
	// Threshold and Alpha count where the options of the source leave them out.
	Rule() ScoreOptions
}

// Masks are what a method's own rule makes of its scores: one mask for each class that
// wins somewhere, none where there are no classes. name is the source of the masks.
func Masks(ctx context.Context, m Scorer, s *data.Sample, name string) ([]gen.Mask, error) {
	scores, err := m.Scores(ctx, s)
	if err != nil || len(scores.Classes) == 0 {
		return nil, err
	}
	label, confidence := scores.Label(m.Rule())
	return gen.LabelMasks(label, confidence, name), nil
}

// Rule is how the source's scores become labels.
func (s *Source) Rule() ScoreOptions { return s.opts.ScoreOptions }

// under takes from the rule of a method what o leaves out.
func (o ScoreOptions) under(rule ScoreOptions) ScoreOptions {
	o.Background = cmp.Or(o.Background, rule.Background)
	o.Threshold = cmp.Or(o.Threshold, rule.Threshold)
	o.Alpha = cmp.Or(o.Alpha, rule.Alpha)
	return o
}

// Scores reads or makes the image's class scores at the size of the image.
// Only sources with HasScores have them.
func (s *Source) Scores(ctx context.Context, sample *data.Sample) (*Scores, error) {
	size := sample.Image.Rect.Size()
	scores, err := s.RawScores(ctx, sample)
	if err != nil {
		return nil, err
	}
	if len(scores.Classes) == 0 {
		scores.W, scores.H = size.X, size.Y
	}
	return scores.Resize(size.X, size.Y), nil
}

// RawScores is Scores at the size of the file, where the source has files.
func (s *Source) RawScores(ctx context.Context, sample *data.Sample) (*Scores, error) {
	scores, err := s.rawScores(ctx, sample)
	if err != nil {
		return nil, err
	}
	if s.opts.Tagged {
		scores.keep(func(class int) bool { return class == 0 || slices.Contains(sample.Weak.Tags, class) })
	}
	scores.Normalise(s.opts.Normalise)
	return scores, nil
}

func (s *Source) rawScores(ctx context.Context, sample *data.Sample) (*Scores, error) {
	if scorer, ok := s.method.(Scorer); ok {
		if s.opts.Keep != "" {
			return s.keptScores(ctx, scorer, sample)
		}
		return scorer.Scores(ctx, sample)
	}
	path, err := s.path(sample.ID)
	if err != nil {
		return nil, err
	}
	scores, err := ReadScores(path, s.opts.Key, s.opts.firstClass(), s.env.Classes.Len())
	if errors.Is(err, fs.ErrNotExist) && s.opts.Missing == "background" {
		return &Scores{}, nil
	}
	return scores, err
}

// keep drops the classes for which want is false.
func (s *Scores) keep(want func(class int) bool) {
	n := 0
	for i, c := range s.Classes {
		if want(c) {
			s.Classes[n], s.Maps[n] = c, s.Maps[i]
			n++
		}
	}
	s.Classes, s.Maps = s.Classes[:n], s.Maps[:n]
}

// Normalise scales each map to at most 1 in place: "max" divides by its
// maximum, "minmax" also brings its minimum to 0, "" does nothing.
func (s *Scores) Normalise(how string) {
	const tiny = 1e-5 // docs/sources.md §11.1
	for _, m := range s.Maps {
		lo, hi := float32(0), slices.Max(m)
		switch how {
		case "":
			continue
		case "minmax":
			lo = slices.Min(m)
		}
		for i := range m {
			m[i] = (m[i] - lo) / (hi - lo + tiny)
		}
	}
}

// Resize returns the maps at another size, interpolated bilinearly between
// pixel centres (align_corners = false), without a copy where the size is the
// same.
func (s *Scores) Resize(w, h int) *Scores {
	if s.W == w && s.H == h {
		return s
	}
	out := &Scores{W: w, H: h, Classes: s.Classes}
	for _, m := range s.Maps {
		out.Maps = append(out.Maps, Bilinear(m, s.W, s.H, w, h, float64(s.W)/float64(w), float64(s.H)/float64(h)))
	}
	return out
}

// Bilinear samples a w×h map at the centres of W×H pixels, each stepX by stepY
// of the map's pixels large.
func Bilinear(m []float32, w, h, W, H int, stepX, stepY float64) []float32 {
	type tap struct {
		a, b int
		t    float32
	}
	taps := func(n, limit int, step float64) []tap {
		out := make([]tap, n)
		for i := range out {
			at := min(max((float64(i)+0.5)*step-0.5, 0), float64(limit-1))
			a := int(at)
			out[i] = tap{a, min(a+1, limit-1), float32(at - float64(a))}
		}
		return out
	}
	xs, ys := taps(W, w, stepX), taps(H, h, stepY)
	out := make([]float32, W*H)
	for y, ty := range ys {
		top, bottom := m[ty.a*w:ty.a*w+w], m[ty.b*w:ty.b*w+w]
		for x, tx := range xs {
			u := top[tx.a] + (top[tx.b]-top[tx.a])*tx.t
			v := bottom[tx.a] + (bottom[tx.b]-bottom[tx.a])*tx.t
			out[y*W+x] = u + (v-u)*ty.t
		}
	}
	return out
}

// WithBackground returns the scores with a background score at the front,
// which is added where there is none.
func (s *Scores) WithBackground(o ScoreOptions) *Scores {
	if len(s.Classes) > 0 && s.Classes[0] == 0 {
		return s
	}
	bg := make([]float32, s.W*s.H)
	for i := range bg {
		bg[i] = o.threshold()
		if o.Background == "power" {
			var top float32
			for _, m := range s.Maps {
				top = max(top, m[i])
			}
			bg[i] = float32(math.Pow(max(0, 1-float64(top)), o.exponent()))
		}
	}
	return &Scores{W: s.W, H: s.H, Classes: append([]int{0}, s.Classes...), Maps: append([][]float32{bg}, s.Maps...)}
}

// Label is the arg-max over the classes and the background, ties to the lowest
// label value, and the score that won, clipped to 0..1.
func (s *Scores) Label(o ScoreOptions) (*data.LabelMap, []float32) {
	all := s.WithBackground(o)
	label, confidence := data.NewLabelMap(s.W, s.H), make([]float32, s.W*s.H)
	for i := range label.Pix {
		best := 0
		for k := range all.Maps {
			if all.Maps[k][i] > all.Maps[best][i] {
				best = k
			}
		}
		v := all.Maps[best][i]
		label.Pix[i], confidence[i] = uint8(all.Classes[best]), min(max(v, 0), 1)
		if float64(v) < o.MinScore {
			label.Pix[i] = data.Ignore
		}
	}
	return label, confidence
}
