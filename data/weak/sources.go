package weak

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/weaken"
)

// Values of a source beside a path.
const (
	FromNone  = "none"  // the form is not available
	FromMasks = "masks" // derived from the true masks with the run's seed
)

// Sources says where a dataset's weak labels come from: keys of
// [data.options]. A source is "none", "masks", the dataset's own annotations
// under their name ("xml" for VOC, "instances" for COCO; tags and boxes only)
// or a path, relative to data.root or absolute. Empty means the dataset's own
// annotations where it has them, else none.
type Sources struct {
	Tags         string `toml:"tags"`          // path: .npy, .txt or .csv, see ReadTags
	Points       string `toml:"points"`        // path: What's-the-Point JSON
	Scribbles    string `toml:"scribbles"`     // path: folder of ScribbleSup XML
	ScribbleBase Base   `toml:"scribble_base"` // 0, 1 or "auto"
	Boxes        string `toml:"boxes"`
}

// Env is what a Loader needs to know about its dataset.
type Env struct {
	Root    string
	Classes data.Classes
	Seed    int64
	// Own is the name of the dataset's own annotations; ReadOwn reads an
	// image's, and is nil where the folder has none.
	Own     string
	ReadOwn func(id string) (tags []int, boxes []data.Box, err error)
	// Truth reads an image's mask and, or nil, its map of instance numbers.
	Truth func(id string) (truth, instances *data.LabelMap, err error)
	Image func(id string) string // path of the image file
	// ID brings the names that label files use and sample ids to one form, by
	// which labels are looked up; nil leaves both as they are.
	ID func(name string) string
}

// Loader reads weak labels from the configured sources. Files that cover the
// whole dataset are read at the first use, once. It is safe for concurrent
// use.
type Loader struct {
	src    Sources
	env    Env
	tags   func() (map[string][]int, error)
	points func() (map[string][]data.Point, error)
	dir    string // of scribbles
	base   func() (int, error)
	names  map[string]int // scribble tag → class
}

// Open checks the sources without reading them.
func (s Sources) Open(env Env) (*Loader, error) {
	if env.ID == nil {
		env.ID = func(name string) string { return name }
	}
	for _, key := range []*string{&s.Tags, &s.Boxes} {
		if *key == "" && env.ReadOwn != nil {
			*key = env.Own
		}
	}
	for _, key := range []*string{&s.Tags, &s.Points, &s.Scribbles, &s.Boxes} {
		if *key == "" {
			*key = FromNone
		}
	}
	if (s.Tags == env.Own || s.Boxes == env.Own) && env.ReadOwn == nil {
		return nil, fmt.Errorf("data.options: a weak label is to come from %q, but the folder has no such annotations", env.Own)
	}
	if !s.builtin(s.Boxes, env.Own) {
		return nil, configs.KeyErrorf("data.options.boxes = %q: allowed are %q, %q and %q", s.Boxes, env.Own, FromMasks, FromNone)
	}
	l := &Loader{src: s, env: env, names: map[string]int{}}
	for c, name := range env.Classes.Names {
		l.names[name] = c
	}
	l.names["background"] = 0
	if !s.builtin(s.Tags, env.Own) {
		path, err := locate("tags", env.Root, s.Tags)
		if err != nil {
			return nil, err
		}
		l.tags = sync.OnceValues(func() (map[string][]int, error) { return ReadTags(path, env.Classes, env.ID) })
	}
	if !s.builtin(s.Points, "") {
		path, err := locate("points", env.Root, s.Points)
		if err != nil {
			return nil, err
		}
		l.points = sync.OnceValues(func() (map[string][]data.Point, error) { return l.readPoints(path) })
	}
	if !s.builtin(s.Scribbles, "") {
		var err error
		if l.dir, err = locate("scribbles", env.Root, s.Scribbles); err != nil {
			return nil, err
		}
		l.base = sync.OnceValues(func() (int, error) { return s.ScribbleBase.resolve(l.dir) })
	}
	return l, nil
}

func (s Sources) builtin(source, own string) bool {
	return source == FromNone || source == FromMasks || source == own
}

// locate resolves a path from the config and checks that it exists.
func locate(key, root, path string) (string, error) {
	full, err := Locate(root, path)
	if err == nil {
		_, err = files.Stat(full)
	}
	if err != nil {
		return "", fmt.Errorf("data.options.%s: %w", key, err)
	}
	return full, nil
}

// Locate resolves a path that a config names: relative ones lie below root,
// absolute ones are taken as they are.
func Locate(root, path string) (string, error) {
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	return files.Join(root, filepath.Clean(path))
}

func (l *Loader) readPoints(path string) (map[string][]data.Point, error) {
	points, err := ReadPoints(path, l.env.Classes.Len())
	if err != nil {
		return nil, err
	}
	return byID(points, l.env.ID), nil
}

// Available says why images have no labels of a kind; nil where the source is
// configured.
func (l *Loader) Available(kind data.WeakKind) error {
	src, allowed := "", ""
	switch kind {
	case data.WeakTags:
		src, allowed = l.src.Tags, fmt.Sprintf("%q, %q or a path of cls_labels.npy, a list or a CSV", l.env.Own, FromMasks)
	case data.WeakPoints:
		src, allowed = l.src.Points, fmt.Sprintf("%q or a path of a What's-the-Point JSON", FromMasks)
	case data.WeakScribbles:
		src, allowed = l.src.Scribbles, fmt.Sprintf("%q or a folder of ScribbleSup XML", FromMasks)
	case data.WeakBoxes:
		src, allowed = l.src.Boxes, fmt.Sprintf("%q or %q", l.env.Own, FromMasks)
	default:
		return nil
	}
	if src != FromNone {
		return nil
	}
	return fmt.Errorf("the dataset has no %s: set data.options.%s to %s", kind, kind, allowed)
}

// Load reads the weak labels of an image. Forms without a source, and images
// that their source does not cover, get a nil slice.
func (l *Loader) Load(id string) (data.WeakLabels, error) {
	w, err := l.derived(id)
	if err != nil {
		return w, err
	}
	if l.src.Tags == l.env.Own || l.src.Boxes == l.env.Own {
		tags, boxes, err := l.env.ReadOwn(id)
		if err != nil {
			return w, err
		}
		if l.src.Tags == l.env.Own {
			w.Tags = tags
		}
		if l.src.Boxes == l.env.Own {
			w.Boxes = boxes
		}
	}
	if l.tags != nil {
		all, err := l.tags()
		if err != nil {
			return w, err
		}
		if list, ok := all[key(l.env.ID(id))]; ok {
			w.Tags = append([]int{}, list...)
		}
	}
	if l.points != nil || l.base != nil {
		err = l.drawn(id, &w)
	}
	return w, err
}

// drawn reads points and scribbles, which must lie inside the image.
func (l *Loader) drawn(id string, w *data.WeakLabels) error {
	size, err := data.ImageSize(l.env.Image(id))
	if err != nil {
		return err
	}
	if l.points != nil {
		all, err := l.points()
		if err != nil {
			return err
		}
		if list, ok := all[key(l.env.ID(id))]; ok {
			w.Points, _ = PointsInside(list, size.X, size.Y)
		}
	}
	if l.base == nil {
		return nil
	}
	base, err := l.base()
	if err != nil {
		return err
	}
	path, err := files.Join(l.dir, id+".xml")
	if err != nil {
		return err
	}
	s, err := ReadScribbles(path, base, l.names)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.Clamp(size.X, size.Y)
	w.Scribbles = s.Lines
	return nil
}

// derived makes the forms whose source is the masks.
func (l *Loader) derived(id string) (data.WeakLabels, error) {
	var kinds []data.WeakKind
	for kind, src := range map[data.WeakKind]string{
		data.WeakTags: l.src.Tags, data.WeakPoints: l.src.Points, data.WeakScribbles: l.src.Scribbles, data.WeakBoxes: l.src.Boxes,
	} {
		if src == FromMasks {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		return data.WeakLabels{}, nil
	}
	truth, instances, err := l.env.Truth(id)
	if err != nil {
		return data.WeakLabels{}, err
	}
	seed := weaken.SeedFor(l.env.Seed, id)
	var w data.WeakLabels
	if instances != nil {
		w, err = weaken.FromInstances(truth, instances, kinds, seed, weaken.DefaultOptions())
	} else {
		w, err = weaken.Derive(truth, kinds, seed, weaken.DefaultOptions())
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", id, err)
	}
	return w, err
}

// Folder resolves the option [data.options] key that names a folder.
func Folder(key, root, path string) (string, error) {
	dir, err := Locate(root, path)
	if err != nil {
		return "", fmt.Errorf("data.options.%s: %w", key, err)
	}
	if info, err := files.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("data.options.%s: no folder %s", key, dir)
	}
	return dir, nil
}

// SplitNames lists the lists "<split>.txt" of a folder, sorted; none where the
// folder does not exist.
func SplitNames(dir string) []string {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".txt"); ok && !e.IsDir() {
			names = append(names, name)
		}
	}
	return names
}
