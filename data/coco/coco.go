// Package coco opens COCO 2014 and 2017, and data annotated in the same form,
// as dataset kind "coco" (docs/sources.md §9): images, instances JSON (polygons, run
// lengths, crowds, boxes), prepared PNG masks and the split lists of the WSSS
// literature, in its convention of 81 classes. Data with categories of its own
// takes the classes from its files. Opening COCO itself reads no annotation; an
// instances file is scanned once, at the first use of its split.
package coco

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"wsss/configs"
	"wsss/data"
	"wsss/data/maskcode"
	"wsss/data/names"
	"wsss/data/weak"
	"wsss/data/words"
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
	maskcode.Options
	Annotations []string `toml:"annotations"`  // instances files; default: those of the known layouts
	Images      string   `toml:"images"`       // folder of the images or of the split folders; "" looks in the root, images, JPEGImages and data
	Masks       string   `toml:"masks"`        // folder of PNG masks; "" paints the annotations
	Lists       string   `toml:"lists"`        // folder of <split>.txt, looked in before the annotations
	Crowd       Crowd    `toml:"crowd"`        // "skip" (default) or "void": what crowds become in painted masks
	Unannotated bool     `toml:"unannotated"`  // keep images without any annotation in the splits of instances files
	ValFraction float64  `toml:"val_fraction"` // in (0, 1): a seeded split of all images into train and val
	Classes     []string `toml:"classes"`      // class names without background; default: COCO's, or those of the files
	Others      Others   `toml:"others"`       // "error" (default) or "skip": what becomes of objects that are of no class
}

// Dataset reads a COCO folder. It implements data.Dataset.
type Dataset struct {
	root    string
	cfg     Config
	seed    int64
	classes data.Classes
	own     bool // the classes are not COCO's
	parts   []*part
	lists   string   // folder of split lists, or ""
	images  []string // folders of images, first choice first
	masks   []string // folders of PNG masks; none: paint the annotations
	coding  data.MaskCoding
	finder  names.Finder
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
		return nil, configs.KeyErrorf("data.options.crowd = %q: allowed are %q and %q", cfg.Crowd, CrowdSkip, CrowdVoid)
	}
	if cfg.Others = cmp.Or(cfg.Others, OthersError); cfg.Others != OthersError && cfg.Others != OthersSkip {
		return nil, configs.KeyErrorf("data.options.others = %q: allowed are %q and %q", cfg.Others, OthersError, OthersSkip)
	}
	if err := data.CheckFraction(cfg.ValFraction); err != nil {
		return nil, configs.KeyErrorf("data.options.%w", err)
	}
	d := &Dataset{root: root, cfg: cfg, seed: seed}
	if err := d.findParts(); err != nil {
		return nil, err
	}
	if err := d.findFolders(); err != nil {
		return nil, err
	}
	if len(d.parts) == 0 && d.lists == "" {
		return nil, fmt.Errorf("no %s/instances_*.json nor another annotation file of COCO's form (data.options.annotations names one), and no data.options.lists: %s", annotationDir, howToGet)
	}
	if err := d.readClasses(); err != nil {
		return nil, err
	}
	var err error
	if d.coding, err = cfg.Coding(root, d.classes); err != nil {
		return nil, err
	}
	env := weak.Env{
		Root: root, Classes: d.classes, Seed: seed, Own: "instances",
		Truth: d.truth, Image: d.ImagePath, ID: imageNumber,
	}
	if len(d.parts) > 0 {
		env.ReadOwn = d.readOwn
	}
	d.weak, err = cfg.Sources.Open(env)
	return d, err
}

// readClasses finds the class table: the configured one, COCO's where the files
// have COCO's categories, else the files' own, for which they are read.
func (d *Dataset) readClasses() error {
	d.classes.Names = append([]string{"background"}, ClassNames...)
	if len(d.cfg.Classes) >= data.MaxClasses {
		return configs.KeyErrorf("data.options.classes names %d classes: at most %d are allowed", len(d.cfg.Classes), data.MaxClasses-1)
	}
	if len(d.cfg.Classes) > 0 {
		d.classes.Names = append([]string{"background"}, d.cfg.Classes...)
		d.own = !slices.Equal(d.cfg.Classes, ClassNames)
		return nil
	}
	if !slices.ContainsFunc(d.parts, func(p *part) bool { return !areCOCO(peekCategories(p.path)) }) {
		return nil
	}
	var all []*index
	for _, p := range d.parts {
		x, err := p.read()
		if err != nil {
			return err
		}
		all = append(all, x)
	}
	if !slices.ContainsFunc(all, func(x *index) bool { return !areCOCO(x.categories) && len(x.categories)+len(x.raw) > 0 }) {
		return nil
	}
	var err error
	d.classes.Names, err = ownClasses(all)
	d.own = true
	return err
}

// Name is "coco".
func (d *Dataset) Name() string { return "coco" }

// Classes is the background and COCO's eighty classes, those of the files, or
// the configured ones.
func (d *Dataset) Classes() data.Classes { return d.classes }

// WeakSource says why the dataset has no labels of a kind; nil where it has.
func (d *Dataset) WeakSource(kind data.WeakKind) error { return d.weak.Available(kind) }

// Splits lists the names of the lists and of the instances files, and train,
// val and all where data.options.val_fraction makes them.
func (d *Dataset) Splits() []string {
	var names []string
	if d.lists != "" {
		names = weak.SplitNames(d.lists)
	}
	if d.cfg.ValFraction != 0 {
		names = append(names, "train", "val", splitAll)
	} else {
		for _, p := range d.parts {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// splitAll holds every image.
const splitAll = "all"

// IDs lists a split: the rows of a list, or the images of an instances file in
// its order, by default those with an annotation (82,081 and 40,137 of COCO
// 2014). An id is the path of the image file below the folder of images,
// without extension.
func (d *Dataset) IDs(split string) ([]string, error) {
	if d.lists != "" && slices.Contains(weak.SplitNames(d.lists), split) {
		return d.listed(filepath.Join(d.lists, split+".txt"))
	}
	if d.cfg.ValFraction != 0 && slices.Contains(d.Splits(), split) {
		return d.divided(split)
	}
	for _, p := range d.parts {
		if d.cfg.ValFraction == 0 && (p.name == split || p.folder == split && split != "") {
			return d.annotated(p)
		}
	}
	return nil, &data.SplitError{Split: split, Root: d.root, Allowed: d.Splits()}
}

// listed reads a list of images.
func (d *Dataset) listed(path string) ([]string, error) {
	return weak.ReadIDs(path, d.classes.Len(), func(id string) bool { return d.imageFile(id) != "" })
}

// annotated lists the images of an instances file.
func (d *Dataset) annotated(p *part) ([]string, error) {
	x, err := p.index()
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(x.photos))
	for i, photo := range x.photos {
		if d.cfg.Unannotated || len(x.of(int32(i))) > 0 {
			ids = append(ids, p.id(photo.name))
		}
	}
	if n := len(x.photos); len(ids) == 0 && n > 0 {
		return nil, fmt.Errorf("split %q: no annotation in %s, and images without one count only with data.options.unannotated = true", p.name, words.Plural(n, "image"))
	}
	return ids, nil
}

// divided makes train and val of all images.
func (d *Dataset) divided(split string) ([]string, error) {
	var all []string
	for _, p := range d.parts {
		ids, err := d.annotated(p)
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	train, val := data.Divide(all, d.cfg.ValFraction, d.seed)
	switch split {
	case splitAll:
		return all, nil
	case "val":
		return val, nil
	}
	return train, nil
}
