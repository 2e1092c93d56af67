package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/files"
)

// SelfOptions say which of its own labels a network is trusted with.
type SelfOptions struct {
	MinScore float64 // pixels whose softmax probability is lower become 255; 0 keeps all
	Tags     bool    // only classes of the image's tags, and background, may occur
}

// SelfFile tells which network labelled a folder.
const SelfFile = "self.json"

// selfInfo is SelfFile.
type selfInfo struct {
	About      string      `json:"about"`
	Step       int         `json:"step"`
	ConfigHash string      `json:"config_hash"`
	LabelsHash string      `json:"labels_hash"`
	Options    SelfOptions `json:"options"`
}

// SelfLabel labels the images of a split with a trained network, for a second
// round of training: dir/<id>.png. An interrupted call goes on where it
// stopped; labels of another network, or by other options, are replaced.
func SelfLabel(ctx context.Context, p *Predictor, ds data.Dataset, split, dir string, o SelfOptions, progress func(done, total int)) error {
	ids, err := nonEmpty(ds, split)
	if err != nil {
		return err
	}
	paths := make([]string, len(ids))
	for i, id := range ids {
		if paths[i], err = files.Join(dir, id+".png"); err != nil {
			return err
		}
	}
	if err := claim(dir, paths, selfInfo{"Label maps of a trained network, for another round of training.",
		p.Meta.Step, p.Meta.ConfigHash, p.Meta.LabelsHash, o}); err != nil {
		return err
	}
	for i, id := range ids {
		if _, err := os.Stat(paths[i]); errors.Is(err, fs.ErrNotExist) {
			m, err := selfLabel(ctx, p, ds, id, o)
			if err != nil {
				return fmt.Errorf("label %s: %w", id, err)
			}
			if err := data.WriteLabelMap(paths[i], m); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if progress != nil {
			progress(i+1, len(ids))
		}
	}
	return nil
}

// claim removes the labels of a folder unless they are from the same network.
func claim(dir string, paths []string, info selfInfo) error {
	mark := filepath.Join(dir, SelfFile)
	var have selfInfo
	if raw, err := os.ReadFile(mark); err == nil && json.Unmarshal(raw, &have) == nil && have == info {
		return nil
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return files.WriteJSON(mark, info)
}

func selfLabel(ctx context.Context, p *Predictor, ds data.Dataset, id string, o SelfOptions) (*data.LabelMap, error) {
	want := data.WantImage
	if o.Tags {
		want |= data.WantWeak
	}
	s, err := ds.Load(id, want)
	if err != nil {
		return nil, err
	}
	var allowed []bool
	if o.Tags {
		if s.Weak.Tags == nil {
			return nil, errors.New("the image has no tags to restrict its classes to")
		}
		allowed = make([]bool, ds.Classes().Len())
		allowed[0] = true
		for _, t := range s.Weak.Tags {
			allowed[t] = true
		}
	}
	return p.label(ctx, s.Image, allowed, o.MinScore)
}

// label is the arg-max over the allowed classes (nil = all), and 255 where its
// probability among them is below minScore.
func (p *Predictor) label(ctx context.Context, img *image.NRGBA, allowed []bool, minScore float64) (*data.LabelMap, error) {
	m := data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy())
	err := p.scores(ctx, img, func(i int, z []float32) {
		best, sum := -1, 0.0
		for c, v := range z {
			if (allowed == nil || allowed[c]) && (best < 0 || v > z[best]) {
				best = c
			}
		}
		for c, v := range z {
			if allowed == nil || allowed[c] {
				sum += math.Exp(float64(v - z[best]))
			}
		}
		m.Pix[i] = uint8(best)
		if 1/sum < minScore {
			m.Pix[i] = data.Ignore
		}
	})
	return m, err
}

// Probabilities returns softmax scores [height, width, classes] of an image at
// its own size, as the dense CRF takes them (METHODS §8.1).
func (p *Predictor) Probabilities(ctx context.Context, img *image.NRGBA) (*tensors.Tensor, error) {
	var out []float32
	classes := 0
	err := p.scores(ctx, img, func(i int, z []float32) {
		if out == nil {
			classes = len(z)
			out = make([]float32, img.Rect.Dx()*img.Rect.Dy()*classes)
		}
		softmax(out[i*classes:(i+1)*classes], z)
	})
	if err != nil {
		return nil, err
	}
	return tensors.FromFlatDataAndDimensions(out, img.Rect.Dy(), img.Rect.Dx(), classes), nil
}

func softmax(dst, z []float32) {
	highest, sum := z[0], 0.0
	for _, v := range z {
		highest = max(highest, v)
	}
	for c, v := range z {
		e := math.Exp(float64(v - highest))
		dst[c] = float32(e)
		sum += e
	}
	for c := range dst {
		dst[c] = float32(float64(dst[c]) / sum)
	}
}
