package exemplars

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/models/foundation/features"
)

// options are the keys of [gen.options].
type options struct {
	Find     string         `toml:"find"`     // by what objects are found: owlv2 (default), features
	OWL      owlOptions     `toml:"owl"`      // of find = "owlv2"
	Features features.Table `toml:"features"` // of find = "features": the network
	Alike    alikeOptions   `toml:"alike"`    // of find = "features": what counts as alike
	Overlap  float64        `toml:"overlap"`  // IoU above which the worse of two boxes of a class goes; default 0.3
	Most     int            `toml:"most"`     // boxes in a photo, the best; default 100
	Masks    masker         `toml:"masks"`    // what cuts objects out of their boxes; default grabcut
}

// owlOptions name an OWLv2 and say what it has to be sure of.
type owlOptions struct {
	Model    string  `toml:"model"`     // of `wsss models list`; default owlv2-base
	Network  string  `toml:"network"`   // or a file (.safetensors, .pth)
	ModelDir string  `toml:"model_dir"` // folder of model files; "" = the usual one
	MinScore float64 `toml:"min_score"` // of a box, default 0.9
}

// alikeOptions say which places of a photo look like an object.
type alikeOptions struct {
	MinSimilarity float64 `toml:"min_similarity"` // mean cosine of a box's places with the most similar of an exemplar; default 0.6
	Margin        float64 `toml:"margin"`         // by which a place is more like an object than like background; default 0
	MinArea       float64 `toml:"min_area"`       // share of the photo that a part has to cover; default 0.002
}

// masker is a method that makes masks of boxes.
type masker struct {
	Method  string         `toml:"method"`
	Options map[string]any `toml:"options"`
}

// Values of find.
const (
	byOWL      = "owlv2"
	byFeatures = "features"
)

const familyOWL = "owl"

func defaults() options {
	return options{Find: byOWL, OWL: owlOptions{MinScore: 0.9}, Alike: alikeOptions{MinSimilarity: 0.6, MinArea: 0.002},
		Overlap: 0.3, Most: 100, Masks: masker{Method: "grabcut"}}
}

func (o options) check() error {
	switch o.Find {
	case byOWL:
		if o.OWL.Model != "" && o.OWL.Network != "" {
			return errors.New("[gen.options.owl] allowed is one of model, a network of `wsss models list`, and network, a file")
		}
		if o.Features != (features.Table{}) {
			return errors.New(`[gen.options.features] is of find = "features", and this is find = "owlv2"`)
		}
	case byFeatures:
		if o.OWL != defaults().OWL {
			return errors.New(`[gen.options.owl] is of find = "owlv2", and this is find = "features"`)
		}
		if err := o.Features.Check("gen.options.features"); err != nil {
			return err
		}
	default:
		return fmt.Errorf("[gen.options] find = %q: allowed are %s, %s", o.Find, byOWL, byFeatures)
	}
	err := cmp.Or(
		gen.Within("overlap", o.Overlap, 0, 1), gen.Within("most", float64(o.Most), 1, 10_000), gen.Within("owl.min_score", o.OWL.MinScore, 0, 1),
		gen.Within("alike.min_similarity", o.Alike.MinSimilarity, -1, 1), gen.Within("alike.margin", o.Alike.Margin, -2, 2), gen.Within("alike.min_area", o.Alike.MinArea, 0, 1),
	)
	if err != nil {
		return err
	}
	spec, err := gen.Lookup(o.Masks.Method)
	if err != nil {
		return fmt.Errorf("[gen.options.masks] %w", err)
	}
	if !slices.Contains(spec.Weak, data.WeakBoxes) {
		return fmt.Errorf("[gen.options.masks] method = %q makes no masks of boxes: grabcut and sam do", o.Masks.Method)
	}
	return nil
}

// inner is the configuration of the method that makes masks of boxes.
func (o options) inner() configs.Gen {
	return configs.Gen{Method: o.Masks.Method, Weak: string(data.WeakBoxes), Options: o.Masks.Options, Fuse: configs.Default().Gen.Fuse}
}

// owlModel is the model that the options name, "" where they name a file.
func (o owlOptions) model() string {
	if o.Model == "" && o.Network == "" {
		return "owlv2-base"
	}
	return o.Model
}

func (o options) needs() gen.Needs {
	var n gen.Needs
	if o.Find == byOWL {
		n.Add(gen.Needs{Models: []string{o.OWL.model()}, Files: []string{o.OWL.Network}})
	} else {
		n.Add(gen.Needs{Models: []string{o.Features.Model}, Files: []string{o.Features.Network}})
	}
	return n
}
