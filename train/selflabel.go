package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"path/filepath"
	"reflect"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/prob"
)

// SelfOptions say which of its own labels a network is trusted with. It is sure
// of a pixel where the softmax probability of its class is MinScore or more.
type SelfOptions struct {
	Rule     string  // of configs.SelfRules; "" = the first
	MinScore float64 // 0: it is always sure
	Tags     bool    // only classes of the image's tags, and background, may occur
	Labels   string  `json:"-"` // folder of the pseudo-labels <id>.png, which every rule but replace starts from

	IDs []string `json:"-"` // only these images of the split; nil = all
}

// decide is the new label of a pixel whose pseudo-label is old and of which the
// network gives class this probability.
func (o SelfOptions) decide(old, class uint8, probability float64) uint8 {
	sure := probability >= o.MinScore
	switch {
	case o.replaces() && sure:
		return class
	case o.replaces():
		return data.Ignore
	case !sure || class == old:
		return old
	case o.Rule == configs.SelfCorrect:
		return class
	}
	return data.Ignore
}

func (o SelfOptions) replaces() bool { return o.Rule == "" || o.Rule == configs.SelfReplace }

// SelfFile tells which network labelled a folder.
const SelfFile = "self.json"

// selfInfo is SelfFile.
type selfInfo struct {
	About      string      `json:"about"`
	Step       int         `json:"step"`
	ConfigHash string      `json:"config_hash"`
	LabelsHash string      `json:"labels_hash"`         // of what the network was trained on
	DataHash   string      `json:"data_hash,omitempty"` // … and of its photos
	Base       string      `json:"base,omitempty"`      // hash of the pseudo-labels that the rule starts from
	Tags       string      `json:"tags,omitempty"`      // hash of the images' tags, where they limit the classes
	Options    SelfOptions `json:"options"`
}

// SelfLabel labels the images of a split with a trained network, for a second
// round of training: dir/<id>.png. An interrupted call goes on where it
// stopped; labels of another network, by other options, or from other
// pseudo-labels, are replaced.
func SelfLabel(ctx context.Context, p *Predictor, ds data.Dataset, split, dir string, o SelfOptions, progress func(done, total int)) error {
	ids, err := o.IDs, error(nil)
	if ids == nil {
		if ids, err = nonEmpty(ds, split); err != nil {
			return err
		}
	}
	paths := make([]string, len(ids))
	for i, id := range ids {
		if paths[i], err = files.Join(dir, id+".png"); err != nil {
			return err
		}
	}
	info := selfInfo{About: "Label maps of a trained network, for another round of training.",
		Step: p.Meta.Step, ConfigHash: p.Meta.ConfigHash, LabelsHash: p.Meta.LabelsHash, DataHash: p.Meta.DataHash, Options: o}
	info.Options.Labels, info.Options.IDs = "", nil
	if !o.replaces() {
		if info.Base, err = LabelsHash(o.Labels, ids); err != nil {
			return err
		}
	}
	if o.Tags {
		if info.Tags, err = tagsHash(ds, ids); err != nil {
			return err
		}
	}
	if err := claim(dir, paths, info); err != nil {
		return err
	}
	for done, i := range data.ByShape(ds, ids, p.Shape) {
		id := ids[i]
		if _, err := files.Stat(paths[i]); errors.Is(err, fs.ErrNotExist) {
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
			progress(done+1, len(ids))
		}
	}
	return nil
}

// claim removes the labels of a folder unless they are from the same network.
func claim(dir string, paths []string, info selfInfo) error {
	mark := filepath.Join(dir, SelfFile)
	var have selfInfo
	if raw, err := files.ReadLimited(mark, files.MaxRecord); err == nil && json.Unmarshal(raw, &have) == nil {
		if have.DataHash == "" && have.Tags == "" { // of an earlier version: taken for unchanged
			have.DataHash, have.Tags = info.DataHash, info.Tags
		}
		if reflect.DeepEqual(have, info) {
			return files.WriteJSON(mark, info)
		}
	}
	for _, path := range paths {
		if err := files.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return files.WriteJSON(mark, info)
}

// tagsHash identifies the tags of images.
func tagsHash(ds data.Dataset, ids []string) (string, error) {
	sum := sha256.New()
	for _, id := range ids {
		s, err := ds.Load(id, data.WantWeak)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%q %v\n", id, s.Weak.Tags)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
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
	m := data.NewLabelMap(s.Image.Rect.Dx(), s.Image.Rect.Dy())
	if !o.replaces() {
		if m, err = readLabels(o.Labels, ds, s, ds.Classes().Len()); err != nil {
			return nil, err
		}
	}
	err = p.bestOf(ctx, s.Image, allowed, func(i int, class uint8, probability float64) {
		m.Pix[i] = o.decide(m.Pix[i], class, probability)
	})
	return m, err
}

// bestOf calls f with the arg-max of every pixel over the allowed classes (nil
// = all), and its probability among them.
func (p *Predictor) bestOf(ctx context.Context, img *image.NRGBA, allowed []bool, f func(pixel int, class uint8, probability float64)) error {
	return p.scores(ctx, img, func(i int, z []float32) {
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
		f(i, uint8(best), 1/sum)
	})
}

// Probabilities returns softmax scores [height, width, classes] of an image at
// its own size, as the dense CRF takes them (docs/sources.md §8.1).
func (p *Predictor) Probabilities(ctx context.Context, img *image.NRGBA) (*tensors.Tensor, error) {
	var out []float32
	classes := 0
	err := p.scores(ctx, img, func(i int, z []float32) {
		if out == nil {
			classes = len(z)
			out = make([]float32, img.Rect.Dx()*img.Rect.Dy()*classes)
		}
		prob.Softmax(out[i*classes:(i+1)*classes], z)
	})
	if err != nil {
		return nil, err
	}
	return tensors.FromFlatDataAndDimensions(out, img.Rect.Dy(), img.Rect.Dx(), classes), nil
}
