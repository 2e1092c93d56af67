package cam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/prob"
	"wsss/data/vector"
	"wsss/gen"
	"wsss/models/camnet"
)

// study makes the prototypes: the features of every image are divided by its
// own maps into those of each of its classes and those around, each kind is
// clustered, and the classifier tells which clusters stand for the class.
func (m *lpcam) study(ctx context.Context, from gen.Lesson) (*camnet.Prototypes, error) {
	inside, around := m.reservoirs(0), m.reservoirs(1)
	for i, id := range from.IDs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := m.look(ctx, from.Dataset, id, inside, around); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		if from.Progress != nil {
			from.Progress(i+1, len(from.IDs))
		}
	}
	p := &camnet.Prototypes{Parts: make([][][]float32, m.classes), Context: make([][][]float32, m.classes)}
	err := data.Parallel(ctx, m.classes, nil, func(c int) error {
		p.Parts[c], p.Context[c] = m.choose(c, m.cluster(inside[c]), m.cluster(around[c]))
		return nil
	})
	return p, err
}

// reservoirs are one per class, which share half of the memory.
func (m *lpcam) reservoirs(kind uint64) []*reservoir {
	bytes := 4 * len(m.weight[0]) * m.classes * 2
	limit := max(m.how.Memory<<20/bytes, 4*m.how.Clusters)
	all := make([]*reservoir, m.classes)
	for c := range all {
		all[c] = &reservoir{limit: limit, rng: rand.New(rand.NewPCG(uint64(m.seed), uint64(c)<<1|kind))}
	}
	return all
}

// look adds the features of an image to the reservoirs of its tags.
func (m *lpcam) look(ctx context.Context, ds data.Dataset, id string, inside, around []*reservoir) error {
	s, err := ds.Load(id, data.WantImage|data.WantWeak)
	if err != nil {
		return err
	}
	if len(s.Weak.Tags) == 0 {
		return nil
	}
	scores, err := m.method.Scores(ctx, s)
	if err != nil {
		return err
	}
	f, err := m.mapper.Features(imageproc.FromImage(s.Image))
	if err != nil {
		return err
	}
	for k, tag := range scores.Classes {
		for y := range f.H {
			for x := range f.W {
				// As PyTorch's nearest: the place is rounded down.
				score := scores.Maps[k][y*scores.H/f.H*scores.W+x*scores.W/f.W]
				at := (y*f.W + x) * f.Classes
				switch v := f.Values[at : at+f.Classes]; {
				case score > float32(m.how.Select):
					inside[tag-1].add(v)
				case score < float32(m.how.Select):
					around[tag-1].add(v)
				}
			}
		}
	}
	return nil
}

// cluster returns the centres of what a reservoir holds.
func (m *lpcam) cluster(r *reservoir) [][]float32 {
	if len(r.kept) == 0 {
		return nil
	}
	return kmeans(r.kept, distinct(len(r.kept), m.how.Clusters, r.rng), kmeansTolerance, r.rng)
}

// choose keeps the clusters that the classifier takes for the class, and as
// context those around it that it half takes for it. A class none of whose
// clusters passes keeps the best one: LPCAM's released code has no map then.
func (m *lpcam) choose(class int, inside, around [][]float32) (parts, context [][]float32) {
	best, most := -1, 0.0
	for i, v := range inside {
		p := m.probability(class, v)
		if p > m.how.Certain {
			parts = append(parts, v)
		}
		if best < 0 || p > most {
			best, most = i, p
		}
	}
	if len(parts) == 0 && best >= 0 {
		parts = inside[best : best+1]
	}
	for _, v := range around {
		if p := m.probability(class, v); p > m.how.ContextMin && p < m.how.Certain {
			context = append(context, v)
		}
	}
	return parts, context
}

// probability is the classifier's softmax for a feature.
func (m *lpcam) probability(class int, v []float32) float64 {
	logits := make([]float64, len(m.weight))
	for c, w := range m.weight {
		logits[c] = float64(vector.Dot(w, v))
	}
	prob.Softmax(logits, logits)
	return logits[class]
}

// Names and metadata of a file of prototypes.
const (
	metaPrototypes = "lpcam" // key of what they were learnt from
	metaNames      = "classes"
)

func tensorName(kind string, class int) string { return fmt.Sprintf("%s.%d", kind, class) }

func writePrototypes(path, key string, names []string, p *camnet.Prototypes) error {
	values := map[string]*tensors.Tensor{}
	for c := range p.Parts {
		for kind, vectors := range map[string][][]float32{"parts": p.Parts[c], "context": p.Context[c]} {
			if len(vectors) > 0 {
				values[tensorName(kind, c)] = tensors.FromValue(vectors)
			}
		}
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, values, map[string]string{metaPrototypes: key, metaNames: string(list)})
}

// readPrototypes returns nil where there is no file, or one that was learnt
// from something else than key says; an empty key allows any.
func readPrototypes(path, key string, names []string, channels int) (*camnet.Prototypes, error) {
	r, err := safetensors.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if _, ours := r.Metadata()[metaPrototypes]; !ours {
		return nil, fmt.Errorf("%s holds other tensors than prototypes, and is not written over: choose another file", path)
	}
	if key != "" && r.Metadata()[metaPrototypes] != key {
		return nil, nil
	}
	var known []string
	if err := json.Unmarshal([]byte(r.Metadata()[metaNames]), &known); err != nil || !slices.Equal(known, names) {
		return nil, fmt.Errorf("%s knows the classes %v, the dataset has %v", path, known, names)
	}
	classes := len(names) - 1
	p := &camnet.Prototypes{Parts: make([][][]float32, classes), Context: make([][][]float32, classes)}
	for c := range classes {
		for kind, to := range map[string]*[][]float32{"parts": &p.Parts[c], "context": &p.Context[c]} {
			if *to, err = readVectors(r, tensorName(kind, c), channels); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return p, nil
}

func readVectors(r *safetensors.Reader, name string, channels int) ([][]float32, error) {
	if _, ok := r.Info(name); !ok {
		return nil, nil
	}
	t, err := r.Tensor(name)
	if err != nil {
		return nil, err
	}
	defer t.FinalizeAll() //nolint:errcheck // memory only
	v, ok := t.Value().([][]float32)
	if !ok || len(v) == 0 || len(v[0]) != channels {
		return nil, fmt.Errorf("%s of shape %v: wanted are vectors of %d", name, t.Shape(), channels)
	}
	return v, nil
}
