package gen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
)

// Axis is one key of a config, below "gen", and the values to try for it.
type Axis struct {
	Key    string
	Values []string // as in an override: TOML, or plain text
}

// maxAxis bounds the values of one axis, maxPoints those of a whole sweep.
const (
	maxAxis   = 1000
	maxPoints = 10000
)

// ParseAxis reads "gen.options.threshold=0.1,0.2,0.4" or, with both ends
// included, "gen.options.threshold=0.1:0.4:0.05".
func ParseAxis(text string) (Axis, error) {
	key, list, ok := strings.Cut(text, "=")
	a := Axis{Key: strings.TrimSpace(key)}
	if !ok || !strings.HasPrefix(a.Key, "gen.") {
		return Axis{}, fmt.Errorf("sweep %q: want gen.KEY=VALUE,… or gen.KEY=FROM:TO:STEP", text)
	}
	if parts := strings.Split(list, ":"); len(parts) == 3 {
		return a.span(text, parts)
	}
	for _, v := range strings.Split(list, ",") {
		if v = strings.TrimSpace(v); v == "" {
			return Axis{}, fmt.Errorf("sweep %q: a value is empty", text)
		}
		a.Values = append(a.Values, v)
	}
	return a, nil
}

// span fills in the values of FROM:TO:STEP.
func (a Axis) span(text string, parts []string) (Axis, error) {
	var v [3]float64
	for i, p := range parts {
		var err error
		if v[i], err = strconv.ParseFloat(strings.TrimSpace(p), 64); err != nil {
			return Axis{}, fmt.Errorf("sweep %q: %q is not a number", text, p)
		}
	}
	from, to, step := v[0], v[1], v[2]
	n := (to - from) / step
	if !(step > 0 && n >= 0 && n < maxAxis) {
		return Axis{}, fmt.Errorf("sweep %q: want FROM <= TO, STEP > 0 and fewer than %d values", text, maxAxis)
	}
	whole := !strings.ContainsAny(strings.Join(parts, ""), ".eE")
	for i := 0; i <= int(n+1e-9); i++ {
		// Twelve digits hide the rounding of the steps: 0.3, not 0.30000000000000004.
		s := strconv.FormatFloat(from+float64(i)*step, 'g', 12, 64)
		if !whole && !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		a.Values = append(a.Values, s)
	}
	return a, nil
}

// SweepOptions say what Sweep tries.
type SweepOptions struct {
	Config   configs.Config // what the axes vary
	Axes     []Axis
	Dataset  data.Dataset
	Split    string
	Images   int             // so many images, spread over the split; 0 = all
	Backend  compute.Backend // for methods that need one
	Versions map[string]string
	Hashes   *files.Hashes // see RunOptions
	OutDir   string        // every configuration writes into a folder of its own below

	// Score judges a folder of labels, higher is better; nil takes the mean
	// quality score, which needs no ground truth.
	Score func(ctx context.Context, ds data.Dataset, labels string) (float64, error)
	// Progress is told of every image: configuration point of points, and its
	// images done of total. May be nil.
	Progress func(point, points, done, total int)
}

// SweepPoint is one configuration that was tried.
type SweepPoint struct {
	Set     []string // the overrides, one per axis: "gen.fuse.margin=0.1"
	Dir     string   // its labels
	Score   float64
	Summary Summary
}

// Sweep labels images under every combination of the axes' values and returns
// them by score, the best first, equal ones in the order of the axes. Where
// configurations differ only in [gen.fuse] the masks are made once. A sweep
// that is begun again takes up the labels it finds.
func Sweep(ctx context.Context, o SweepOptions) ([]SweepPoint, error) {
	sets, err := combinations(o.Axes)
	if err != nil {
		return nil, err
	}
	if o.Dataset, err = someOf(o.Dataset, o.Split, o.Images); err != nil {
		return nil, err
	}
	s := &sweep{SweepOptions: o, made: map[string]string{}}
	if s.Score == nil {
		s.Score = s.meanQuality
	}
	s.replays = slices.ContainsFunc(o.Axes, func(a Axis) bool { return strings.HasPrefix(a.Key, "gen.fuse.") })
	points := make([]SweepPoint, len(sets))
	for i, set := range sets {
		progress := func(done, total int) {
			if o.Progress != nil {
				o.Progress(i, len(sets), done, total)
			}
		}
		if points[i], err = s.point(ctx, set, progress); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(set, " "), err)
		}
	}
	slices.SortStableFunc(points, func(a, b SweepPoint) int { return cmp.Compare(b.Score, a.Score) })
	return points, nil
}

// combinations lists every choice of one value per axis, the last axis fastest.
func combinations(axes []Axis) ([][]string, error) {
	if len(axes) == 0 {
		return nil, errors.New("sweep: no key to vary")
	}
	sets := [][]string{nil}
	seen := map[string]bool{}
	for _, a := range axes {
		if seen[a.Key] {
			return nil, fmt.Errorf("sweep: %s is given twice", a.Key)
		}
		seen[a.Key] = true
		if len(sets)*len(a.Values) > maxPoints || len(a.Values) == 0 {
			return nil, fmt.Errorf("sweep: %d values of %s: allowed are 1 or more, and at most %d combinations", len(a.Values), a.Key, maxPoints)
		}
		var next [][]string
		for _, s := range sets {
			for _, v := range a.Values {
				next = append(next, append(slices.Clone(s), a.Key+"="+v))
			}
		}
		sets = next
	}
	return sets, nil
}

// sweep is a sweep in progress.
type sweep struct {
	SweepOptions
	made map[string]string // hash of a configuration without [gen.fuse] → folder with its masks
	// replays tells that some configurations only fuse anew. Changed images are
	// then not labelled for any, so that all are judged by the same signs.
	replays bool
}

func (s *sweep) point(ctx context.Context, set []string, progress func(done, total int)) (SweepPoint, error) {
	cfg, err := s.Config.With(set...)
	if err != nil {
		return SweepPoint{}, err
	}
	hash := cfg.GenHash()
	p := SweepPoint{Set: set, Dir: filepath.Join(s.OutDir, hash)}
	unfused := cfg
	unfused.Gen.Fuse = configs.Fuse{}
	masks, again := s.made[unfused.GenHash()]
	method := Method(replay{masks})
	if !again {
		env := Env{Backend: s.Backend, Classes: s.Dataset.Classes(), Weak: data.WeakKind(cfg.Gen.Weak), Seed: cfg.Seed, Gen: cfg.Gen}
		if method, err = New(env); err != nil {
			return SweepPoint{}, err
		}
	}
	checks := cfg.Gen.Checks
	if s.replays {
		checks = nil
	}
	p.Summary, err = Run(ctx, RunOptions{
		Dataset: s.Dataset, Split: s.Split, Method: method, Name: cfg.Gen.Method, Weak: data.WeakKind(cfg.Gen.Weak),
		Fuse: cfg.Gen.Fuse, OutDir: p.Dir, ConfigHash: hash, Config: cfg.TOML(), Versions: s.Versions,
		Weights: WeightsOf(method), Hashes: s.Hashes,
		Checks: checks, Workers: cfg.Gen.Workers, Progress: progress,
	})
	if err != nil {
		return SweepPoint{}, err
	}
	if !again {
		s.made[unfused.GenHash()] = p.Dir
	}
	p.Score, err = s.Score(ctx, s.Dataset, p.Dir)
	return p, err
}

// replay takes the masks from the sidecars of an earlier run.
type replay struct{ dir string }

func (r replay) Generate(_ context.Context, s *data.Sample) ([]Mask, error) {
	path, err := files.Join(r.dir, s.ID+".json")
	if err != nil {
		return nil, err
	}
	side, err := ReadSidecar(path)
	if err != nil {
		return nil, err
	}
	masks := make([]Mask, len(side.Masks))
	for i, m := range side.Masks {
		masks[i] = m.Mask
	}
	return masks, nil
}

// Inputs describes nothing: the folder is of the same sweep.
func (r replay) Inputs() (map[string]string, error) { return nil, nil }

// InputFiles is the sidecar that the masks come from: where it was made again,
// so is what is fused of it.
func (r replay) InputFiles(id string) ([]string, error) {
	path, err := files.Join(r.dir, id+".json")
	return []string{path}, err
}

func (s *sweep) meanQuality(ctx context.Context, ds data.Dataset, labels string) (float64, error) {
	ids, err := ds.IDs(s.Split)
	if err != nil {
		return 0, err
	}
	q, err := Quality(ctx, labels, QualityOptions{IDs: ids})
	if err != nil {
		return 0, err
	}
	return q.Mean[SignScore], nil
}

// some is a dataset with few images in one of its splits.
type some struct {
	data.Dataset
	split string
	ids   []string
}

func (d some) IDs(split string) ([]string, error) {
	if split == d.split {
		return d.ids, nil
	}
	return d.Dataset.IDs(split)
}

// someOf thins a split out to n images, evenly; 0 keeps all.
func someOf(ds data.Dataset, split string, n int) (data.Dataset, error) {
	ids, err := ds.IDs(split)
	if err != nil || n <= 0 || n >= len(ids) {
		return ds, err
	}
	few := make([]string, n)
	for i := range few {
		few[i] = ids[i*len(ids)/n]
	}
	return some{ds, split, few}, nil
}
