package clipes

import (
	"errors"
	"fmt"

	"wsss/gen"
	"wsss/gen/refine"
	"wsss/gen/source"
	"wsss/models/crf"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/vitcam"
)

// mapOptions are the keys of [gen.options] that both methods have.
type mapOptions struct {
	ModelDir  string  `toml:"model_dir"`  // folder of model files; "" = the usual one
	Step      int     `toml:"step"`       // sides are rounded up to multiples of so many pixels; 0 = the patch
	MaxSide   int     `toml:"max_side"`   // larger images are reduced
	Zoom      float64 `toml:"zoom"`       // images are resized by it before
	MaxShapes int     `toml:"max_shapes"` // sizes of images whose compiled graphs are kept

	Token string `toml:"token"` // the logits are those of the "mean" over the patches (clip-es), or of the "class" token (vit-cam)

	CAA          bool     `toml:"caa"`           // refine by attention (docs/sources.md §6.2)
	Blocks       int      `toml:"blocks"`        // … of so many last blocks
	BoxThreshold *float64 `toml:"box_threshold"` // … in boxes around what exceeds this share of the maximum; default 0.4, COCO 0.7

	Alpha     float64  `toml:"alpha"`     // score of the background: (1 − max)^alpha
	Threshold *float64 `toml:"threshold"` // instead: this constant
	CRF       bool     `toml:"crf"`       // end with a dense CRF (docs/sources.md §6.3)
	refine.Field
	Save string `toml:"save"` // folder for the scores as .npy files, as CLIP-ES writes them
}

func defaultMaps(token string) mapOptions {
	return mapOptions{Token: token, MaxSide: 1024, Zoom: 1, MaxShapes: 32, CAA: true, Blocks: 8, Alpha: 1, CRF: true,
		Field: refine.Field{Params: crf.DeepLab(), MinConfidence: 0.95}}
}

func (o mapOptions) check() error {
	switch {
	case o.Token != "class" && o.Token != "mean":
		return fmt.Errorf("gen.options.token = %q: allowed are class, mean", o.Token)
	case o.Step < 0 || o.Step > o.MaxSide:
		return fmt.Errorf("gen.options.step = %d: allowed are 0 to max_side, %d", o.Step, o.MaxSide)
	case o.MaxSide < 16 || o.MaxSide > 4096:
		return fmt.Errorf("gen.options.max_side = %d: allowed are 16 to 4096 pixels", o.MaxSide)
	case !(o.Zoom >= 0.05 && o.Zoom <= 8):
		return fmt.Errorf("gen.options.zoom = %v: allowed are numbers in [0.05, 8]", o.Zoom)
	case o.MaxShapes < 1:
		return fmt.Errorf("gen.options.max_shapes = %d: allowed are 1 or more", o.MaxShapes)
	case o.Blocks < 1:
		return fmt.Errorf("gen.options.blocks = %d: allowed are 1 or more", o.Blocks)
	case o.BoxThreshold != nil && !(*o.BoxThreshold >= 0 && *o.BoxThreshold <= 1):
		return fmt.Errorf("gen.options.box_threshold = %v: allowed are numbers in [0, 1]", *o.BoxThreshold)
	case !(o.Alpha >= 0):
		return fmt.Errorf("gen.options.alpha = %v: allowed are numbers >= 0", o.Alpha)
	case o.Threshold != nil && !(*o.Threshold >= 0 && *o.Threshold <= 1):
		return fmt.Errorf("gen.options.threshold = %v: allowed are numbers in [0, 1]", *o.Threshold)
	}
	if err := o.Field.Check(); err != nil {
		return fmt.Errorf("gen.options.%w", err)
	}
	return nil
}

func (o mapOptions) rule() source.ScoreOptions {
	if o.Threshold != nil {
		return source.ScoreOptions{Background: "constant", Threshold: o.Threshold}
	}
	return source.ScoreOptions{Background: "power", Alpha: &o.Alpha}
}

func (o mapOptions) network() vitcam.Options {
	return vitcam.Options{ClassToken: o.Token == "class", Blocks: o.Blocks, Step: o.Step, Zoom: o.Zoom, MaxSide: o.MaxSide, MaxShapes: o.MaxShapes}
}

// clipesOptions are the further keys of method clip-es.
type clipesOptions struct {
	CLIP   string `toml:"clip"`   // a model of `wsss models list` …
	Vision string `toml:"vision"` // … or these files
	Text   string `toml:"text"`   //
	Merges string `toml:"merges"` //

	Templates  []string            `toml:"templates"`   // prompts, with {}
	Words      map[string][]string `toml:"words"`       // class name → texts, where they differ
	Background []string            `toml:"background"`  // texts for what is no class; default CLIP-ES's, less what is a class
	Absent     bool                `toml:"absent"`      // the classes that the image lacks count as background, too
	LogitScale float64             `toml:"logit_scale"` // of the cosines
	Softmax    bool                `toml:"softmax"`     // maps of the probability; else of the logit
	mapOptions
}

func defaultCLIPES() clipesOptions {
	return clipesOptions{CLIP: "clip-vit-b-16", Templates: []string{clip.Origami}, LogitScale: clip.LogitScale, Softmax: true, mapOptions: defaultMaps("mean")}
}

func (o clipesOptions) check() error {
	switch {
	case !(o.LogitScale > 0 && o.LogitScale <= 1e4):
		return fmt.Errorf("gen.options.logit_scale = %v: allowed are numbers in (0, 1e4]", o.LogitScale)
	case len(o.Templates) == 0:
		return errors.New("gen.options.templates is empty: allowed are one text with {} or more")
	}
	return o.mapOptions.check()
}

func (o clipesOptions) needs() gen.Needs {
	n := gen.Needs{Files: []string{o.Vision, o.Text, o.Merges}}
	if o.Vision == "" || o.Text == "" || o.Merges == "" {
		n.Models = []string{o.CLIP}
	}
	return n
}

// vitOptions are the further keys of method vit-cam.
type vitOptions struct {
	Classifier string `toml:"classifier"` // the classifier.onnx of `wsss finetune-clip`, with its classifier.json
	mapOptions
}

func defaultVIT() vitOptions { return vitOptions{mapOptions: defaultMaps("class")} }

func (o vitOptions) check() error {
	if o.Classifier == "" {
		return errors.New("gen.options.classifier is missing: name the classifier.onnx of a `wsss finetune-clip` run")
	}
	return o.mapOptions.check()
}
