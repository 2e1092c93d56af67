package coco

import (
	"os"
	"path/filepath"
)

// MaskPath is the file of an image's prepared mask; "" where it has none, or
// where masks are painted from the annotations.
func (d *Dataset) MaskPath(id string) string {
	for _, dir := range d.masks {
		for _, name := range []string{id, imageNumber(id)} {
			path := filepath.Join(dir, name+".png")
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path
			}
		}
	}
	return ""
}
