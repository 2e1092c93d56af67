package folder

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/annotation"
)

// The two formats of wsss' own stand in the registry beside those of other
// tools.
func init() {
	annotation.Register(annotation.Format{
		Name:   "csv",
		What:   "wsss' own tables: " + strings.Join(ofExt(labelFiles, ".csv"), ", "),
		Find:   func(src *annotation.Source) []string { return ownFiles(src, ".csv", nil) },
		Read:   readOwn,
		Writes: "boxes.csv, points.csv, scribbles.csv, tags.csv and classes.txt: wsss' own tables",
		Create: func(t annotation.Target) (annotation.Writer, error) {
			return &recorder{target: t, write: func(dir string, records []Record) error {
				_, err := WriteCSV(dir, records, t.Classes)
				return err
			}}, nil
		},
	})
	annotation.Register(annotation.Format{
		Name:   "json",
		What:   "wsss' own labels.json",
		Find:   func(src *annotation.Source) []string { return ownFiles(src, ".json", isOwnJSON) },
		Read:   readOwn,
		Writes: "labels.json and classes.txt: the same in one file",
		Create: func(t annotation.Target) (annotation.Writer, error) {
			return &recorder{target: t, write: func(dir string, records []Record) error {
				return WriteJSON(filepath.Join(dir, "labels.json"), records, t.Classes)
			}}, nil
		},
	})
}

func ofExt(names []string, ext string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return path.Ext(name) != ext })
}

// ownFiles are the label files of the usual names in the root.
func ownFiles(src *annotation.Source, ext string, is func(keys map[string]byte) bool) []string {
	return slices.DeleteFunc(ofExt(labelFiles, ext), func(name string) bool {
		if !slices.Contains(src.Files, name) {
			return true
		}
		keys, list := src.Keys(name)
		return is != nil && (list || !is(keys))
	})
}

// isOwnJSON tells labels by image from other tools' files: every value is an
// object, and no key is one of COCO's or labelme's.
func isOwnJSON(keys map[string]byte) bool {
	for key, kind := range keys {
		if kind != '{' && kind != '?' || slices.Contains([]string{"info", "categories", "images", "annotations"}, key) {
			return false
		}
	}
	return true
}

// readOwn reads label files with whatever classes they name.
func readOwn(src *annotation.Source, names []string, b *annotation.Builder) error {
	table, err := declareOwn(src, b)
	if err != nil {
		return err
	}
	for _, name := range names {
		learned, columns := []string{}, []string{}
		s := sink{
			labels: map[string]*data.WeakLabels{}, classes: data.Classes{Names: table}, learned: &learned, columns: &columns, flat: &[]string{},
			known: func(string) bool { return true },
		}
		if err := readLabelFile(src.Path(name), s); err != nil {
			return err
		}
		for _, fault := range flatFaults(src.Path(name), *s.flat) {
			b.Fault(fault)
		}
		if len(*s.flat) > 0 { // their classes are ones, too
			columns = append(columns, learned...)
		}
		all := slices.Concat(table, learned)
		for _, class := range columns { // also those that no photo shows
			if err := b.AddClass(class); err != nil {
				return fmt.Errorf("%s: %w", src.Path(name), err)
			}
		}
		ids := slices.Sorted(maps.Keys(s.labels))
		for _, id := range ids {
			im, err := b.Image(id, name, fmt.Sprintf("%s: image %q", src.Path(name), id))
			if err != nil {
				return err
			}
			if im == nil {
				continue
			}
			if err := addOwn(im, s.labels[id], b, all); err != nil {
				return fmt.Errorf("%s: image %q: %w", src.Path(name), id, err)
			}
		}
	}
	return nil
}

// declareOwn takes the table of classes.txt, where there is one.
func declareOwn(src *annotation.Source, b *annotation.Builder) ([]string, error) {
	if !slices.Contains(src.Files, "classes.txt") {
		return []string{"background"}, nil
	}
	c, err := ReadClasses(filepath.Join(src.Root, "classes.txt"))
	if err != nil {
		return nil, err
	}
	for _, name := range c.Names[1:] {
		if err := b.Declare(name); err != nil {
			return nil, err
		}
	}
	return c.Names, nil
}

// addOwn adds an image's labels, whose values count in names.
func addOwn(im *annotation.Image, w *data.WeakLabels, b *annotation.Builder, names []string) error {
	var err error
	class := func(c *int) {
		v, e := b.Class(names[*c])
		if err == nil {
			err = e
		}
		*c = v
	}
	for _, tag := range w.Tags {
		class(&tag)
		im.Tags = append(im.Tags, tag)
	}
	for _, p := range w.Points {
		class(&p.Class)
		im.Points = append(im.Points, p)
	}
	for _, s := range w.Scribbles {
		class(&s.Class)
		im.Scribbles = append(im.Scribbles, s)
	}
	for _, box := range w.Boxes {
		class(&box.Class)
		im.Objects = append(im.Objects, annotation.Object{Box: box})
	}
	return err
}

// learnClasses takes the class names from wsss' own label files, background
// first; nil where there are none.
func (d *Dataset) learnClasses(opts Options) ([]string, error) {
	names := opts.Labels
	if len(names) == 0 {
		names = d.usualFiles()
	}
	if len(names) == 0 {
		return nil, nil
	}
	src, err := d.source()
	if err != nil {
		return nil, err
	}
	set, err := annotation.Read(src, annotation.Options{Format: "csv", Files: names})
	if err != nil {
		return nil, err
	}
	return set.Classes.Names, nil
}
