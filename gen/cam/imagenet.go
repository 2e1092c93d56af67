package cam

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/openimages"
	"wsss/data/stages"
	"wsss/gen"
	"wsss/gen/source"
	"wsss/models/imagenet"
	"wsss/models/manifest"
)

func init() {
	gen.RegisterOf("imagenet-cam", gen.Spec{
		Doc:          "class activation maps of any ImageNet classifier (ONNX, .pth, .safetensors), without training",
		Weak:         []data.WeakKind{data.WeakTags},
		NeedsBackend: true,
	}, gen.Of[imageNetOptions]{
		Decode: decodeImageNet,
		New:    newImageNet,
		Needs: func(o imageNetOptions) gen.Needs {
			n := gen.Needs{Files: []string{o.Classifier}}
			if _, known := manifest.Find(o.Classifier); known == nil {
				n = gen.Needs{Models: []string{o.Classifier}}
			}
			n.Add(o.needs())
			return n
		},
		Classes: func(o imageNetOptions, classes data.Classes) error {
			_, err := o.groups(classes)
			return err
		},
	})
}

// imageNetOptions are the keys of [gen.options].
type imageNetOptions struct {
	Classifier  string              `toml:"classifier"`  // a file, or a model of `wsss models list` (efficientnet-lite2, resnet50)
	Map         map[string][]string `toml:"map"`         // class name → words of WordNet, or numbers 0..999 of ImageNet's classes, in the place of the built-in table; [] = none
	Temperature float64             `toml:"temperature"` // of the shares of a class's ImageNet classes by their logits; default 3
	Stride      int                 `toml:"stride"`      // image pixels per pixel of a map: 8, 16, 32 (default); beyond it strides become dilations
	Norm        string              `toml:"norm"`        // of the pixels: imagenet (default), signed (-1..1), clip, unit (0..1), bytes (0..255), caffe (B, G, R less the mean); half is an older name of signed
	Scales      []float64           `toml:"scales"`      // sizes at which the image is seen, the maps summed; default [0.75, 1, 1.5]
	Flip        bool                `toml:"flip"`        // and mirrored; default true
	Threshold   float64             `toml:"threshold"`   // score of the background; default 0.3
	Save        string              `toml:"save"`        // folder for the scores as .npy files, as IRN writes them
	Bucket      int                 `toml:"bucket"`      // sides of scaled images are rounded to multiples of so many pixels; 0 = by backend
	MaxSide     int                 `toml:"max_side"`    // scaled images are made no longer than this; default 1024
	MaxShapes   int                 `toml:"max_shapes"`  // sizes of images whose compiled graphs are kept
	cueOptions
}

// norms are the normalisations by their names; in saliency's table half is another
// one.
var norms = imageproc.NamedAnd(map[string]imageproc.Norm{"half": imageproc.SignedNorm})

func decodeImageNet(table map[string]any) (imageNetOptions, error) {
	o := imageNetOptions{Temperature: 3, Scales: []float64{0.75, 1, 1.5}, Flip: true, Threshold: 0.3, MaxSide: 1024, MaxShapes: 8}
	if err := configs.Decode("gen.options", table, &o); err != nil {
		return o, err
	}
	switch {
	case o.Classifier == "":
		return o, errors.New("gen.options.classifier is missing: a classifier of ImageNet, the file or a model of `wsss models list`, such as efficientnet-lite2")
	case !(o.Temperature > 0 && o.Temperature < 1e6):
		return o, fmt.Errorf("gen.options.temperature = %v: allowed are numbers > 0", o.Temperature)
	case !slices.Contains([]int{0, 8, 16, 32}, o.Stride):
		return o, fmt.Errorf("gen.options.stride = %d: allowed are 8, 16, 32", o.Stride)
	}
	if _, known := norms[o.Norm]; o.Norm != "" && !known {
		return o, fmt.Errorf("gen.options.norm = %q: allowed are %s", o.Norm, strings.Join(slices.Sorted(maps.Keys(norms)), ", "))
	}
	return o, errors.Join(checkMaps(o.Scales, o.Threshold, o.Bucket, o.MaxSide, o.MaxShapes), o.cueOptions.check())
}

// groups are the ImageNet classes of each class of the dataset, background not
// counted.
func (o imageNetOptions) groups(classes data.Classes) ([][]int, error) {
	for name := range o.Map {
		if classes.Index(name) < 1 {
			return nil, fmt.Errorf("gen.options.map: %q is no class of the dataset; allowed are %s", name, strings.Join(classes.Names[1:], ", "))
		}
	}
	groups := make([][]int, classes.Len()-1)
	for i, name := range classes.Names[1:] {
		var err error
		if words, given := o.Map[name]; given {
			if groups[i], err = imagenet.Resolve(words); err != nil {
				return nil, fmt.Errorf("gen.options.map: %s: %w", name, err)
			}
			continue
		}
		if groups[i], err = imagenet.Meaning(name); err != nil {
			if groups[i], err = imagenet.Meaning(openimages.Word(name)); err != nil {
				return nil, fmt.Errorf("class %w; say by gen.options.map.%s which of its classes stand for it, [] for none", err, name)
			}
		}
	}
	return groups, nil
}

// imageNet makes maps of an ImageNet classifier. It is safe for concurrent use.
type imageNet struct {
	opts   imageNetOptions
	net    *imagenet.Classifier
	groups [][]int
	hashes map[string]string
	cue    *cue
}

var _ source.Scorer = (*imageNet)(nil)

func newImageNet(env gen.Env, o imageNetOptions) (_ gen.Method, err error) {
	if o.Save != "" && len(env.Gen.Checks) > 0 {
		return nil, errors.New("gen.options.save: not with gen.checks, which make scores of changed images, too")
	}
	m := &imageNet{opts: o}
	if m.groups, err = o.groups(env.Classes); err != nil {
		return nil, err
	}
	path, err := manifest.InitialWeights(context.Background(), o.Classifier)
	if err != nil {
		return nil, fmt.Errorf("gen.options.classifier: %w", err)
	}
	opts := imagenet.Options{Stride: o.Stride, Scales: o.Scales, Flip: o.Flip, Bucket: o.Bucket, MaxSide: o.MaxSide, Shapes: o.MaxShapes}
	opts.Norm = norms[o.Norm]
	if m.net, err = imagenet.Open(env.Backend, path, opts); err != nil {
		return nil, fmt.Errorf("gen.options.classifier: %w", err)
	}
	sum, err := files.SHA256(path)
	if err != nil {
		return nil, err
	}
	m.hashes = map[string]string{filepath.Base(path): sum}
	m.cue, err = o.open(env, m.hashes)
	return m, err
}

// Weights maps the files that the masks depend on to their SHA-256.
func (m *imageNet) Weights() map[string]string { return m.hashes }

// Rule is a constant background.
func (m *imageNet) Rule() source.ScoreOptions {
	return source.ScoreOptions{Background: "constant", Threshold: &m.opts.Threshold}
}

// Scores are the maps of the image's tags, each at most 1, at the size of the
// image; they are saved where the options say so. A tag that ImageNet has no
// class for has an empty map.
func (m *imageNet) Scores(ctx context.Context, s *data.Sample) (*source.Scores, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, errors.New("imagenet-cam needs the image, and it has no pixels")
	}
	tags, err := source.Tags(s, len(m.groups))
	if err != nil || len(tags) == 0 {
		return &source.Scores{Classes: tags}, err
	}
	groups := make([][]int, len(tags))
	for i, tag := range tags {
		groups[i] = m.groups[tag-1]
	}
	stop := stages.Start(ctx, stages.Embed)
	maps, err := m.net.Maps(ctx, imageproc.FromImage(s.Image), groups, m.opts.Temperature)
	stop()
	if err != nil {
		return nil, err
	}
	size := s.Image.Rect.Size()
	scores := sumMaps(maps, tags, size.X, size.Y)
	if m.opts.Save != "" {
		if err := source.Save(m.opts.Save, s.ID, scores, sumMaps(maps, tags, up(size.X, smallStride), up(size.Y, smallStride))); err != nil {
			return nil, err
		}
	}
	return m.cue.add(ctx, s, scores, m.opts.Threshold)
}

// sumMaps resizes the maps of every scale to w×h, sums them, and divides each class
// by its maximum.
func sumMaps(maps [][]*imagenet.Map, tags []int, w, h int) *source.Scores {
	out := &source.Scores{W: w, H: h, Classes: tags}
	for t := range tags {
		sum := make([]float32, w*h)
		for _, m := range maps[t] {
			for i, v := range source.Bilinear(m.Values, m.W, m.H, w, h, float64(m.W)/float64(w), float64(m.H)/float64(h)) {
				sum[i] += v
			}
		}
		out.Maps = append(out.Maps, sum)
	}
	out.Normalise("max")
	return out
}

// Generate returns one mask per class that exceeds the background somewhere.
func (m *imageNet) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	return source.Masks(ctx, m, s, "imagenet-cam")
}
