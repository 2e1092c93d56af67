package cam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/source"
	"wsss/models/camnet"
)

func init() {
	gen.RegisterOf("lpcam", gen.Spec{
		Doc:          "maps by local prototypes (LPCAM): where the features look like any part of a class; learns from the split first",
		Weak:         []data.WeakKind{data.WeakTags},
		NeedsBackend: true,
	}, gen.Of[lpcamOptions]{
		Decode: decodeLPCAM,
		New:    newLPCAM,
		Needs: func(o lpcamOptions) gen.Needs {
			n := gen.Needs{Files: []string{o.Classifier}}
			n.Add(o.needs())
			return n
		},
	})
}

// lpcamOptions are the keys of [gen.options]: those of cam, and how the
// prototypes are learnt.
type lpcamOptions struct {
	options
	Prototypes string  `toml:"prototypes"`  // file of the prototypes: taken as it is, or made where it is missing; default one in the folder of the labels, made anew when images, tags or options change
	Clusters   int     `toml:"clusters"`    // of the features of a class, and of its surroundings; default 12
	Select     float64 `toml:"select"`      // score of a map above which a feature belongs to the class; default 0.1
	Certain    float64 `toml:"certain"`     // a cluster that the classifier takes for the class with more than this is a prototype; default 0.9
	ContextMin float64 `toml:"context_min"` // clusters of the surroundings are context between this and certain; default 0.05
	Memory     int     `toml:"memory"`      // MiB for features that are looked at together, sampled fairly above it; default 512
}

func decodeLPCAM(table map[string]any) (lpcamOptions, error) {
	o := lpcamOptions{options: defaults(), Clusters: 12, Select: 0.1, Certain: 0.9, ContextMin: 0.05, Memory: 512}
	o.Threshold = 0.3
	if err := configs.Decode("gen.options", table, &o); err != nil {
		return o, err
	}
	switch {
	case o.Clusters < 1 || o.Clusters > 1024:
		return o, fmt.Errorf("gen.options.clusters = %d: allowed are 1 to 1024", o.Clusters)
	case !(o.Select > 0 && o.Select < 1):
		return o, fmt.Errorf("gen.options.select = %v: allowed are numbers in (0, 1)", o.Select)
	case !(o.Certain > 0 && o.Certain < 1):
		return o, fmt.Errorf("gen.options.certain = %v: allowed are numbers in (0, 1)", o.Certain)
	case !(o.ContextMin >= 0 && o.ContextMin < o.Certain):
		return o, fmt.Errorf("gen.options.context_min = %v: allowed are numbers in [0, certain), below %v", o.ContextMin, o.Certain)
	case o.Memory < 16 || o.Memory > 1<<16:
		return o, fmt.Errorf("gen.options.memory = %d: allowed are 16 to 65536 MiB", o.Memory)
	}
	return o, o.options.check()
}

// lpcam makes LPCAM's maps (docs/sources.md §11.5). It is safe for concurrent
// use once it has learnt.
type lpcam struct {
	method
	how    lpcamOptions
	weight [][]float32 // of the classifier, [class][channel]
	seed   int64
	names  []string
	learnt string // file of the prototypes; "" = not learnt yet
}

var (
	_ source.Scorer = (*lpcam)(nil)
	_ gen.Learner   = (*lpcam)(nil)
)

func newLPCAM(env gen.Env, o lpcamOptions) (gen.Method, error) {
	m := &lpcam{how: o, seed: env.Seed, names: env.Classes.Names}
	store, err := m.open(env, o.options)
	if err != nil {
		return nil, err
	}
	m.weight, err = camnet.ClassifierWeight(store.RootScope())
	return m, err
}

// InputFiles is the file of the prototypes: where they are learnt anew, labels
// are made anew.
func (m *lpcam) InputFiles(string) ([]string, error) {
	if m.learnt == "" {
		return nil, nil
	}
	return []string{m.learnt}, nil
}

// Inputs describes no folder, for gen.Reader.
func (m *lpcam) Inputs() (map[string]string, error) { return nil, nil }

// Scores are the maps of the image's tags, as cam's.
func (m *lpcam) Scores(ctx context.Context, s *data.Sample) (*source.Scores, error) {
	if m.learnt == "" {
		return nil, errors.New("lpcam learns its prototypes from a whole split, in wsss gen: it does not work on single images before that")
	}
	return m.method.Scores(ctx, s)
}

// Generate returns one mask per class that exceeds the background somewhere.
func (m *lpcam) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	scores, err := m.Scores(ctx, s)
	if err != nil {
		return nil, err
	}
	label, confidence := scores.Label(m.Rule())
	return gen.LabelMasks(label, confidence, "lpcam"), nil
}

// Learn reads the prototypes, or makes them from all images of the split.
func (m *lpcam) Learn(ctx context.Context, from gen.Lesson) error {
	key, err := m.key(from)
	if err != nil {
		return err
	}
	path, wanted := m.how.Prototypes, "" // whatever it was learnt from
	if path == "" {
		path, wanted = filepath.Join(from.Dir, "lpcam-"+m.optionsHash()[:8]+".safetensors"), key
	}
	p, err := readPrototypes(path, wanted, m.names, len(m.weight[0]))
	if err != nil {
		return err
	}
	if p == nil {
		if p, err = m.study(ctx, from); err != nil {
			return err
		}
		if err = writePrototypes(path, key, m.names, p); err != nil {
			return err
		}
	}
	m.mapper.SetPrototypes(p)
	m.exact, m.learnt = true, path
	return nil
}

// optionsHash is of all that the prototypes depend on but the images.
func (m *lpcam) optionsHash() string {
	o := m.how
	o.Save, o.Prototypes, o.Threshold, o.MaxShapes = "", "", 0, 0
	raw, err := json.Marshal(struct {
		Options lpcamOptions
		Scales  []float64
		Flip    bool
		Sides   [2]int
		Weights map[string]string
		Seed    int64
	}{o, o.Scales, o.Flip, [2]int{o.Bucket, o.MaxSide}, m.hashes, m.seed})
	if err != nil {
		panic(err) // numbers and strings only
	}
	return files.SHA256Of(raw)
}

// key identifies what the prototypes are learnt from: options, weights, images
// and their tags.
func (m *lpcam) key(from gen.Lesson) (string, error) {
	lines := make([]string, len(from.IDs))
	err := data.Parallel(context.Background(), len(from.IDs), nil, func(i int) error {
		s, err := from.Dataset.Load(from.IDs[i], data.WantWeak)
		if err == nil {
			lines[i] = fmt.Sprintf("%q %v", s.ID, s.Weak.Tags)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(append(lines, m.optionsHash()))
	return files.SHA256Of(raw), err
}

// divide divides each map by its maximum, where that is above 0.
func divide(maps [][]float32) {
	for _, m := range maps {
		if top := slices.Max(m); top > 0 {
			for i := range m {
				m[i] /= top
			}
		}
	}
}
