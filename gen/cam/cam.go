// Package cam holds the gen method "cam": pseudo-labels from the class
// activation maps of a classifier that was trained on image tags (docs/sources.md
// §11.1). It is a source of class scores for the methods that refine.
package cam

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/stages"
	"wsss/gen"
	"wsss/gen/source"
	"wsss/models/camnet"
)

func init() {
	gen.RegisterOf("cam", gen.Spec{
		Doc:          "class activation maps of a ResNet trained on image tags (wsss train-classifier, or IRN's res50_cam.pth)",
		Weak:         []data.WeakKind{data.WeakTags},
		NeedsBackend: true,
	}, gen.Of[options]{
		Decode: func(table map[string]any) (options, error) { return gen.Decode(table, defaults(), options.check) },
		New:    newCAM,
		Needs: func(o options) gen.Needs {
			n := gen.Needs{Files: []string{o.Classifier}}
			n.Add(o.needs())
			return n
		},
	})
}

// options are the keys of [gen.options].
type options struct {
	Classifier string    `toml:"classifier"` // weights: classifier.safetensors of train-classifier, or a file of IRN or ReCAM
	Scales     []float64 `toml:"scales"`     // sizes at which the image is seen, the maps summed; default [1, 0.5, 1.5, 2]
	Flip       bool      `toml:"flip"`       // and mirrored; default true
	Threshold  float64   `toml:"threshold"`  // score of the background; default 0.15 (IRN; ReCAM on VOC 0.21)
	Save       string    `toml:"save"`       // folder for the scores as .npy files, as IRN writes them
	Bucket     int       `toml:"bucket"`     // sides of scaled images are rounded to multiples of so many pixels; 1 = the reference's sizes, 0 = by backend
	MaxSide    int       `toml:"max_side"`   // scaled images are made no longer than this; default 2048
	MaxShapes  int       `toml:"max_shapes"` // sizes of images whose compiled graphs are kept
	cueOptions
}

func defaults() options {
	return options{Scales: []float64{1, 0.5, 1.5, 2}, Flip: true, Threshold: 0.15, MaxSide: 2048, MaxShapes: 8}
}

func (o options) check() error {
	if o.Classifier == "" {
		return errors.New("gen.options.classifier is missing: the file of a trained classifier; see wsss train-classifier")
	}
	return errors.Join(checkMaps(o.Scales, o.Threshold, o.Bucket, o.MaxSide, o.MaxShapes), o.cueOptions.check())
}

// checkMaps checks the keys that methods of class activation maps share.
func checkMaps(scales []float64, threshold float64, bucket, maxSide, maxShapes int) error {
	switch {
	case len(scales) == 0:
		return errors.New("gen.options.scales = []: allowed is at least one number")
	case !(threshold >= 0 && threshold <= 1):
		return fmt.Errorf("gen.options.threshold = %v: allowed are numbers in [0, 1]", threshold)
	case bucket < 0 || bucket > 512:
		return fmt.Errorf("gen.options.bucket = %d: allowed are 0 to 512 pixels", bucket)
	case maxSide < 64 || maxSide > 16384:
		return fmt.Errorf("gen.options.max_side = %d: allowed are 64 to 16384 pixels", maxSide)
	case maxShapes < 1:
		return fmt.Errorf("gen.options.max_shapes = %d: allowed are 1 or more", maxShapes)
	}
	for _, s := range scales {
		if !(s >= 0.05 && s <= 8) {
			return fmt.Errorf("gen.options.scales = %v: allowed are numbers in [0.05, 8]", scales)
		}
	}
	return nil
}

// method makes maps. It is safe for concurrent use.
type method struct {
	opts    options
	mapper  *camnet.Mapper
	classes int // background not counted
	hashes  map[string]string
	cue     *cue // nil: the background has a constant score
	exact   bool // maps are divided by their maximum, without a small number added to it
}

var _ source.Scorer = (*method)(nil)

func newCAM(env gen.Env, o options) (gen.Method, error) {
	m := &method{}
	_, err := m.open(env, o)
	return m, err
}

// open reads the classifier, whose variables it returns.
func (m *method) open(env gen.Env, o options) (*model.Store, error) {
	if o.Save != "" && len(env.Gen.Checks) > 0 {
		return nil, errors.New("gen.options.save: not with gen.checks, which make scores of changed images, too")
	}
	net, store, names, err := camnet.Open(o.Classifier)
	if err != nil {
		return nil, err
	}
	*m = method{opts: o, classes: env.Classes.Len() - 1}
	if n := net.Config().Classes; n != m.classes || names != nil && !slices.Equal(names, env.Classes.Names) {
		return nil, fmt.Errorf("%s knows %d classes%s, the dataset has %d: %v", o.Classifier, n, list(names), m.classes, env.Classes.Names[1:])
	}
	m.mapper = camnet.NewMapper(env.Backend, net, store, camnet.MapOptions{Scales: o.Scales, Flip: o.Flip, Bucket: o.Bucket, MaxSide: o.MaxSide, Shapes: o.MaxShapes})
	sum, err := files.SHA256(o.Classifier)
	if err != nil {
		return nil, err
	}
	m.hashes = map[string]string{filepath.Base(o.Classifier): sum}
	m.cue, err = o.open(env, m.hashes)
	return store, err
}

// list shows the names of the classes after the background, if any.
func list(names []string) string {
	if names == nil {
		return ""
	}
	return fmt.Sprintf(", %v", names[1:])
}

// Weights maps the file that the masks depend on to its SHA-256.
func (m *method) Weights() map[string]string { return m.hashes }

// Rule is a constant background.
func (m *method) Rule() source.ScoreOptions {
	return source.ScoreOptions{Background: "constant", Threshold: &m.opts.Threshold}
}

// Scores are the maps of the image's tags, each at most 1, at the size of the
// image; they are saved where the options say so.
func (m *method) Scores(ctx context.Context, s *data.Sample) (*source.Scores, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, errors.New("cam needs the image, and it has no pixels")
	}
	tags, err := source.Tags(s, m.classes)
	if err != nil {
		return nil, err
	}
	size := s.Image.Rect.Size()
	var maps []*camnet.Map
	if len(tags) > 0 {
		stop := stages.Start(ctx, stages.Embed)
		maps, err = m.mapper.Maps(ctx, imageproc.FromImage(s.Image))
		stop()
		if err != nil {
			return nil, err
		}
	}
	step := m.mapper.Stride()
	scores := m.merge(maps, tags, size.X, size.Y, up(size.X, step)*step, up(size.Y, step)*step)
	if m.opts.Save != "" {
		w, h := up(size.X, smallStride), up(size.Y, smallStride)
		err = source.Save(m.opts.Save, s.ID, scores, m.merge(maps, tags, w, h, w, h))
	}
	if err != nil {
		return nil, err
	}
	return m.cue.add(ctx, s, scores, m.opts.Threshold)
}

// smallStride is that of the smaller maps that IRN saves.
const smallStride = 4

func up(n, stride int) int { return (n + stride - 1) / stride }

// merge resizes the maps of every scale to fullW×fullH, cuts them to w×h, sums
// them, and divides each class by its maximum. The reference resizes to the
// multiple of the stride above the size of the image, whatever the scale.
func (m *method) merge(maps []*camnet.Map, tags []int, w, h, fullW, fullH int) *source.Scores {
	out := &source.Scores{W: w, H: h, Classes: tags}
	for _, tag := range tags {
		sum := make([]float32, w*h)
		for _, one := range maps {
			scaled := source.Bilinear(one.Plane(tag-1), one.W, one.H, w, h, float64(one.W)/float64(fullW), float64(one.H)/float64(fullH))
			for i, v := range scaled {
				sum[i] += v
			}
		}
		out.Maps = append(out.Maps, sum)
	}
	if m.exact {
		divide(out.Maps)
	} else {
		out.Normalise("max")
	}
	return out
}

// Generate returns one mask per class that exceeds the background somewhere.
func (m *method) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	scores, err := m.Scores(ctx, s)
	if err != nil {
		return nil, err
	}
	label, confidence := scores.Label(m.Rule())
	return gen.LabelMasks(label, confidence, "cam"), nil
}
