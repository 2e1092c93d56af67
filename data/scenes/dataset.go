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
// image_labels.csv and classes.txt (METHODS §9).
package scenes

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/configs"
	"wsss/data"
)

func init() {
	data.Register("scenes", func(opts data.Options) (data.Dataset, error) {
		cfg := DefaultConfig()
		cfg.Seed = opts.Seed
		if err := configs.Decode("data.options", opts.Extra, &cfg); err != nil {
			return nil, err
		}
		if opts.Root == "" {
			return nil, errors.New("data.root is empty: name the folder to generate the scenes in")
		}
		if err := Write(context.Background(), opts.Root, cfg, nil); err != nil {
			return nil, err
		}
		return Open(opts.Root)
	})
}

// Dataset reads a generated folder. It implements data.Dataset.
type Dataset struct {
	root       string
	cfg        Config
	classes    data.Classes
	train, val []string
	points     map[string][]clickJSON
	tags       map[string][]int
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
	d.classes.Names = append([]string{"background"}, ClassNames()[:m.Config.Classes]...)
	d.train, d.val = ids(m.Config)
	raw, err := os.ReadFile(filepath.Join(root, "points.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &d.points); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(root, "points.json"), err)
	}
	d.tags, err = readTags(filepath.Join(root, "image_labels.csv"), d.classes)
	return d, err
}

func readTags(path string, classes data.Classes) (map[string][]int, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil || len(rows) == 0 || len(rows[0]) != 2 {
		return nil, fmt.Errorf("%s: not a table of image,tags: %w", path, err)
	}
	tags := make(map[string][]int, len(rows))
	for _, row := range rows[1:] {
		list := []int{}
		for name := range strings.SplitSeq(row[1], ";") {
			if c := classes.Index(name); c > 0 {
				list = append(list, c)
			}
		}
		tags[row[0]] = list
	}
	return tags, nil
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
	return nil, fmt.Errorf("split %q is unknown: allowed are %s", split, strings.Join(d.Splits(), ", "))
}

// ImagePath is the JPEG file of a picture.
func (d *Dataset) ImagePath(id string) string {
	return filepath.Join(d.root, "JPEGImages", id+".jpg")
}

// Load reads the wanted parts of a picture; all forms of weak labels exist.
func (d *Dataset) Load(id string, want data.Want) (*data.Sample, error) {
	if _, ok := d.points[id]; !ok {
		return nil, fmt.Errorf("%s: no picture %q", d.root, id)
	}
	s := &data.Sample{ID: id}
	var err error
	if want&data.WantImage != 0 {
		if s.Image, err = data.ReadImage(d.ImagePath(id)); err != nil {
			return nil, err
		}
	}
	if want&data.WantTruth != 0 {
		if s.Truth, err = data.ReadLabelMap(filepath.Join(d.root, "SegmentationClass", id+".png")); err != nil {
			return nil, err
		}
	}
	if want&data.WantWeak != 0 {
		if s.Weak, err = d.weak(id); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (d *Dataset) weak(id string) (data.WeakLabels, error) {
	w := data.WeakLabels{
		Tags: slices.Clone(d.tags[id]), Points: []data.Point{}, Scribbles: []data.Scribble{}, Boxes: []data.Box{},
	}
	for _, p := range d.points[id] {
		w.Points = append(w.Points, data.Point{X: p.X, Y: p.Y, Class: p.Cls, Rank: p.Rank})
	}
	var a annotationXML
	if err := readXML(filepath.Join(d.root, "Annotations", id+".xml"), &a); err != nil {
		return w, err
	}
	for _, o := range a.Objects {
		b := o.Box
		w.Boxes = append(w.Boxes, data.Box{
			X0: float32(b.XMin - 1), Y0: float32(b.YMin - 1), X1: float32(b.XMax), Y1: float32(b.YMax),
			Class: d.classes.Index(o.Name), Difficult: o.Difficult == 1,
		})
	}
	var f scribbleXML
	if err := readXML(filepath.Join(d.root, "scribbles", id+".xml"), &f); err != nil {
		return w, err
	}
	for _, p := range f.Polygons {
		line := data.Scribble{Class: d.classes.Index(p.Tag)}
		for _, q := range p.Points {
			line.Points = append(line.Points, image.Pt(q.X, q.Y))
		}
		w.Scribbles = append(w.Scribbles, line)
	}
	return w, nil
}

func readXML(path string, v any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
