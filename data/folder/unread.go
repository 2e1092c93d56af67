package folder

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/names"
	"wsss/data/words"
)

// LeftOut says which labels are left out: data.options.names lacks their classes, or
// they cover nothing.
func (d *Dataset) LeftOut() []string {
	lines, faults := d.lostClasses(), d.faults
	if d.notes != nil {
		faults = d.notes.Faults
	}
	var empty data.LineErrors
	for _, f := range faults {
		if f.Kind == "object-empty" {
			empty.AddItem(f.Message)
		}
	}
	if err := empty.Err(); err != nil {
		lines = append(lines, err.Error())
	}
	return lines
}

// lostClasses says which labels are of no class.
func (d *Dataset) lostClasses() (lines []string) {
	from, other := "labels", d.other
	if d.notes != nil {
		from, other = d.notes.Format, d.notes.Other
	}
	for _, name := range slices.Sorted(maps.Keys(other)) {
		lines = append(lines, fmt.Sprintf("%s: %s of %q left out: it is not in data.options.names", from, words.Plural(other[name], "label"), name))
	}
	return lines
}

// arrays are the extensions of masks that are no pictures.
var arrays = []string{".npy", ".npz", ".mat", ".pkl", ".nii"}

// Unread says which files below the folders of images and masks are left out
// though they look like ones, a line for each folder: iPhone photos, masks as
// JPEG.
func (d *Dataset) Unread() ([]string, error) {
	lines := d.lostClasses()
	if a := d.notes; a != nil && a.Lost > 0 {
		lines = append(lines, fmt.Sprintf("%s: %s left out, of which the photos are not there: %s", a.Format, words.Count(a.Lost, "image of the annotations is", "images of the annotations are"), someNames(a.Skipped)))
	}
	for _, kind := range []struct {
		dir, allowed string
		unread       func(path string) bool
	}{
		{d.imageDir, names.Formats, names.IsUnread},
		{d.masks, "PNG", func(path string) bool {
			return names.IsUnread(path) || names.IsImage(path) && !strings.EqualFold(filepath.Ext(path), ".png") ||
				slices.Contains(arrays, strings.ToLower(filepath.Ext(path)))
		}},
	} {
		root, err := files.EvalSymlinks(kind.dir) // WalkDir does not enter a link
		if err != nil || kind.dir == "" {
			continue // opening the dataset tells errors
		}
		masks, _ := files.EvalSymlinks(d.masks)
		var left, linked []string
		err = files.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && p != root && (p == masks || strings.HasPrefix(e.Name(), ".") || names.IsOutput(p)):
				return fs.SkipDir
			case !e.IsDir() && kind.unread(p):
				left = append(left, e.Name())
			case e.Type() == fs.ModeSymlink && files.IsDir(p) && !files.Same(p, d.masks):
				linked = append(linked, e.Name())
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(linked) > 0 {
			lines = append(lines, fmt.Sprintf("%s: links to folders are not followed: %s (name a folder that is one itself, by data.options.images or masks)", kind.dir, someNames(linked)))
		}
		if len(left) > 0 {
			lines = append(lines, fmt.Sprintf("%s: files that are left out, as only %s are read: %s", kind.dir, kind.allowed, someNames(left)))
		}
	}
	return lines, nil
}
