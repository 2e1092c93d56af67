package predict

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/folder"
	"wsss/data/names"
	"wsss/eval/zeroshot"
	"wsss/gen"
	"wsss/models"
	"wsss/models/backend"
)

// Method labels photos by a method of gen, without a trained network. What is
// wrong with it is told in the words of wsss predict's flags.
type Method struct {
	Name    string
	Weak    string   // form of the labels; "" = the one that says most, of those that the labels have
	Labels  string   // file or folder; "" = those beside the photos
	Classes string   // names separated by commas; "" = those that the labels name
	Set     []string // key=value of seed and [gen]
}

// rulesOf are the overlap rules that suit methods; of the others, the default.
var rulesOf = map[string]string{"grabcut": "smaller-first", "grounded-sam": "class-index"}

// config is the stage one that the flags describe.
func (m Method) config() (configs.Config, error) {
	keys := []string{"gen.method=" + m.Name, "gen.weak=" + cmp.Or(m.Weak, string(data.WeakNone))}
	if rule := rulesOf[m.Name]; rule != "" {
		keys = append(keys, "gen.fuse.rule="+rule)
	}
	for _, s := range m.Set {
		key, _, _ := strings.Cut(s, "=")
		key = strings.TrimSpace(key)
		if key == "gen.method" || key == "gen.weak" || key != "seed" && !strings.HasPrefix(key, "gen.") {
			return configs.Config{}, pipeline.Usagef("predict: -set %s: allowed are seed and keys of [gen] such as gen.options.…, gen.fuse.…; -method and -weak choose these two", s)
		}
		keys = append(keys, s)
	}
	spec, err := gen.Lookup(m.Name)
	if err != nil {
		return configs.Config{}, pipeline.Usagef("predict: -method %s: allowed are %s", m.Name, strings.Join(gen.Methods(), ", "))
	}
	allowed := data.WeakKinds
	if byExemplars(spec) {
		allowed = spec.Weak
	}
	if m.Weak != "" && !slices.Contains(allowed, data.WeakKind(m.Weak)) {
		return configs.Config{}, pipeline.Usagef("predict: -weak %s: allowed are %v", m.Weak, allowed)
	}
	cfg, err := configs.Load("", keys)
	if err != nil {
		return cfg, pipeline.Usagef("predict: %s", strings.TrimPrefix(err.Error(), "defaults: "))
	}
	return cfg, nil
}

// open opens the photos that args name with what labels they have, and chooses
// the form that the method works from. The photos of a folder with labels are those of the
// dataset: its masks are none.
func (m Method) open(args []string, list func(args []string) ([]Photo, error)) (ds *folder.Dataset, weak data.WeakKind, photos []Photo, err error) {
	spec, err := gen.Lookup(m.Name)
	if err != nil {
		return nil, "", nil, err
	}
	opts := folder.Options{SkipUnknown: true}
	names, err := pipeline.ParseClasses(m.Classes)
	if err != nil {
		return nil, "", nil, err
	}
	if len(names) > 0 {
		opts.Names = append([]string{"background"}, names...)
	}
	if byExemplars(spec) {
		ds, photos, err = m.openExemplars(args, opts, list)
		return ds, data.WeakExemplars, photos, err
	}
	weak = data.WeakKind(m.Weak)
	takesNone := slices.Contains(spec.Weak, data.WeakNone)
	if weak == "" && m.Labels == "" && takesNone {
		weak = data.WeakNone
	}
	switch {
	case weak == data.WeakNone && m.Labels != "":
		return nil, "", nil, pipeline.Usagef("predict: -labels %s with -weak none, which reads no labels: leave one of the two out", m.Labels)
	case weak == data.WeakNone && len(names) == 0:
		return nil, "", nil, pipeline.Usagef("predict: -classes is missing: %s finds the classes by their names, as in -classes \"cat,dog\"", m.Name)
	case weak == data.WeakNone || m.Labels != "":
		if photos, err = list(args); err == nil {
			ds, err = m.openPhotos(photos, opts)
		}
	default:
		photos, ds, err = m.openFolder(args, opts)
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
	return ds, weak, photos, err
}

// openPhotos opens photos with the labels of -labels.
func (m Method) openPhotos(photos []Photo, opts folder.Options) (*folder.Dataset, error) {
	byID := make(map[string]string, len(photos))
	for _, photo := range photos {
		byID[photo.ID] = photo.Path
	}
	ds, err := folder.OpenPhotos(byID, m.Labels, opts)
	if err != nil && m.Labels != "" {
		return nil, pipeline.Usagef("predict: -labels %s: %w", m.Labels, err)
	} else if err != nil {
		return nil, pipeline.Usagef("predict: -classes: %w", err)
	}
	return ds, nil
}

// openFolder opens a folder of photos with the labels that are found there.
func (m Method) openFolder(args []string, opts folder.Options) ([]Photo, *folder.Dataset, error) {
	info, err := files.Stat(args[0])
	if len(args) > 1 || err != nil || !info.IsDir() {
		return nil, nil, pipeline.Usagef("predict: -labels is missing: %s works from labels; name their file or folder, or one folder that holds photos and labels", m.Name)
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
	photos := make([]Photo, len(ids))
	for i, id := range ids {
		photos[i] = Photo{Path: ds.ImagePath(id), ID: id}
	}
	return photos, ds, nil
}

// best is the form of labels that says most, of those that the dataset has and
// the method takes.
func (m Method) best(ds *folder.Dataset, spec gen.Spec) (data.WeakKind, error) {
	for _, kind := range slices.Backward(data.WeakKinds) {
		if kind != data.WeakNone && slices.Contains(spec.Weak, kind) && ds.WeakSource(kind) == nil {
			return kind, nil
		}
	}
	where := m.Labels
	if where == "" {
		where = "the folder"
	}
	return "", pipeline.Usagef("predict: %s holds no labels of these photos that %s takes: %v", where, m.Name, spec.Weak)
}

// Label labels the photos that args name (see List, whose list it is given).
// A stopped call goes on where it was.
func (m Method) Label(ctx context.Context, run *pipeline.Run, args []string, list func(args []string) ([]Photo, error), o Output) error {
	engine := run.Config.Backend
	var err error
	if run.Config, err = m.config(); err != nil {
		return err
	}
	run.Config.Backend = engine
	ds, weak, photos, err := m.open(args, list)
	if err != nil {
		return err
	}
	if err := KeepPhotos(photos, o.Dir, o.Formats); err != nil {
		return err
	}
	run.Config.Gen.Weak, run.Dataset = string(weak), ds
	run.Config.Data.Kind = folder.Kind
	if err := run.CanLabel(); err != nil {
		return err
	}
	if err := names.MarkOutput(o.Dir); err != nil {
		return err
	}
	labeller := pipeline.Labeller{Gen: run.Config.Gen}
	method, err := run.Method(labeller)
	if err != nil {
		return err
	}
	fuser, err := gen.NewFuser(labeller.Fuse, ds.Classes())
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	workers := data.Workers(labeller.Workers)
	l := labelling{photos: photos, slots: make(chan struct{}, 1+workers), refining: make(chan struct{}, workers), weak: weak}
	shown := marked{ds, weak, zeroshot.Predictor{Method: method, Fuser: fuser}}
	l.labels, l.of = shown.labels, shown.of
	if run.Backend != nil && backend.KindOf(run.Backend) == backend.XLA {
		l.photos = byShape(ownSize{}, photos, 0)
	}
	about := []any{run.Config.Gen, run.Config.Seed, gen.WeightsOf(method)}
	if weak == data.WeakExemplars {
		learnt, err := learn(ctx, run, method, ds)
		if err != nil {
			return err
		}
		about = append(about, learnt)
	}
	if run.Backend != nil {
		about = append(about, run.Backend.Name())
	}
	return l.write(ctx, run, fmt.Sprintf("predict %s from %s", m.Name, weak), ds.Classes(), o, about)
}

// marked is a method on photos with weak labels of a kind.
type marked struct {
	ds     *folder.Dataset
	weak   data.WeakKind
	method zeroshot.Predictor
}

// labels identifies the weak labels of a photo.
func (m marked) labels(photo Photo) ([]byte, error) {
	s, err := m.ds.Load(photo.ID, data.WantWeak)
	if err != nil {
		return nil, err
	}
	return json.Marshal(s.Weak)
}

// of is the method on a photo of a size, with its labels.
func (m marked) of(photo Photo, size image.Point) (models.Predictor, error) {
	p := beside{m.method}
	p.ID = photo.ID
	if m.weak == data.WeakNone {
		return p, nil
	}
	if m.weak == data.WeakExemplars && m.ds.ImagePath(photo.ID) != photo.Path {
		return p, nil // another photo of the same name has the boxes
	}
	s, err := m.ds.Load(photo.ID, data.WantWeak)
	if err == nil {
		p.Weak, err = s.Weak, s.Weak.CheckBoxes(size, m.ds.Classes())
	}
	return p, err
}

// beside is a method on its photo, all of whose work may go on beside that on
// other photos.
type beside struct{ zeroshot.Predictor }

// Begin leaves all work for later.
func (b beside) Begin(_ context.Context, img *image.NRGBA) (func(ctx context.Context) (*data.LabelMap, error), error) {
	return func(ctx context.Context) (*data.LabelMap, error) { return b.Predict(ctx, img) }, nil
}

// ownSize is the shape of photos that are seen at their own size.
type ownSize struct{}

// Shape is the photo's size.
func (ownSize) Shape(size image.Point) image.Point { return size }
