// Package coco opens COCO 2014 and 2017, and data annotated in the same form,
// as dataset kind "coco" (docs/sources.md §9): images, instances JSON (polygons, run
// lengths, crowds, boxes), prepared PNG masks and the split lists of the WSSS
// literature, in its convention of 81 classes. Opening reads no annotation;
// an instances file is scanned once, at the first use of its split.
package coco

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"wsss/configs"
	"wsss/data"
	"wsss/data/weak"
)

func init() {
	data.Register("coco", func(opts data.Options) (data.Dataset, error) {
		var cfg Config
		if err := configs.Decode("data.options", opts.Extra, &cfg); err != nil {
			return nil, err
		}
		return Open(opts.Root, opts.Seed, cfg)
	})
}

// Config is the table [data.options] of kind "coco". Paths are relative to
// data.root, or absolute.
type Config struct {
	weak.Sources
	Images      string   `toml:"images"`      // folder of the images or of the split folders; "" looks in the root, images and JPEGImages
	Masks       string   `toml:"masks"`       // folder of PNG masks; "" paints the annotations
	Lists       string   `toml:"lists"`       // folder of <split>.txt, looked in before the annotations
	Crowd       Crowd    `toml:"crowd"`       // "skip" (default) or "void": what crowds become in painted masks
	Unannotated bool     `toml:"unannotated"` // keep images without any annotation in the splits of instances files
	Classes     []string `toml:"classes"`     // class names without background; default: COCO's
}

// photoDirs are the folders that COCO's archives unpack to.
var photoDirs = []string{"train2014", "val2014", "train2017", "val2017"}

const annotationDir = "annotations"

// part is one instances file, scanned at the first use.
type part struct {
	name string // "train2014"
	scan func() (*index, error)
	used atomic.Bool // scanned, and in memory
}

func (p *part) index() (*index, error) {
	x, err := p.scan()
	if err == nil {
		p.used.Store(true)
	}
	return x, err
}

// Dataset reads a COCO folder. It implements data.Dataset.
type Dataset struct {
	root    string
	cfg     Config
	classes data.Classes
	parts   []*part
	lists   string   // folder of split lists, or ""
	images  []string // folders of images, first choice first
	masks   []string // folders of PNG masks; none: paint the annotations
	weak    *weak.Loader
}

const howToGet = "COCO comes as train2014.zip, val2014.zip and annotations_trainval2014.zip (or 2017) from https://cocodataset.org/#download; unpack them in one folder and set data.root to it"

// Open opens a folder. It checks the layout and the options.
func Open(root string, seed int64, cfg Config) (*Dataset, error) {
	if root == "" {
		return nil, errors.New("data.root is empty: " + howToGet)
	}
	if cfg.Crowd == "" {
		cfg.Crowd = CrowdSkip
	}
	if cfg.Crowd != CrowdSkip && cfg.Crowd != CrowdVoid {
		return nil, fmt.Errorf("data.options.crowd = %q: allowed are %q and %q", cfg.Crowd, CrowdSkip, CrowdVoid)
	}
	if len(cfg.Classes) == 0 {
		cfg.Classes = ClassNames
	}
	if len(cfg.Classes) >= data.MaxClasses {
		return nil, fmt.Errorf("data.options.classes names %d classes: at most %d are allowed", len(cfg.Classes), data.MaxClasses-1)
	}
	d := &Dataset{root: root, cfg: cfg}
	d.classes.Names = append([]string{"background"}, cfg.Classes...)
	if err := d.findParts(); err != nil {
		return nil, err
	}
	if err := d.findFolders(); err != nil {
		return nil, err
	}
	if len(d.parts) == 0 && d.lists == "" {
		return nil, fmt.Errorf("no %s/instances_*.json, and no data.options.lists: %s", annotationDir, howToGet)
	}
	env := weak.Env{
		Root: root, Classes: d.classes, Seed: seed, Own: "instances",
		Truth: d.truth, Image: d.ImagePath, ID: imageNumber,
	}
	if len(d.parts) > 0 {
		env.ReadOwn = d.readOwn
	}
	var err error
	d.weak, err = cfg.Sources.Open(env)
	return d, err
}

func (d *Dataset) findParts() error {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(d.root), annotationDir, "instances_*.json"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "instances_"), ".json")
		p := &part{name: name, scan: sync.OnceValues(func() (*index, error) { return readIndex(path, d.classes) })}
		d.parts = append(d.parts, p)
	}
	return nil
}

// escapeGlob lets a path with pattern signs stand for itself.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func (d *Dataset) findFolders() error {
	names := slices.Clone(photoDirs)
	for _, p := range d.parts {
		if !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	bases := []string{d.root, filepath.Join(d.root, "images"), filepath.Join(d.root, "JPEGImages")}
	if d.cfg.Images != "" {
		dir, err := weak.Folder("images", d.root, d.cfg.Images)
		if err != nil {
			return err
		}
		bases = []string{dir}
	}
	d.images = withSubfolders(bases, names)
	if d.cfg.Masks != "" {
		dir, err := weak.Folder("masks", d.root, d.cfg.Masks)
		if err != nil {
			return err
		}
		d.masks = withSubfolders([]string{dir}, names)
	}
	if d.cfg.Lists != "" {
		dir, err := weak.Folder("lists", d.root, d.cfg.Lists)
		if err != nil {
			return err
		}
		d.lists = dir
	}
	return nil
}

// withSubfolders lists the named folders below the bases that exist, then the
// bases themselves.
func withSubfolders(bases, names []string) []string {
	var dirs []string
	for _, base := range bases {
		for _, name := range names {
			if dir := filepath.Join(base, name); isDir(dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return append(dirs, bases...)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Name is "coco".
func (d *Dataset) Name() string { return "coco" }

// Classes is the background and COCO's eighty classes, or the configured ones.
func (d *Dataset) Classes() data.Classes { return d.classes }

// WeakSource says why the dataset has no labels of a kind; nil where it has.
func (d *Dataset) WeakSource(kind data.WeakKind) error { return d.weak.Available(kind) }

// Splits lists the names of the lists and of the instances files.
func (d *Dataset) Splits() []string {
	var names []string
	if d.lists != "" {
		names = weak.SplitNames(d.lists)
	}
	for _, p := range d.parts {
		names = append(names, p.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// IDs lists a split: the rows of a list, or the images of an instances file in
// its order, by default those with an annotation (82,081 and 40,137 of COCO
// 2014). An id is the name of the image file without extension.
func (d *Dataset) IDs(split string) ([]string, error) {
	if d.lists != "" && slices.Contains(weak.SplitNames(d.lists), split) {
		rows, err := weak.ReadList(filepath.Join(d.lists, split+".txt"), d.classes.Len())
		if err != nil {
			return nil, err
		}
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		return ids, nil
	}
	for _, p := range d.parts {
		if p.name != split {
			continue
		}
		x, err := p.index()
		if err != nil {
			return nil, err
		}
		ids := make([]string, 0, len(x.photos))
		for i, photo := range x.photos {
			if d.cfg.Unannotated || len(x.of(int32(i))) > 0 {
				ids = append(ids, photo.name)
			}
		}
		if n := len(x.photos); len(ids) == 0 && n > 0 {
			return nil, fmt.Errorf("split %q: none of its %d images has an annotation, and such images count only with data.options.unannotated = true", split, n)
		}
		return ids, nil
	}
	return nil, fmt.Errorf("split %q is unknown: allowed are %s", split, strings.Join(d.Splits(), ", "))
}
