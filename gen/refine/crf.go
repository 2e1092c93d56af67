package refine

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"wsss/data"
	"wsss/gen"
	"wsss/gen/source"
	"wsss/models/crf"
)

func init() {
	register("crf", "dense CRF on labels or class scores", decodeCRF, newCRF, func(o crfOptions) source.Options { return o.From })
}

// crfOptions are the keys of [gen.options]. Class scores give the unary term
// −log(score), over the classes that the file names and the background
// (docs/sources.md §6.3); labels give it from their confidence (docs/sources.md §8.1), over
// the classes that occur. Undecided pixels of a label are decided.
type crfOptions struct {
	From   source.Options `toml:"from"`
	Preset string         `toml:"preset"` // default of the following: "deeplab" (also CLIP-ES; the default), "irn" or "psa"
	Field
	Unary      string    `toml:"unary"`      // "scores" or "labels"; default what the source has
	Confidence float64   `toml:"confidence"` // of labels, the reference's gt_prob; default 0.7
	Alphas     []float64 `toml:"alphas"`     // AffinityNet's two exponents of the background, [4, 32]: keep what both agree on (docs/sources.md §11.3)
	Confident  []float64 `toml:"confident"`  // IRN's two background scores, [0.30, 0.05]: keep what both agree on (docs/sources.md §11.2)
}

// Field are the keys of a method that ends with a dense CRF.
type Field struct {
	crf.Params
	MinConfidence float64 `toml:"min_confidence"` // pixels whose best posterior is below become void; CLIP-ES 0.95
	Image         string  `toml:"image"`          // "rgb" (default), or "kaz": mean-subtracted and wrapped, as deeplab-pytorch and CLIP-ES pass it
}

// Check names the first key that is out of range.
func (f Field) Check() error {
	switch {
	case !(f.MinConfidence >= 0 && f.MinConfidence <= 1):
		return fmt.Errorf("min_confidence = %v: allowed are numbers in [0, 1]", f.MinConfidence)
	case f.Image != "" && f.Image != "rgb" && f.Image != "kaz":
		return fmt.Errorf("image = %q: allowed are rgb, kaz", f.Image)
	}
	return f.Params.Validate()
}

// Label refines class scores at the size of the image with the background that
// the rule gives them: the label and the posterior of each pixel's class.
// Scores count as they are, whatever their sum (docs/sources.md §6.3).
func (f Field) Label(img *image.NRGBA, scores *source.Scores, rule source.ScoreOptions) (*data.LabelMap, []float32, error) {
	all := scores.WithBackground(rule)
	k := len(all.Classes)
	probs := make([]float32, scores.W*scores.H*k)
	for c, plane := range all.Maps {
		for i, v := range plane {
			probs[i*k+c] = v
		}
	}
	return f.infer(crf.ImageOf(img, f.Image == "kaz"), crf.UnaryFromProbs(probs), all.Classes)
}

type crfMethod struct {
	opts crfOptions
	from *source.Source
}

// decodeCRF reads [gen.options]; the preset gives the defaults.
func decodeCRF(table map[string]any) (crfOptions, error) {
	o := crfOptions{Field: Field{Params: crf.DeepLab()}, Confidence: 0.7}
	switch table["preset"] {
	case "irn":
		o.Params = crf.IRN()
	case "psa":
		o.Params = crf.PSA()
	}
	return gen.Decode(table, o, nil)
}

func newCRF(env gen.Env, o crfOptions) (gen.Method, error) {
	from, err := source.Open(env, "gen.options.from", o.From)
	if err != nil {
		return nil, err
	}
	if o.Unary == "" {
		o.Unary = "labels"
		if from.HasScores() && len(o.Confident) == 0 {
			o.Unary = "scores"
		}
	}
	if err := o.check(from.HasScores()); err != nil {
		return nil, fmt.Errorf("[gen.options] %w", err)
	}
	return &crfMethod{o, from}, nil
}

func (o crfOptions) check(scores bool) error {
	switch {
	case !slices.Contains([]string{"", "deeplab", "irn", "psa"}, o.Preset):
		return fmt.Errorf("preset = %q: allowed are deeplab, irn, psa", o.Preset)
	case o.Unary != "labels" && o.Unary != "scores":
		return fmt.Errorf("unary = %q: allowed are labels, scores", o.Unary)
	case o.Unary == "scores" && !scores:
		return errors.New(`unary = "scores": allowed only where [gen.options.from] has scores`)
	case !(o.Confidence > 0 && o.Confidence < 1):
		return fmt.Errorf("confidence = %v: allowed are numbers in (0, 1)", o.Confidence)
	case len(o.Confident) > 0 && (len(o.Confident) != 2 || !(o.Confident[0] >= o.Confident[1]) || !scores || o.Unary == "scores"):
		return fmt.Errorf(`confident = %v: allowed is [high, low], with scores and unary = "labels"`, o.Confident)
	case len(o.Alphas) > 0 && (len(o.Alphas) != 2 || !(o.Alphas[0] > 0 && o.Alphas[0] <= o.Alphas[1]) || o.Unary != "scores" || len(o.Confident) > 0):
		return fmt.Errorf(`alphas = %v: allowed is [low, high] above 0, with scores and without confident`, o.Alphas)
	}
	return o.Field.Check()
}

func (m *crfMethod) Inputs() (map[string]string, error) { return inputs(nil, m.from) }

func (m *crfMethod) InputFiles(id string) ([]string, error) { return inputFiles(id, nil, m.from) }

func (m *crfMethod) Weights() map[string]string { return m.from.Weights() }

// Learn lets the source learn (gen.Learner).
func (m *crfMethod) Learn(ctx context.Context, from gen.Lesson) error { return m.from.Learn(ctx, from) }

// Generate returns one mask per class of the refined label; scores are mean
// posteriors.
func (m *crfMethod) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	img := crf.ImageOf(s.Image, m.opts.Image == "kaz")
	var label *data.LabelMap
	var confidence []float32
	var err error
	switch {
	case len(m.opts.Alphas) == 2:
		label, err = m.agreed(ctx, s)
	case len(m.opts.Confident) == 2:
		label, err = m.confident(ctx, img, s)
	case m.opts.Unary == "scores":
		var scores *source.Scores
		if scores, err = m.from.Scores(ctx, s); err == nil {
			label, confidence, err = m.opts.Label(s.Image, scores, m.from.Rule())
		}
	default:
		var raw *data.LabelMap
		if raw, _, err = m.from.Label(ctx, s); err == nil {
			label, confidence, err = m.fromLabel(img, raw, present(raw))
		}
	}
	if err != nil {
		return nil, err
	}
	return gen.LabelMasks(label, confidence, "crf"), nil
}

// present lists the classes of a label, with the background.
func present(label *data.LabelMap) []int {
	return append([]int{0}, data.Objects(label.Present())...)
}

// fromLabel refines a label among the given classes, ascending from 0.
func (m *crfMethod) fromLabel(img crf.Image, label *data.LabelMap, classes []int) (*data.LabelMap, []float32, error) {
	if len(classes) == 1 {
		return data.NewLabelMap(label.W, label.H), nil, nil // nothing but background to choose
	}
	compact := label.Clone()
	for i, v := range label.Pix {
		if v != data.Ignore {
			at, _ := slices.BinarySearch(classes, int(v))
			compact.Pix[i] = uint8(at)
		}
	}
	unary, err := crf.UnaryFromLabels(compact, len(classes), m.opts.Confidence)
	if err != nil {
		return nil, nil, err
	}
	return m.opts.infer(img, unary, classes)
}

func (f Field) infer(img crf.Image, unary []float32, classes []int) (*data.LabelMap, []float32, error) {
	k := len(classes)
	posterior, err := crf.Infer(img, unary, k, f.Params)
	if err != nil {
		return nil, nil, err
	}
	label := crf.Labels(posterior, img.W, img.H, k, float32(f.MinConfidence))
	confidence := make([]float32, len(label.Pix))
	for i, v := range label.Pix {
		confidence[i] = slices.Max(posterior[i*k : (i+1)*k])
		if v != data.Ignore {
			label.Pix[i] = uint8(classes[v])
		}
	}
	return label, confidence, nil
}

// confident makes IRN's training labels (docs/sources.md §11.2): classes that win
// against the high background score, background where nothing wins against
// the low one, and void between.
func (m *crfMethod) confident(ctx context.Context, img crf.Image, s *data.Sample) (*data.LabelMap, error) {
	scores, err := m.from.Scores(ctx, s)
	if err != nil {
		return nil, err
	}
	var refined [2]*data.LabelMap
	for i, threshold := range m.opts.Confident {
		o := m.from.Rule()
		o.Background, o.Threshold = "constant", &threshold
		label, _ := scores.Label(o)
		classes := scores.WithBackground(o).Classes
		if refined[i], _, err = m.fromLabel(img, label, classes); err != nil {
			return nil, err
		}
	}
	high, low := refined[0], refined[1]
	for i, v := range high.Pix {
		if v == 0 && low.Pix[i] != 0 {
			high.Pix[i] = data.Ignore
		}
	}
	return high, nil
}

// agreed makes AffinityNet's training labels (docs/sources.md §11.3): classes that
// win against the higher background, of the low exponent, background where it wins
// even with the high exponent, and void between.
func (m *crfMethod) agreed(ctx context.Context, s *data.Sample) (*data.LabelMap, error) {
	scores, err := m.from.Scores(ctx, s)
	if err != nil {
		return nil, err
	}
	var refined [2]*data.LabelMap
	for i, alpha := range m.opts.Alphas {
		o := m.from.Rule()
		o.Background, o.Alpha = "power", &alpha
		if refined[i], _, err = m.opts.Label(s.Image, scores, o); err != nil {
			return nil, err
		}
	}
	label := refined[0]
	for i, v := range refined[1].Pix {
		if v == 0 {
			label.Pix[i] = 0
		} else if label.Pix[i] == 0 {
			label.Pix[i] = data.Ignore
		}
	}
	return label, nil
}
