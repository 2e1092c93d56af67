// Package voc opens PASCAL VOC 2012 and folders of the same layout as dataset
// kind "voc" (docs/sources.md §9): JPEGImages, Annotations, ImageSets/Segmentation,
// SegmentationClass, SegmentationClassAug and the Semantic Boundaries
// Dataset's .mat files. Opening reads no image, mask or annotation.
package voc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/maskcode"
	"wsss/data/names"
	"wsss/data/voc/mat"
	"wsss/data/weak"
)

func init() {
	data.Register("voc", func(opts data.Options) (data.Dataset, error) {
		var cfg Config
		if err := configs.Decode("data.options", opts.Extra, &cfg); err != nil {
			return nil, err
		}
		return Open(opts.Root, opts.Seed, cfg)
	})
}

// Folders of the layout.
const (
	imageDir      = "JPEGImages"
	annotationDir = "Annotations"
	maskDir       = "SegmentationClass"
	augDir        = "SegmentationClassAug"
	objectDir     = "SegmentationObject"
	listDir       = "ImageSets/Segmentation"
	mainDir       = "ImageSets/Main" // lists of data with boxes only
)

// Config is the table [data.options] of kind "voc". Paths are relative to
// data.root, or absolute.
type Config struct {
	weak.Sources
	maskcode.Options
	Masks       string   `toml:"masks"`        // folder of masks; "" looks in SegmentationClass, SegmentationClassAug, then SBD
	Lists       string   `toml:"lists"`        // folder of <split>.txt, looked in first
	SBD         string   `toml:"sbd"`          // the "dataset" folder of SBD: img, cls, inst, train.txt, val.txt
	ValFraction float64  `toml:"val_fraction"` // in (0, 1): a seeded split of all images into train and val, where there are no lists
	Classes     []string `toml:"classes"`      // class names without background; default: VOC's, or those of the files
}

// Dataset reads a VOC folder. It implements data.Dataset.
type Dataset struct {
	root    string
	classes data.Classes
	masks   []string // folders of PNG masks, first choice first
	lists   []string // folders of split lists, first choice first
	sbd     string   // "" where there is none
	coding  data.MaskCoding
	finder  names.Finder
	seed    int64
	val     float64
	weak    *weak.Loader
}

// Open opens a folder. It checks the layout and the options; the files of the
// images are read by Load.
func Open(root string, seed int64, cfg Config) (*Dataset, error) {
	if err := checkRoot(root); err != nil {
		return nil, err
	}
	if err := data.CheckFraction(cfg.ValFraction); err != nil {
		return nil, configs.KeyErrorf("data.options.%w", err)
	}
	d := &Dataset{root: root, seed: seed, val: cfg.ValFraction}
	var err error
	if d.classes, err = classTable(root, cfg.Classes); err != nil {
		return nil, err
	}
	if d.coding, err = cfg.Coding(root, d.classes); err != nil {
		return nil, err
	}
	d.masks = []string{filepath.Join(root, maskDir), filepath.Join(root, augDir)}
	if cfg.Masks != "" {
		if d.masks[0], err = weak.Folder("masks", root, cfg.Masks); err != nil {
			return nil, err
		}
		d.masks = d.masks[:1]
	}
	if cfg.Lists != "" {
		dir, err := weak.Folder("lists", root, cfg.Lists)
		if err != nil {
			return nil, err
		}
		d.lists = append(d.lists, dir)
	}
	if dir := filepath.Join(root, listDir); files.IsDir(dir) {
		d.lists = append(d.lists, dir)
	} else if dir := filepath.Join(root, mainDir); files.IsDir(dir) {
		d.lists = append(d.lists, dir)
	} else {
		d.lists = append(d.lists, root)
	}
	if cfg.SBD != "" {
		if d.sbd, err = weak.Folder("sbd", root, cfg.SBD); err != nil {
			return nil, err
		}
		if !files.IsDir(filepath.Join(d.sbd, "cls")) {
			return nil, fmt.Errorf("data.options.sbd: %s lacks the folder cls: name SBD's folder \"dataset\"", d.sbd)
		}
	}
	env := weak.Env{
		Root: root, Classes: d.classes, Seed: seed, Own: "xml",
		Truth: d.truthAndInstances, Image: d.ImagePath, ID: sampleID,
	}
	if files.IsDir(filepath.Join(root, annotationDir)) {
		env.ReadOwn = d.readXML
	}
	d.weak, err = cfg.Sources.Open(env)
	return d, err
}

const howToGet = "VOC 2012 comes as VOCtrainval_11-May-2012.tar from http://host.robots.ox.ac.uk/pascal/VOC/voc2012/; unpack it and set data.root to its folder VOCdevkit/VOC2012"

func checkRoot(root string) error {
	if root == "" {
		return errors.New("data.root is empty: " + howToGet)
	}
	if files.IsDir(filepath.Join(root, imageDir)) {
		return nil
	}
	for _, below := range []string{"VOC2012", "VOCdevkit/VOC2012"} {
		if dir := filepath.Join(root, below); files.IsDir(filepath.Join(dir, imageDir)) {
			return fmt.Errorf("the folder %s is missing: set data.root to %s", imageDir, dir)
		}
	}
	return fmt.Errorf("the folder %s is missing (kind \"folder\" takes XML files beside photos): %s", imageDir, howToGet)
}

// sampleID turns the numbers of IRN's cls_labels.npy into VOC's names:
// 2007000032 → 2007_000032.
func sampleID(name string) string {
	if len(name) != 10 || strings.Trim(name, "0123456789") != "" {
		return name
	}
	return name[:4] + "_" + name[4:]
}

// Name is "voc".
func (d *Dataset) Name() string { return "voc" }

// Classes is the background and VOC's twenty classes, those of the files, or the
// configured ones.
func (d *Dataset) Classes() data.Classes { return d.classes }

// ImagePath is the image file of a sample in JPEGImages, whatever its
// extension, else SBD's copy.
func (d *Dataset) ImagePath(id string) string {
	if file := d.imageFile(id); file != "" {
		return file
	}
	return filepath.Join(d.root, imageDir, filepath.FromSlash(id)+".jpg")
}

// imageFile is ImagePath, "" where there is no such file.
func (d *Dataset) imageFile(id string) string {
	file := d.finder.Image(filepath.Join(d.root, imageDir), id)
	if file == "" && d.sbd != "" {
		file = d.finder.Image(filepath.Join(d.sbd, "img"), id)
	}
	return file
}

// MaskPath is the file of an image's true mask, "" where it has none.
func (d *Dataset) MaskPath(id string) string {
	image := filepath.Base(d.ImagePath(id))
	for _, dir := range d.masks {
		if file := d.finder.Mask(dir, id, image, func(id string) bool { return d.imageFile(id) != "" }); file != "" {
			return file
		}
	}
	if d.sbd != "" {
		if path := filepath.Join(d.sbd, "cls", id+".mat"); files.IsFile(path) {
			return path
		}
	}
	return ""
}

// WeakSource says why the dataset has no labels of a kind; nil where it has.
func (d *Dataset) WeakSource(kind data.WeakKind) error { return d.weak.Available(kind) }

// Load reads the wanted parts of an image.
func (d *Dataset) Load(id string, want data.Want) (*data.Sample, error) {
	if _, err := files.Join(d.root, id); err != nil || strings.Contains(id, `\`) {
		return nil, fmt.Errorf("%q is no image id", id)
	}
	return data.LoadParts(id, want, d.ImagePath, d.truth, d.weak.Load)
}

// HasTruth tells whether there is a mask of a sample.
func (d *Dataset) HasTruth(id string) (bool, error) { return d.MaskPath(id) != "", nil }

// truth reads a mask from the first place that has one.
func (d *Dataset) truth(id string) (*data.LabelMap, error) {
	path := d.MaskPath(id)
	switch {
	case path == "":
		return nil, fmt.Errorf("%s: %w: no %s.png in %s", id, data.ErrNoTruth, id, strings.Join(d.masks, ", "))
	case strings.HasSuffix(path, ".mat"):
		m, err := mat.ReadLabelMap(path, "GTcls", "Segmentation")
		return d.checked(id, path, m, err)
	}
	m, err := d.coding.Read(path)
	return d.checked(id, path, m, err)
}

func (d *Dataset) checked(id, path string, m *data.LabelMap, err error) (*data.LabelMap, error) {
	if err != nil {
		return nil, err
	}
	if err := m.CheckRange(d.classes.Len()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data.Upright(d.ImagePath(id), m), nil
}

// truthAndInstances also reads the object numbers, where VOC or SBD has them.
func (d *Dataset) truthAndInstances(id string) (truth, instances *data.LabelMap, err error) {
	if truth, err = d.truth(id); err != nil {
		return nil, nil, err
	}
	instances, err = data.ReadLabelMap(filepath.Join(d.root, objectDir, id+".png"))
	if errors.Is(err, os.ErrNotExist) && d.sbd != "" {
		instances, err = mat.ReadLabelMap(filepath.Join(d.sbd, "inst", id+".mat"), "GTinst", "Segmentation")
	}
	if errors.Is(err, os.ErrNotExist) {
		return truth, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for i, n := range instances.Pix {
		if n == data.Ignore { // the void border belongs to no object
			instances.Pix[i] = 0
		}
	}
	return truth, data.Upright(d.ImagePath(id), instances), nil
}
