package folder

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// pictures are extensions of photos that are not read.
var pictures = []string{".webp", ".gif", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".avif", ".jp2", ".jfif", ".jpe"}

// IsUnread tells whether a file's extension is that of a picture that wsss does
// not read.
func IsUnread(path string) bool {
	return slices.Contains(pictures, strings.ToLower(filepath.Ext(path)))
}

// Unread says which files below the folders of images and masks are left out
// though they look like ones, a line for each folder: iPhone photos, masks as
// JPEG.
func (d *Dataset) Unread() ([]string, error) {
	var lines []string
	for _, kind := range []struct {
		dir, allowed string
		unread       func(path string) bool
	}{
		{d.imageDir, "JPEG and PNG", IsUnread},
		{d.masks, "PNG", func(path string) bool {
			ext := strings.ToLower(filepath.Ext(path))
			return IsUnread(path) || ext == ".jpg" || ext == ".jpeg"
		}},
	} {
		root, err := filepath.EvalSymlinks(kind.dir) // WalkDir does not enter a link
		if err != nil || kind.dir == "" {
			continue // opening the dataset tells errors
		}
		masks, _ := filepath.EvalSymlinks(d.masks)
		var names []string
		err = filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && p != root && (p == masks || strings.HasPrefix(e.Name(), ".")):
				return fs.SkipDir
			case !e.IsDir() && kind.unread(p):
				names = append(names, e.Name())
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			lines = append(lines, fmt.Sprintf("%s: files that are left out, as only %s are read: %s", kind.dir, kind.allowed, someNames(names)))
		}
	}
	return lines, nil
}
