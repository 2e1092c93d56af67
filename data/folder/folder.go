// Package folder is the dataset of one's own images: a folder of photos (see names.Formats)
// in any subfolders, optional PNG masks beside them, cheap labels in CSV
// or JSON, and lists of ids for the splits. docs/folder.md shows the layout.
//
//	root/images/a/b.jpg     sample "a/b": the path without extension
//	root/masks/a/b.png      its mask, indexed, greyscale or RGB PNG, 255 = void
//	root/classes.txt        one name per line, background first
//	root/labels.csv         tags, points, scribbles, boxes; see ParseCSV
//	root/splits/train.txt   one id per line
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/maskcode"
	"wsss/data/names"
)

// Kind is the dataset's name in a config: data.kind = "folder".
const Kind = "folder"

func init() {
	data.Register(Kind, func(o data.Options) (data.Dataset, error) {
		var opts Options
		if err := configs.Decode("data.options", o.Extra, &opts); err != nil {
			return nil, err
		}
		return Open(o.Root, opts, o.Seed)
	})
}

// Options says where things lie below the root; every key may be left out.
type Options struct {
	maskcode.Options
	Images      string   `toml:"images"`       // folder of images; default "images", else the root itself
	Masks       string   `toml:"masks"`        // folder of masks; default "masks" where it exists
	Classes     string   `toml:"classes"`      // file of class names; default "classes.txt"
	Names       []string `toml:"names"`        // class names, background first, in place of the file
	Labels      []string `toml:"labels"`       // label files; default: those of labelFiles that exist
	Splits      string   `toml:"splits"`       // folder of split lists; default "splits" where it exists
	ValFraction float64  `toml:"val_fraction"` // in (0, 1): a seeded split into train and val
	SkipUnknown bool     `toml:"skip_unknown"` // skip labels of images that are not there; else they are an error
	Encoding    string   `toml:"encoding"`     // of the label files: "latin1", "gbk", …; default: found out
	Format      string   `toml:"format"`       // of the annotations, see package annotation; default: what is found
	Tags        string   `toml:"tags"`         // "masks" draws the image tags from the masks; default: from the label files
	Points      string   `toml:"points"`       // "masks", likewise
	Scribbles   string   `toml:"scribbles"`    // "masks", likewise
	Boxes       string   `toml:"boxes"`        // "masks", likewise
}

// labelFiles are read, in this order, where Options.Labels is empty.
var labelFiles = []string{"labels.csv", "labels.json", "tags.csv", "points.csv", "scribbles.csv", "boxes.csv"}

// SplitAll is the split that holds every image.
const SplitAll = "all"

// SplitRest is the split of the images that are in no other, where there are
// both.
const SplitRest = "rest"

// Dataset is an opened folder. It implements data.Dataset.
type Dataset struct {
	root     string
	images   map[string]string // id → path of the image
	masks    string            // folder, "" where there are no masks
	beside   map[string]string // masks that lie beside their images: id → path
	coding   data.MaskCoding
	finder   names.Finder
	aliases  func() map[string]string // other ways to write an image's id → id, "" where several images are meant
	imageDir string
	faults   []data.Fault // boxes that cover nothing, which are left out
	flat     bool         // labels lie in the root itself, not below
	classes  data.Classes
	labels   map[string]*data.WeakLabels
	other    map[string]int // labels of classes outside data.options.names, which are left out, by name
	splits   map[string][]string
	notes    *annotation.Set // what a labelling tool wrote; nil where the labels are wsss' own
	derived  []data.WeakKind
	seed     int64
}

// Open lists the images below root and reads every list and label file, so
// that a wrong one is found before any work starts. seed draws the split of
// Options.ValFraction. Errors name the file, the line, the value and what is
// allowed.
func Open(root string, opts Options, seed int64) (*Dataset, error) {
	if root == "" {
		return nil, errors.New("data.root is empty: name the folder that holds the images")
	}
	d := &Dataset{root: root, seed: seed}
	var err error
	if d.derived, err = opts.check(); err != nil {
		return nil, err
	}
	if d.imageDir, err = d.folder("images", opts.Images, d.first("images", "JPEGImages"), true); err != nil {
		return nil, err
	}
	if d.masks, err = d.folder("masks", opts.Masks, d.first("masks", "SegmentationClass"), false); err != nil {
		return nil, err
	}
	if d.images, err = listImages(d.imageDir, d.masks); err != nil {
		return nil, err
	}
	if d.masks == "" {
		d.beside = takeMasks(d.images)
	}
	d.aliases = sync.OnceValue(d.findAliases)
	if d.notes, err = d.readAnnotations(opts); err != nil {
		return nil, err
	}
	if d.classes, err = d.readClasses(opts); err != nil {
		return nil, err
	}
	if d.coding, err = opts.Coding(root, d.classes); err != nil {
		return nil, err
	}
	if err := d.readSplits(opts, seed); err != nil {
		return nil, err
	}
	if d.notes != nil {
		d.labels, err = d.annotatedLabels()
		return d, err
	}
	return d, d.readLabels(opts)
}

// first is the first of the names that is a folder below the root.
func (d *Dataset) first(names ...string) string {
	for _, name := range names {
		if info, err := files.Stat(filepath.Join(d.root, name)); err == nil && info.IsDir() {
			return name
		}
	}
	return names[0]
}

// folder resolves a folder's option: the named one must exist, the default
// one may be absent, where orRoot makes the root stand for it.
func (d *Dataset) folder(key, name, byDefault string, orRoot bool) (string, error) {
	chosen := name
	if chosen == "" {
		chosen = byDefault
	}
	path, err := files.Join(d.root, chosen)
	if err != nil {
		return "", configs.KeyErrorf("data.options.%s: %w", key, err)
	}
	info, err := files.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return path, nil
	case name == "" && orRoot:
		return d.root, nil
	case name == "":
		return "", nil
	case err == nil:
		return "", configs.KeyErrorf("data.options.%s = %q: %s is a file, allowed is a folder", key, name, path)
	}
	return "", fmt.Errorf("data.options.%s = %q: %w", key, name, err)
}

// readLabels merges all label files.
func (d *Dataset) readLabels(opts Options) error {
	d.labels = map[string]*data.WeakLabels{}
	from := origin{}
	names := opts.Labels
	if len(names) == 0 {
		names = labelFiles
	}
	for _, name := range names {
		path, err := files.Join(d.root, name)
		if err != nil {
			return configs.KeyErrorf("data.options.labels: %w", err)
		}
		if _, err := files.Stat(path); errors.Is(err, fs.ErrNotExist) && len(opts.Labels) == 0 {
			continue
		}
		part := sink{labels: map[string]*data.WeakLabels{}, classes: d.classes, known: d.isImage, skip: opts.SkipUnknown, encoding: opts.Encoding, resolve: d.resolve, flat: &[]string{}}
		if len(opts.Names) > 0 { // they may be some of those in the files
			if d.other == nil {
				d.other = map[string]int{}
			}
			part.other = d.other
		}
		if err := readLabelFile(path, part); err != nil {
			return err
		}
		d.faults = append(d.faults, flatFaults(path, *part.flat)...)
		for _, w := range part.labels {
			dropLeftOut(w)
		}
		if err := from.merge(d.labels, part.labels, path); err != nil {
			return err
		}
	}
	for _, w := range d.labels {
		finish(w)
	}
	return nil
}

// Name is "folder".
func (d *Dataset) Name() string { return Kind }

// Classes is the class table.
func (d *Dataset) Classes() data.Classes { return d.classes }

// Splits lists the split lists, train and val where val_fraction makes them,
// and "all".
func (d *Dataset) Splits() []string {
	return slices.Sorted(maps.Keys(d.splits))
}

// IDs lists a split: in the order of its list, or ascending.
func (d *Dataset) IDs(split string) ([]string, error) {
	ids, ok := d.splits[split]
	if !ok {
		return nil, &data.SplitError{Split: split, Root: d.root, Allowed: d.Splits(), Note: "a split is a list " + filepath.Join("splits", split+".txt")}
	}
	return slices.Clone(ids), nil
}

// WeakSource says why the folder has no labels of a kind; nil where an image
// has them.
func (d *Dataset) WeakSource(kind data.WeakKind) error {
	for _, w := range d.labels {
		if kind == data.WeakTags && w.Tags != nil || kind == data.WeakPoints && w.Points != nil ||
			kind == data.WeakScribbles && w.Scribbles != nil || kind == data.WeakBoxes && w.Boxes != nil {
			return nil
		}
	}
	if kind == data.WeakNone || slices.Contains(d.derived, kind) {
		return nil
	}
	return fmt.Errorf("%s has no %s: write them to %s, draw them by wsss review, or from masks: wsss data weaken -kind folder -root %s -kinds %s -out %s",
		d.root, kind, filepath.Join(d.root, string(kind)+".csv"), d.root, kind, d.root)
}

// ImagePath is the image file of a sample, "" for an unknown id.
func (d *Dataset) ImagePath(id string) string { return d.images[id] }

// Load reads the wanted parts of a sample. Weak labels are as the files give
// them, also where they lie outside the image; package validate finds those.
func (d *Dataset) Load(id string, want data.Want) (*data.Sample, error) {
	path, ok := d.images[id]
	if !ok {
		return nil, fmt.Errorf("%s: no image %q", d.root, id)
	}
	s := &data.Sample{ID: id}
	var err error
	if want&data.WantImage != 0 {
		if s.Image, err = data.ReadImage(path); err != nil {
			return nil, err
		}
	}
	if want&data.WantTruth != 0 {
		if s.Truth, err = d.truth(id); err != nil {
			return nil, err
		}
	}
	if want&data.WantWeak != 0 {
		if w := d.labels[id]; w != nil {
			s.Weak = clone(w)
		}
		err = d.derive(s)
	}
	return s, err
}

// clone copies the lists, so that no caller can change the dataset's.
func clone(w *data.WeakLabels) data.WeakLabels {
	out := data.WeakLabels{
		Tags: slices.Clone(w.Tags), Points: slices.Clone(w.Points), Boxes: slices.Clone(w.Boxes),
		Scribbles: slices.Clone(w.Scribbles),
	}
	for i := range out.Scribbles {
		out.Scribbles[i].Points = slices.Clone(out.Scribbles[i].Points)
	}
	return out
}
