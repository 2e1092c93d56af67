package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/folder"
	"wsss/eval/zeroshot"
	"wsss/gen"
	"wsss/models"
	"wsss/models/backend"
)

// withMethod says how photos are labelled without a trained network.
type withMethod struct {
	outlines *outlines
	method   string
	weak     string // "" = the form that says most, of those that the labels have
	labels   string // file or folder; "" = those beside the photos
	classes  string
	set      list
}

// methodOnly and networkOnly are flags of one of the two ways to label.
var (
	methodOnly  = []string{"weak", "labels", "classes", "set"}
	networkOnly = []string{"scales", "flip", "tile", "max-side", "bucket", "crf"}
)

// rulesOf are the overlap rules that suit methods; of the others, the default.
var rulesOf = map[string]string{"grabcut": "smaller-first", "grounded-sam": "class-index"}

// config is the stage one that the flags describe.
func (m withMethod) config() (configs.Config, error) {
	keys := []string{"gen.method=" + m.method, "gen.weak=" + cmp.Or(m.weak, string(data.WeakNone))}
	if rule := rulesOf[m.method]; rule != "" {
		keys = append(keys, "gen.fuse.rule="+rule)
	}
	for _, s := range m.set {
		key, _, _ := strings.Cut(s, "=")
		key = strings.TrimSpace(key)
		if key == "gen.method" || key == "gen.weak" || key != "seed" && !strings.HasPrefix(key, "gen.") {
			return configs.Config{}, pipeline.Usagef("predict: -set %s: allowed are seed and keys of [gen] such as gen.options.…, gen.fuse.…; -method and -weak choose these two", s)
		}
		keys = append(keys, s)
	}
	if _, err := gen.Lookup(m.method); err != nil {
		return configs.Config{}, pipeline.Usagef("predict: -method %s: allowed are %s", m.method, strings.Join(gen.Methods(), ", "))
	}
	if m.weak != "" && !slices.Contains(data.WeakKinds, data.WeakKind(m.weak)) {
		return configs.Config{}, pipeline.Usagef("predict: -weak %s: allowed are %v", m.weak, data.WeakKinds)
	}
	cfg, err := configs.Load("", keys)
	if err != nil {
		return cfg, pipeline.Usagef("predict: %s", strings.TrimPrefix(err.Error(), "defaults: "))
	}
	return cfg, nil
}

// open opens the photos with what labels they have, and chooses the form that
// the method works from. The photos of a folder with labels are those of the
// dataset: its masks are none.
func (m withMethod) open(args []string) (ds *folder.Dataset, weak data.WeakKind, images []input, err error) {
	spec, err := gen.Lookup(m.method)
	if err != nil {
		return nil, "", nil, err
	}
	opts := folder.Options{SkipUnknown: true}
	names, err := splitClasses(m.classes)
	if err != nil {
		return nil, "", nil, err
	}
	if len(names) > 0 {
		opts.Names = append([]string{"background"}, names...)
	}
	weak = data.WeakKind(m.weak)
	takesNone := slices.Contains(spec.Weak, data.WeakNone)
	if weak == "" && m.labels == "" && takesNone {
		weak = data.WeakNone
	}
	switch {
	case weak == data.WeakNone && m.labels != "":
		return nil, "", nil, pipeline.Usagef("predict: -labels %s with -weak none, which reads no labels: leave one of the two out", m.labels)
	case weak == data.WeakNone && len(names) == 0:
		return nil, "", nil, pipeline.Usagef("predict: -classes is missing: %s finds the classes by their names, as in -classes \"cat,dog\"", m.method)
	case weak == data.WeakNone || m.labels != "":
		if images, err = listImages(args); err == nil {
			ds, err = m.openPhotos(images, opts)
		}
	default:
		images, ds, err = m.openFolder(args, opts)
	}
	if err != nil {
		return nil, "", nil, err
	}
	if weak == "" {
		weak, err = m.best(ds, spec)
	} else if weak != data.WeakNone {
		if lack := data.CheckWeak(ds, weak); lack != nil {
			err = pipeline.Usagef("predict: -weak %s: %w", weak, lack)
		}
	}
	return ds, weak, images, err
}

// openPhotos opens photos with the labels of -labels.
func (m withMethod) openPhotos(images []input, opts folder.Options) (*folder.Dataset, error) {
	byID := make(map[string]string, len(images))
	for _, in := range images {
		byID[in.id] = in.path
	}
	ds, err := folder.OpenPhotos(byID, m.labels, opts)
	if err != nil && m.labels != "" {
		return nil, pipeline.Usagef("predict: -labels %s: %w", m.labels, err)
	} else if err != nil {
		return nil, pipeline.Usagef("predict: -classes: %w", err)
	}
	return ds, nil
}

// openFolder opens a folder of photos with the labels that are found there.
func (m withMethod) openFolder(args []string, opts folder.Options) ([]input, *folder.Dataset, error) {
	info, err := os.Stat(args[0])
	if len(args) > 1 || err != nil || !info.IsDir() {
		return nil, nil, pipeline.Usagef("predict: -labels is missing: %s works from labels; name their file or folder, or one folder that holds photos and labels", m.method)
	}
	ds, err := folder.Open(args[0], opts, 1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, pipeline.Usagef("predict: %s holds no labels that are read (%s): -labels names a file or folder elsewhere", args[0], strings.Join(annotation.Names(), ", "))
	}
	if err != nil {
		return nil, nil, pipeline.Usagef("predict: labels in %s: %w; -labels names a file or folder elsewhere", args[0], err)
	}
	ids, err := ds.IDs(folder.SplitAll)
	if err != nil {
		return nil, nil, err
	}
	images := make([]input, len(ids))
	for i, id := range ids {
		images[i] = input{path: ds.ImagePath(id), id: id}
	}
	return images, ds, nil
}

// best is the form of labels that says most, of those that the dataset has and
// the method takes.
func (m withMethod) best(ds *folder.Dataset, spec gen.Spec) (data.WeakKind, error) {
	for _, kind := range slices.Backward(data.WeakKinds) {
		if kind != data.WeakNone && slices.Contains(spec.Weak, kind) && ds.WeakSource(kind) == nil {
			return kind, nil
		}
	}
	where := m.labels
	if where == "" {
		where = "the folder"
	}
	return "", pipeline.Usagef("predict: %s holds no labels of these photos that %s takes: %v", where, m.method, spec.Weak)
}

// run labels photos by a method instead of a network.
func (m withMethod) run(ctx context.Context, p *pipeline.Run, args []string, out, formats string) error {
	engine := p.Config.Backend
	var err error
	if p.Config, err = m.config(); err != nil {
		return err
	}
	p.Config.Backend = engine
	ds, weak, images, err := m.open(args)
	if err != nil {
		return err
	}
	if err := keepPhotos(images, out, formats); err != nil {
		return err
	}
	p.Config.Gen.Weak, p.Dataset = string(weak), ds
	p.Config.Data.Kind = folder.Kind
	l := pipeline.Labeller{Gen: p.Config.Gen}
	if err := p.CanLabel(); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	method, err := p.Method(l)
	if err != nil {
		return err
	}
	fuser, err := gen.NewFuser(l.Fuse, ds.Classes())
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	workers := cmp.Or(l.Workers, runtime.GOMAXPROCS(0))
	work := labelling{images: images, outlines: m.outlines, slots: make(chan struct{}, 1+workers), refining: make(chan struct{}, workers), weak: weak}
	work.labels = func(in input) ([]byte, error) {
		s, err := ds.Load(in.id, data.WantWeak)
		if err != nil {
			return nil, err
		}
		return json.Marshal(s.Weak)
	}
	work.of = func(in input, size image.Point) (models.Predictor, error) {
		zero := zeroshot.Predictor{Method: method, Fuser: fuser, ID: in.id}
		if weak == data.WeakNone {
			return later{zero}, nil
		}
		s, err := ds.Load(in.id, data.WantWeak)
		if err == nil {
			zero.Weak, err = s.Weak, s.Weak.CheckBoxes(size, ds.Classes())
		}
		return later{zero}, err
	}
	if p.Backend != nil && backend.KindOf(p.Backend) == backend.XLA {
		work.images = byShape(sizes{}, images, 0)
	}
	about := []any{p.Config.Gen, p.Config.Seed, gen.WeightsOf(method)}
	if p.Backend != nil {
		about = append(about, p.Backend.Name())
	}
	return labelFiles(ctx, p, fmt.Sprintf("predict %s from %s", m.method, weak), &work, ds.Classes(), out, strings.Split(formats, ","), about)
}

// later is a method on its photo, all of whose work may go on beside that on
// other photos.
type later struct{ zeroshot.Predictor }

func (l later) Begin(_ context.Context, img *image.NRGBA) (func(ctx context.Context) (*data.LabelMap, error), error) {
	return func(ctx context.Context) (*data.LabelMap, error) { return l.Predict(ctx, img) }, nil
}

// sizes is the shape of photos that are seen at their own size.
type sizes struct{}

func (sizes) Shape(size image.Point) image.Point { return size }
