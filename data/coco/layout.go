package coco

import (
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"wsss/checkpoints/files"
	"wsss/data/weak"
)

// photoDirs are the folders that COCO's archives unpack to.
var photoDirs = []string{"train2014", "val2014", "train2017", "val2017"}

const annotationDir = "annotations"

// imageDirs are the folders of images, below the root or a part's folder, that
// tools write.
var imageDirs = []string{"images", "JPEGImages", "data"}

// part is one instances file, scanned at the first use.
type part struct {
	name   string // of the split: "train2014"
	path   string
	folder string                 // that has a part of its own, as Roboflow's "train"; begins the ids of its images
	read   func() (*index, error) // the file, without classes
	scan   func() (*index, error)
	used   atomic.Bool // scanned, and in memory
}

func (p *part) index() (*index, error) {
	x, err := p.scan()
	if err == nil {
		p.used.Store(true)
	}
	return x, err
}

// id is the sample id of an image of the part.
func (p *part) id(name string) string {
	if p.folder == "" {
		return name
	}
	return p.folder + "/" + name
}

// photo is the part's name of a sample.
func (p *part) photo(id string) (string, bool) {
	if p.folder == "" {
		return id, true
	}
	return strings.CutPrefix(id, p.folder+"/")
}

// layout is where a tool puts its annotation files.
type layout struct {
	pattern string // below the root
	// name makes the name of a file's split of the part that * stands for and
	// of the file's name without extension.
	name   func(folder, stem string) string
	folder bool // * is a folder with images of its own
}

// layouts are tried in this order; the first that has files is taken.
var layouts = []layout{
	{pattern: annotationDir + "/instances_*.json", name: func(_, stem string) string { return strings.TrimPrefix(stem, "instances_") }}, // COCO, CVAT, Datumaro
	{pattern: "*/_annotations.coco.json", name: byFolder, folder: true},                                                                 // Roboflow
	{pattern: "*/labels.json", name: byFolder, folder: true},                                                                            // FiftyOne, split
	{pattern: "_annotations.coco.json", name: whole},
	{pattern: "result.json", name: whole}, // Label Studio
	{pattern: "labels.json", name: whole}, // FiftyOne
	{pattern: "coco.json", name: whole},   // wsss data export
	{pattern: "annotations.json", name: whole},
	{pattern: annotationDir + "/*.json", name: byName},
	{pattern: "instances_*.json", name: byName},
	{pattern: "instances.json", name: whole},
}

func whole(_, _ string) string { return splitAll }

// byFolder is the split of a folder: Roboflow calls val "valid".
func byFolder(folder, _ string) string {
	switch strings.ToLower(folder) {
	case "valid", "validation":
		return "val"
	}
	return folder
}

func byName(_, stem string) string {
	name := strings.TrimPrefix(stem, "instances_")
	for _, split := range []string{"train", "val", "test"} {
		if strings.TrimSuffix(strings.TrimPrefix(name, "annotations_"), "_annotations") == split {
			return split
		}
	}
	return name
}

// others are files of COCO's archives beside those of instances.
var others = []string{"captions_", "person_keypoints_", "panoptic_", "image_info_", "stuff_"}

func (d *Dataset) findParts() error {
	for _, name := range d.cfg.Annotations {
		path, err := weak.Locate(d.root, name)
		if err == nil {
			_, err = files.Stat(path)
		}
		if err != nil {
			return prefix("data.options.annotations", err)
		}
		p := &part{name: byName("", strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))), path: path}
		if slices.ContainsFunc(d.parts, func(q *part) bool { return q.name == p.name }) || p.name == "_annotations.coco" {
			p.name = filepath.Base(filepath.Dir(path))
		}
		d.addPart(p)
	}
	for _, l := range layouts {
		if len(d.parts) > 0 {
			break
		}
		paths, err := files.Glob(d.root, l.pattern)
		if err != nil {
			return err
		}
		for _, path := range paths {
			stem := strings.TrimSuffix(filepath.Base(path), ".json")
			if slices.ContainsFunc(others, func(o string) bool { return strings.HasPrefix(stem, o) }) {
				continue
			}
			folder := filepath.Base(filepath.Dir(path))
			p := &part{name: l.name(folder, stem), path: path}
			if l.folder {
				p.folder = folder
			}
			d.addPart(p)
		}
	}
	return nil
}

// addPart prepares the reading of an instances file.
func (d *Dataset) addPart(p *part) {
	strip := append(slices.Clone(photoDirs), imageDirs...)
	if d.cfg.Images != "" {
		strip = append(strip, filepath.Base(d.cfg.Images))
	}
	base := d.root
	if p.folder != "" {
		base = filepath.Join(d.root, p.folder)
	}
	strip = slices.DeleteFunc(strip, func(dir string) bool {
		return !files.IsDir(filepath.Join(base, dir)) && !files.IsDir(filepath.Join(base, "images", dir)) && dir != filepath.Base(d.cfg.Images)
	})
	p.read = sync.OnceValues(func() (*index, error) { return readIndex(p.path, strip) })
	p.scan = sync.OnceValues(func() (*index, error) {
		x, err := p.read()
		if err == nil {
			err = prefix(p.path, x.classify(d.classes, d.cfg.Others == OthersSkip))
		}
		return x, err
	})
	d.parts = append(d.parts, p)
}

func (d *Dataset) findFolders() error {
	names := slices.Clone(photoDirs)
	for _, p := range d.parts {
		if !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	bases := []string{d.root}
	for _, dir := range imageDirs {
		bases = append(bases, filepath.Join(d.root, dir))
	}
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
			if dir := filepath.Join(base, name); files.IsDir(dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return append(dirs, bases...)
}
