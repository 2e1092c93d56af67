package promptsam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"maps"
	"slices"

	"wsss/configs"
	"wsss/data"
	"wsss/data/weaken"
	"wsss/gen"
	"wsss/gen/source"
)

func init() {
	gen.RegisterOf("cam-sam", gen.Spec{
		Doc:          "Segment Anything from points of class activation maps: all confident pixels or local maxima",
		Weak:         []data.WeakKind{data.WeakTags},
		NeedsBackend: true,
	}, gen.Of[camOptions]{
		Decode: decodeCAM,
		New:    newCAMSAM,
		Inner:  func(o camOptions) []configs.Gen { return o.From.Inner() },
		Needs: func(o camOptions) gen.Needs {
			n := o.samOptions.needs()
			n.Add(o.From.Needs())
			return n
		},
	})
}

// camOptions are the keys of [gen.options] of method cam-sam. Jiang & Yang 2023 gives
// neither threshold nor window (docs/sources.md §11.4).
type camOptions struct {
	From source.Options `toml:"from"` // of class scores
	pointOptions
	Points     string  `toml:"points"`     // which pixels: maxima (local ones; default) or all confident ones
	Confidence float64 `toml:"confidence"` // the least score of a point
	Radius     int     `toml:"radius"`     // of maxima: the window reaches so many pixels each way
}

// Values of gen.options.points.
const (
	pointsMaxima = "maxima"
	pointsAll    = "all"
)

// mostPoints bounds the points of a class where max_points = 0 sets no bound:
// SAM's decoder compares every point with every other.
const mostPoints = 1024

func decodeCAM(table map[string]any) (camOptions, error) {
	return gen.Decode(table, camOptions{pointOptions: defaultPoints(), Points: pointsMaxima, Confidence: 0.5, Radius: 16}, camOptions.check)
}

func (o camOptions) check() error {
	switch {
	case o.Points != pointsMaxima && o.Points != pointsAll:
		return fmt.Errorf("gen.options.points = %q: allowed are %s, %s", o.Points, pointsMaxima, pointsAll)
	case !(o.Confidence > 0):
		return fmt.Errorf("gen.options.confidence = %v: allowed are numbers > 0", o.Confidence)
	case o.Radius < 1 || o.Radius > 512:
		return fmt.Errorf("gen.options.radius = %d: allowed are 1 to 512 pixels", o.Radius)
	}
	return o.pointOptions.check()
}

// camMethod prompts SAM with points of class scores. It is safe for concurrent
// use.
type camMethod struct {
	opts   camOptions
	from   *source.Source
	engine *engine
	seed   int64
}

func newCAMSAM(env gen.Env, o camOptions) (_ gen.Method, err error) {
	m := &camMethod{opts: o, seed: env.Seed}
	if m.from, err = source.Open(env, "gen.options.from", o.From); err != nil {
		return nil, err
	}
	if !m.from.HasScores() {
		return nil, errors.New("[gen.options.from] has no class scores: allowed are scores, and methods that make them, such as cam and clip-es")
	}
	if m.engine, err = o.open(env.Backend); err != nil {
		return nil, err
	}
	return m, m.engine.allows(o.pointOptions)
}

// Weights maps the files that the masks depend on to their SHA-256.
func (m *camMethod) Weights() map[string]string {
	all := maps.Clone(m.engine.hashes)
	maps.Copy(all, m.from.Weights())
	return all
}

// Learn lets the source learn (gen.Learner).
func (m *camMethod) Learn(ctx context.Context, from gen.Lesson) error { return m.from.Learn(ctx, from) }

// Inputs describes the folder of scores, if any (gen.Reader).
func (m *camMethod) Inputs() (map[string]string, error) { return m.from.Inputs() }

// InputFiles is the image's file of scores, if any (gen.Reader).
func (m *camMethod) InputFiles(id string) ([]string, error) { return m.from.InputFiles(id) }

// Generate makes a mask per class, or per point.
func (m *camMethod) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	scores, err := m.from.Scores(ctx, s)
	if err != nil {
		return nil, err
	}
	prompts := m.opts.prompts(m.opts.spots(scores), uint64(weaken.SeedFor(m.seed, s.ID)), "cam")
	if len(prompts) == 0 {
		return nil, nil
	}
	return m.engine.masks(ctx, s, prompts, m.opts.Iterative)
}

// spots are the points of all classes. Where classes claim the same pixel, that
// of the higher score has it, of equal ones the lower.
func (o camOptions) spots(s *source.Scores) []spot {
	var spots []spot
	for i, class := range s.Classes {
		if class == 0 {
			continue
		}
		var points []image.Point
		if o.Points == pointsAll {
			points = ConfidentPixels(s.Maps[i], s.W, float32(o.Confidence))
		} else {
			points = LocalMaxima(s.Maps[i], s.W, float32(o.Confidence), o.Radius)
		}
		var own []data.Point
		for _, p := range points {
			if winner(s, p.Y*s.W+p.X) == i {
				own = append(own, data.Point{X: p.X, Y: p.Y, Class: class, Rank: len(own) + 1})
			}
		}
		own = spread(own, cmp.Or(o.MaxPoints, mostPoints))
		for _, p := range own {
			object := i // all pixels of a class are one
			if o.Points == pointsMaxima {
				object = len(spots)
			}
			spots = append(spots, spot{p, object})
		}
	}
	return spots
}

// winner is the index of the class of highest score at a pixel, the background
// left out.
func winner(s *source.Scores, at int) int {
	best := -1
	for i, class := range s.Classes {
		if class != 0 && (best < 0 || s.Maps[i][at] > s.Maps[best][at]) {
			best = i
		}
	}
	return best
}

// ConfidentPixels lists the pixels of a map w wide whose score reaches the
// threshold, in raster order (docs/sources.md §11.4).
func ConfidentPixels(m []float32, w int, threshold float32) []image.Point {
	var list []image.Point
	for i, v := range m {
		if v >= threshold {
			list = append(list, image.Pt(i%w, i/w))
		}
	}
	return list
}

// LocalMaxima lists the pixels of a map w wide whose score reaches the
// threshold and is the highest in the window of radius pixels each way; of
// equal ones in a window the first in raster order counts. The strongest comes
// first (docs/sources.md §11.4).
func LocalMaxima(m []float32, w int, threshold float32, radius int) []image.Point {
	var list []image.Point
	for i, v := range m {
		if v >= threshold && isMaximum(m, w, i, radius) {
			list = append(list, image.Pt(i%w, i/w))
		}
	}
	slices.SortStableFunc(list, func(a, b image.Point) int { return cmp.Compare(m[b.Y*w+b.X], m[a.Y*w+a.X]) })
	return list
}

func isMaximum(m []float32, w, at, radius int) bool {
	x, y, h := at%w, at/w, len(m)/w
	for v := max(0, y-radius); v < min(h, y+radius+1); v++ {
		for u := max(0, x-radius); u < min(w, x+radius+1); u++ {
			if i := v*w + u; m[i] > m[at] || m[i] == m[at] && i < at {
				return false
			}
		}
	}
	return true
}
