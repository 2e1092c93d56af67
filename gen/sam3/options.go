package sam3

import (
	"fmt"

	"wsss/data"
	"wsss/gen"
	"wsss/gen/naming"
	"wsss/models/foundation/load"
	"wsss/models/foundation/sam3"
)

// licence is the name of the terms that all weights of SAM 3 are under.
const licence = "SAM License"

// options are the keys of [gen.options].
type options struct {
	SAM3      string `toml:"sam3"`       // a model of `wsss models list` …
	Vision    string `toml:"vision"`     // … or these files: the image encoder,
	Text      string `toml:"text"`       // the text encoder,
	Decoder   string `toml:"decoder"`    // the decoder
	Merges    string `toml:"merges"`     // and CLIP's BPE merges
	ModelDir  string `toml:"model_dir"`  // folder of model files; "" = the usual one
	MaxShapes int    `toml:"max_shapes"` // compiled graphs kept per file; each number of boxes, rounded up to a power of two, is a shape

	AcceptLicence string `toml:"accept_licence"` // "SAM License", from somebody who has read it

	Words      naming.Words `toml:"words"`      // class name → phrases, where they differ; the largest map of a class counts
	Confidence float64      `toml:"confidence"` // instances with a score above it count
	Threshold  float64      `toml:"threshold"`  // pixels where no class reaches it are background
	Instances  bool         `toml:"instances"`  // the instance head counts
	Semantic   bool         `toml:"semantic"`   // the semantic head counts, where the export has it
	Presence   bool         `toml:"presence"`   // maps are multiplied by the presence score
	Named      bool         `toml:"named"`      // from boxes: the class's phrases go with them; else boxes alone show what is looked for
	Negatives  bool         `toml:"negatives"`  // from boxes: those of other classes show what is not
}

func defaults() options {
	h := sam3.DefaultHeads()
	return options{SAM3: "sam3", MaxShapes: 16, Confidence: h.Confidence, Threshold: 0.4, Instances: h.Instances, Semantic: h.Semantic, Presence: h.Presence, Named: true}
}

func (o options) check() error {
	if o.AcceptLicence != licence {
		return fmt.Errorf("gen.options.accept_licence = %q: the weights of SAM 3, in any export, are under Meta's %s, which restricts what they may be used for and goes along with them: read https://github.com/facebookresearch/sam3/blob/main/LICENSE, and if you accept it, set accept_licence = %q", o.AcceptLicence, licence, licence)
	}
	switch {
	case !(o.Confidence >= 0 && o.Confidence <= 1):
		return fmt.Errorf("gen.options.confidence = %v: allowed is 0..1", o.Confidence)
	case !(o.Threshold >= 0 && o.Threshold <= 1):
		return fmt.Errorf("gen.options.threshold = %v: allowed is 0..1", o.Threshold)
	case !o.Instances && !o.Semantic:
		return fmt.Errorf("gen.options: instances and semantic are both false: nothing is left to make maps of")
	case o.MaxShapes < 1:
		return fmt.Errorf("gen.options.max_shapes = %d: allowed are 1 or more", o.MaxShapes)
	}
	return nil
}

// checkClasses refuses words for classes that there are not.
func (o options) checkClasses(classes data.Classes) error {
	for name, list := range o.Words {
		if classes.Index(name) <= 0 {
			return naming.NoClass("words", name, classes)
		}
		if len(list) == 0 {
			return fmt.Errorf("gen.options.words.%s is empty: allowed are one phrase or more", name)
		}
	}
	return nil
}

func (o options) files() load.Choice {
	return load.Choice{Model: o.SAM3, Dir: o.ModelDir, Files: map[string]string{"vision": o.Vision, "text": o.Text, "decoder": o.Decoder, "merges": o.Merges}}
}

func (o options) needs() gen.Needs {
	n := gen.Needs{Files: []string{o.Vision, o.Text, o.Decoder, o.Merges}}
	for _, f := range n.Files {
		if f == "" {
			n.Models = []string{o.SAM3}
		}
	}
	return n
}

func (o options) heads() sam3.Heads {
	return sam3.Heads{Confidence: o.Confidence, Instances: o.Instances, Semantic: o.Semantic, Presence: o.Presence}
}
