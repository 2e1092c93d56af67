package refine

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/crf"
	"wsss/gen/source"
)

func init() {
	register("crf", "dense CRF on labels or class scores", newCRF, func(o *crfOptions) *source.Options { return &o.From })
}

// crfOptions are the keys of [gen.options]. Class scores give the unary term
// −log(score), over the classes that the file names and the background
// (METHODS §6.3); labels give it from their confidence (METHODS §8.1), over
// the classes that occur. Undecided pixels of a label are decided.
type crfOptions struct {
	From   source.Options `toml:"from"`
	Preset string         `toml:"preset"` // default of the following: "deeplab" (also CLIP-ES; the default) or "irn"
	crf.Params
	Unary         string    `toml:"unary"`          // "scores" or "labels"; default what the source has
	Confidence    float64   `toml:"confidence"`     // of labels, the reference's gt_prob; default 0.7
	MinConfidence float64   `toml:"min_confidence"` // pixels whose best posterior is below become void; CLIP-ES 0.95
	Confident     []float64 `toml:"confident"`      // IRN's two background scores, [0.30, 0.05]: keep what both agree on (METHODS §11.2)
	Image         string    `toml:"image"`          // "rgb" (default), or "kaz": mean-subtracted and wrapped, as deeplab-pytorch and CLIP-ES pass it
}

type crfMethod struct {
	opts crfOptions
	from *source.Source
}

func newCRF(env gen.Env) (gen.Method, error) {
	o := crfOptions{Params: crf.DeepLab(), Confidence: 0.7}
	if env.Gen.Options["preset"] == "irn" {
		o.Params = crf.IRN()
	}
	if err := configs.Decode("gen.options", env.Gen.Options, &o); err != nil {
		return nil, err
	}
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
	case !slices.Contains([]string{"", "deeplab", "irn"}, o.Preset):
		return fmt.Errorf("preset = %q: allowed are deeplab, irn", o.Preset)
	case o.Unary != "labels" && o.Unary != "scores":
		return fmt.Errorf("unary = %q: allowed are labels, scores", o.Unary)
	case o.Unary == "scores" && !scores:
		return errors.New(`unary = "scores": allowed only where [gen.options.from] has scores`)
	case !(o.Confidence > 0 && o.Confidence < 1):
		return fmt.Errorf("confidence = %v: allowed are numbers in (0, 1)", o.Confidence)
	case !(o.MinConfidence >= 0 && o.MinConfidence <= 1):
		return fmt.Errorf("min_confidence = %v: allowed are numbers in [0, 1]", o.MinConfidence)
	case len(o.Confident) > 0 && (len(o.Confident) != 2 || !(o.Confident[0] >= o.Confident[1]) || !scores || o.Unary == "scores"):
		return fmt.Errorf(`confident = %v: allowed is [high, low], with scores and unary = "labels"`, o.Confident)
	case o.Image != "" && o.Image != "rgb" && o.Image != "kaz":
		return fmt.Errorf("image = %q: allowed are rgb, kaz", o.Image)
	}
	return o.Params.Validate()
}

func (m *crfMethod) Inputs() (map[string]string, error) { return inputs(nil, m.from) }
func (m *crfMethod) Weights() map[string]string         { return m.from.Weights() }

// Generate returns one mask per class of the refined label; scores are mean
// posteriors.
func (m *crfMethod) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	img := pixels(s.Image, m.opts.Image == "kaz")
	var label *data.LabelMap
	var confidence []float32
	var err error
	switch {
	case len(m.opts.Confident) == 2:
		label, err = m.confident(ctx, img, s)
	case m.opts.Unary == "scores":
		label, confidence, err = m.fromScores(ctx, img, s)
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
	classes := []int{0}
	for c, yes := range label.Present() {
		if yes && c != 0 && c != data.Ignore {
			classes = append(classes, c)
		}
	}
	return classes
}

func (m *crfMethod) fromScores(ctx context.Context, img crf.Image, s *data.Sample) (*data.LabelMap, []float32, error) {
	scores, err := m.from.Scores(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	all := scores.WithBackground(m.from.Rule())
	k := len(all.Classes)
	probs := make([]float32, len(img.RGB)/3*k)
	for c, plane := range all.Maps {
		for i, v := range plane {
			probs[i*k+c] = v
		}
	}
	return m.infer(img, crf.UnaryFromProbs(probs), all.Classes)
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
	return m.infer(img, unary, classes)
}

func (m *crfMethod) infer(img crf.Image, unary []float32, classes []int) (*data.LabelMap, []float32, error) {
	k := len(classes)
	posterior, err := crf.Infer(img, unary, k, m.opts.Params)
	if err != nil {
		return nil, nil, err
	}
	label := crf.Labels(posterior, img.W, img.H, k, float32(m.opts.MinConfidence))
	confidence := make([]float32, len(label.Pix))
	for i, v := range label.Pix {
		confidence[i] = slices.Max(posterior[i*k : (i+1)*k])
		if v != data.Ignore {
			label.Pix[i] = uint8(classes[v])
		}
	}
	return label, confidence, nil
}

// confident makes IRN's training labels (METHODS §11.2): classes that win
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

// pixels packs an image for the CRF. wrapped subtracts the mean and keeps the
// low 8 bits of what is left, as the reference does (METHODS §6.3, §8.1).
func pixels(img *image.NRGBA, wrapped bool) crf.Image {
	mean := [3]float64{122.675, 116.669, 104.008}
	size := img.Rect.Size()
	out := crf.Image{W: size.X, H: size.Y, RGB: make([]uint8, 0, 3*size.X*size.Y)}
	for y := range size.Y {
		row := img.Pix[y*img.Stride : y*img.Stride+4*size.X]
		for x := range size.X {
			for c := range 3 {
				v := row[4*x+c]
				if wrapped {
					v = uint8(int(float64(v) - mean[c]))
				}
				out.RGB = append(out.RGB, v)
			}
		}
	}
	return out
}
