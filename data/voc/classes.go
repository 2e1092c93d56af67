package voc

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/folder"
	"wsss/data/maskcode"
	"wsss/data/weak"
)

// ClassNames are the twenty classes of VOC, label values 1..20.
var ClassNames = []string{
	"aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
	"diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
}

// sampled is how many annotations are looked at for names that are not VOC's.
const sampled = 200

// classTable is the configured class table, else that of labelmap.txt or
// classes.txt in the root, else VOC's, or, where annotations name others, the
// names in all of them, sorted.
func classTable(root string, configured []string) (data.Classes, error) {
	vocs := data.Classes{Names: append([]string{"background"}, ClassNames...)}
	if len(configured) > 0 {
		if len(configured) >= data.MaxClasses {
			return vocs, configs.KeyErrorf("data.options.classes names %d classes: at most %d are allowed", len(configured), data.MaxClasses-1)
		}
		return data.Classes{Names: append([]string{"background"}, configured...)}, nil
	}
	listed, err := maskcode.ClassesOf(root)
	if err != nil || listed != nil {
		return data.Classes{Names: listed}, err
	}
	if c, err := folder.ReadClasses(filepath.Join(root, "classes.txt")); !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	var paths []string
	entries, err := files.ReadDir(filepath.Join(root, annotationDir))
	if err != nil {
		return vocs, nil // images and masks only
	}
	for _, e := range entries {
		if strings.EqualFold(filepath.Ext(e.Name()), ".xml") {
			paths = append(paths, filepath.Join(root, annotationDir, e.Name()))
		}
	}
	step := max(1, len(paths)/sampled)
	own := false
	for i := 0; i < len(paths) && !own; i += step {
		own = slices.ContainsFunc(namesIn(paths[i]), func(name string) bool { return vocs.Find(name) < 0 })
	}
	if !own {
		return vocs, nil
	}
	seen := map[string]bool{}
	names := []string{}
	for _, path := range paths {
		for _, name := range namesIn(path) {
			if key := strings.ToLower(name); !seen[key] && !maskcode.IsBackground(name) {
				seen[key] = true
				names = append(names, name)
			}
		}
	}
	if len(names) >= data.MaxClasses {
		return vocs, fmt.Errorf("%s names %d classes: at most %d are allowed; list fewer in data.options.classes", filepath.Join(root, annotationDir), len(names), data.MaxClasses-1)
	}
	slices.Sort(names)
	return data.Classes{Names: append([]string{"background"}, names...)}, nil
}

// namesIn are the names of a file's objects. Loading the sample tells errors.
func namesIn(path string) []string {
	a, err := weak.ReadVOCXML(path, data.Classes{Names: []string{"background"}})
	if err != nil {
		return nil
	}
	return a.Other
}
