// Package scenes generates a segmentation dataset: textured scenes with one to
// four objects of up to ten classes that hide each other and reach over the
// border, with a void band along the outlines as VOC has. Nothing is
// downloaded, every picture follows from the seed and its id, and all forms of
// weak labels come with it. It is the dataset of the demo and the tests.
//
// The folder has the layout of VOC 2012: JPEGImages, SegmentationClass,
// SegmentationObject (instance numbers), Annotations (boxes of the visible
// part), ImageSets/Segmentation/{train,train_aug,val,trainval}.txt. Beside it
// lie scribbles/*.xml (ScribbleSup, 0-based), points.json (What's the Point),
// image_labels.csv and classes.txt (docs/sources.md §9).
package scenes

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/weak"
)

func init() {
	data.Register("scenes", func(opts data.Options) (data.Dataset, error) {
		cfg, err := configOf(opts)
		if err != nil {
			return nil, err
		}
		if opts.Root == "" {
			return nil, errors.New("data.root is empty: name the folder to generate the scenes in")
		}
		if err := files.Local("data.root", opts.Root, "scenes are generated into a folder, whose copy in object storage is of kind folder"); err != nil {
			return nil, err
		}
		if err := Write(context.Background(), opts.Root, cfg, nil); err != nil {
			return nil, err
		}
		return Open(opts.Root)
	})
}

// configOf is the table [data.options] of kind "scenes".
func configOf(opts data.Options) (Config, error) {
	cfg := DefaultConfig()
	cfg.Seed = opts.Seed
	if err := configs.Decode("data.options", opts.Extra, &cfg); err != nil {
		return cfg, err
	}
	if err := cfg.check(); err != nil {
		return cfg, configs.KeyErrorf("data.options.%w", err)
	}
	return cfg, nil
}

// Check looks at the table [data.options] and generates nothing.
func Check(opts data.Options) error {
	_, err := configOf(opts)
	return err
}

// Dataset reads a generated folder. It implements data.Dataset.
type Dataset struct {
	root       string
	cfg        Config
	classes    data.Classes
	train, val []string
	points     map[string][]data.Point
	tags       map[string][]int
	// classNumbers maps names to classes, background included.
	classNumbers map[string]int
}

// Open opens a folder that Write made.
func Open(root string) (*Dataset, error) {
	m, err := readManifest(root)
	if err != nil {
		return nil, fmt.Errorf("not a folder of generated scenes: %w", err)
	}
	if err := m.Config.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(root, manifestName), err)
	}
	d := &Dataset{root: root, cfg: m.Config}
	d.classes.Names = slices.Clone(m.Config.names())
	d.classNumbers = make(map[string]int, d.classes.Len())
	for i, name := range d.classes.Names {
		d.classNumbers[name] = i
	}
	d.train, d.val = ids(m.Config)
	if d.points, err = weak.ReadPoints(filepath.Join(root, "points.json"), d.classes.Len()); err != nil {
		return nil, err
	}
	d.tags, err = weak.ReadTags(filepath.Join(root, "image_labels.csv"), d.classes, nil)
	return d, err
}

// Name is "scenes".
func (d *Dataset) Name() string { return "scenes" }

// Config is what the folder was generated from.
func (d *Dataset) Config() Config { return d.cfg }

// Classes is the background and the first Config.Classes kinds of objects.
func (d *Dataset) Classes() data.Classes { return d.classes }

// Splits are train, train_aug (the same pictures), val and trainval.
func (d *Dataset) Splits() []string { return []string{"train", "train_aug", "val", "trainval"} }

// IDs lists a split's ids, ascending.
func (d *Dataset) IDs(split string) ([]string, error) {
	switch split {
	case "train", "train_aug":
		return slices.Clone(d.train), nil
	case "val":
		return slices.Clone(d.val), nil
	case "trainval":
		return slices.Concat(d.train, d.val), nil
	}
	return nil, &data.SplitError{Split: split, Root: d.root, Allowed: d.Splits()}
}

// ImagePath is the JPEG file of a picture.
func (d *Dataset) ImagePath(id string) string {
	return filepath.Join(d.root, "JPEGImages", id+".jpg")
}

// MaskPath is the PNG of a picture's true mask.
func (d *Dataset) MaskPath(id string) string {
	return filepath.Join(d.root, "SegmentationClass", id+".png")
}

// Load reads the wanted parts of a picture; all forms of weak labels exist.
func (d *Dataset) Load(id string, want data.Want) (*data.Sample, error) {
	if _, ok := d.points[id]; !ok {
		return nil, fmt.Errorf("%s: no picture %q", d.root, id)
	}
	return data.LoadParts(id, want, d.ImagePath, func(id string) (*data.LabelMap, error) { return data.ReadLabelMap(d.MaskPath(id)) }, d.weak)
}

func (d *Dataset) weak(id string) (data.WeakLabels, error) {
	w := data.WeakLabels{Tags: slices.Clone(d.tags[id]), Points: slices.Clone(d.points[id])}
	objects, err := weak.ReadVOCXML(filepath.Join(d.root, "Annotations", id+".xml"), d.classes)
	if err != nil {
		return w, err
	}
	w.Boxes = objects.Boxes
	lines, err := weak.ReadScribbles(filepath.Join(d.root, "scribbles", id+".xml"), 0, d.classNumbers)
	if err != nil {
		return w, err
	}
	w.Scribbles = lines.Lines
	return w, nil
}
