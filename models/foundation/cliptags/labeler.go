// Package cliptags names the classes in images by CLIP fine-tuned into a
// classifier of image labels: an ONNX file that package train/clip exports,
// with a JSON file beside it (docs/sources.md §7, box2024). CLIP without
// training stands beside it, alone or as a half of their mean.
package cliptags

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/metrics"
	"wsss/data/prob"
	"wsss/models/foundation"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/load"
)

// Labeler gives images their labels by an exported classifier. It is safe for
// concurrent use.
type Labeler struct {
	Description
	// Top, where positive, takes so many best classes of every image, the
	// paper's rule; else those above their thresholds.
	Top int
	// AtLeast is the least number of classes of an image, thresholds or not.
	AtLeast int

	file    *load.Session
	session foundation.Session // the file, whose runs images may share
	path    string             // of the description
	zero    *clip.Model
	words   [][]float32
}

// LogitsName is the output of a classifier.
const LogitsName = "logits"

// Description says how to use a classifier. Its input is an image of Size ×
// Size pixels, prepared as for CLIP (docs/sources.md §7); its output LogitsName,
// [batch, classes], one per class after the background.
type Description struct {
	Input     string              `json:"input"`
	Size      int                 `json:"size"`
	Loss      string              `json:"loss"`      // softmax: probabilities over all classes; else each for itself
	Classes   []string            `json:"classes"`   // background first
	Threshold []float64           `json:"threshold"` // per class after the background: the probability from which on F1 is best, on the validation split or on images held out for that
	Val       *metrics.MultiLabel `json:"val"`
	Step      int                 `json:"step"`
	Encoder   string              `json:"encoder"`            // SHA-256 of the file it started from
	Ensemble  *Ensemble           `json:"ensemble,omitempty"` // how to use it together with CLIP without training
}

// Ensemble is the mean of two probabilities: of CLIP without training, by the
// prompts of Prompts, and of the classifier.
type Ensemble struct {
	Weight    float64   `json:"weight"`    // of CLIP without training, 0..1
	Threshold []float64 `json:"threshold"` // of the mean
}

// maxDescription bounds the JSON file beside a classifier.
const maxDescription = 16 << 20

// DescriptionPath is the JSON file beside a classifier's ONNX file.
func DescriptionPath(classifier string) string {
	return strings.TrimSuffix(classifier, ".onnx") + ".json"
}

// Open opens a classifier: an ONNX file with a JSON file of the same name
// beside it.
func Open(b compute.Backend, path string) (*Labeler, error) {
	beside := DescriptionPath(path)
	l := &Labeler{AtLeast: 1, path: beside}
	f, _, err := files.OpenRegular(beside)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxDescription)).Decode(&l.Description); err != nil {
		return nil, fmt.Errorf("%s: %w", beside, err)
	}
	if n := len(l.Classes) - 1; n < 1 || len(l.Threshold) != n || l.Size < 1 || l.Size > 4096 || l.Ensemble != nil && len(l.Ensemble.Threshold) != n {
		return nil, fmt.Errorf("%s: %d classes, %d thresholds, size %d: not the description of a classifier", beside, n, len(l.Threshold), l.Size)
	}
	if l.file, err = load.Open(b, path, load.Options{}); err != nil {
		return nil, err
	}
	l.session = load.Together(l.file)
	return l, nil
}

// AddZeroShot averages the probabilities with those of CLIP without training,
// as the description says; the thresholds are then those of the mean.
func (l *Labeler) AddZeroShot(ctx context.Context, m *clip.Model) (err error) {
	if l.Ensemble == nil {
		return fmt.Errorf("%s: no ensemble: train with finetune_clip.thresholds.ensemble above 0, or leave CLIP out", l.path)
	}
	l.zero = m
	l.words, err = Prompts(ctx, m, data.Classes{Names: l.Classes})
	return err
}

// Close frees the classifier.
func (l *Labeler) Close() error { return l.file.Close() }

// Scores are the probabilities of the classes after the background.
func (l *Labeler) Scores(ctx context.Context, img *imageproc.RGB) ([]float32, error) {
	scores, err := l.Own(ctx, img)
	if err != nil || l.zero == nil {
		return scores, err
	}
	other, err := ZeroShot(ctx, l.zero, l.words, img)
	return Mean(scores, other, l.Ensemble.Weight), err
}

// Mean is the mean of probabilities; weight, 0..1, is that of the second.
func Mean(a, b []float32, weight float64) []float32 {
	out := make([]float32, len(a))
	for i := range a {
		out[i] = float32((1-weight)*float64(a[i]) + weight*float64(b[i]))
	}
	return out
}

// Own are the classifier's probabilities, without CLIP's.
func (l *Labeler) Own(ctx context.Context, img *imageproc.RGB) ([]float32, error) {
	pixels := make([]float32, 3*l.Size*l.Size)
	Prepare(pixels, img, l.Size)
	in := map[string]*tensors.Tensor{l.Input: tensors.FromFlatDataAndDimensions(pixels, 1, 3, l.Size, l.Size)}
	defer foundation.Free(in)
	out, err := l.session.Run(ctx, in, LogitsName)
	if err != nil {
		return nil, err
	}
	logits, _, err := foundation.Floats(out, LogitsName, 2)
	if err != nil {
		return nil, err
	}
	if len(logits) != len(l.Classes)-1 {
		return nil, fmt.Errorf("%s: %d logits for %d classes", l.file.Path(), len(logits), len(l.Classes)-1)
	}
	return Probabilities(l.Loss, logits), nil
}

// Prepare makes the network's input of an image, [3, size, size], as CLIP's own
// preprocessing does (docs/sources.md §7).
func Prepare(dst []float32, img *imageproc.RGB, size int) {
	img.ResizeShort(size, imageproc.Bicubic).CentreCrop(size).Planar(imageproc.CLIPNorm, dst, size, size)
}

// Probabilities are those of logits by a loss's name: softmax over all, any
// other each for itself.
func Probabilities(loss string, logits []float32) []float32 {
	p := make([]float32, len(logits))
	if loss != "softmax" {
		for i, x := range logits {
			p[i] = prob.Sigmoid(x)
		}
		return p
	}
	top, sum := slices.Max(logits), 0.0
	for i, x := range logits {
		p[i] = float32(math.Exp(float64(x - top)))
		sum += float64(p[i])
	}
	for i := range p {
		p[i] = float32(float64(p[i]) / sum)
	}
	return p
}

// WriteDescription writes the file beside the classifier anew.
func (l *Labeler) WriteDescription() error { return files.WriteJSON(l.path, l.Description) }

// Choose returns the labels, 1.., ascending, that scores stand for.
func (l *Labeler) Choose(scores []float32) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	thresholds := l.Threshold
	if l.zero != nil {
		thresholds = l.Ensemble.Threshold
	}
	var chosen []int
	for rank, c := range order {
		take := rank < l.AtLeast || float64(scores[c]) >= thresholds[c]
		if l.Top > 0 {
			take = rank < l.Top
		}
		if take {
			chosen = append(chosen, c+1)
		}
	}
	slices.Sort(chosen)
	return chosen
}

// WriteTags labels the images of a split and writes them as a tag table, which
// data.options.tags takes as the source of image labels.
func (l *Labeler) WriteTags(ctx context.Context, ds data.Dataset, split, path string, progress func(done, total int)) error {
	if names := ds.Classes().Names; !slices.Equal(names, l.Classes) {
		return fmt.Errorf("dataset %s has the classes %s, the classifier knows %s", ds.Name(), strings.Join(names, ", "), strings.Join(l.Classes, ", "))
	}
	ids, err := ds.IDs(split)
	if err != nil {
		return err
	}
	tags := make([]string, len(ids))
	err = data.Parallel(ctx, len(ids), progress, func(i int) error {
		s, err := ds.Load(ids[i], data.WantImage)
		if err != nil {
			return err
		}
		scores, err := l.Scores(ctx, imageproc.FromImage(s.Image))
		if err != nil {
			return fmt.Errorf("%s: %w", ids[i], err)
		}
		var names []string
		for _, c := range l.Choose(scores) {
			names = append(names, l.Classes[c])
		}
		tags[i] = strings.Join(names, ";")
		return nil
	})
	if err != nil {
		return err
	}
	return files.WriteAtomic(path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		_ = out.Write([]string{"image", "tags"}) // errors come with Flush
		for i, id := range ids {
			_ = out.Write([]string{id, tags[i]})
		}
		out.Flush()
		return out.Error()
	})
}
