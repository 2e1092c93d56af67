package openimages

import (
	"fmt"
	"io"
)

// WriteText prints what was selected into a folder: images of each class, and what
// was left out.
func (m *Manifest) WriteText(w io.Writer, dir string) error {
	classes, err := Classes(m.Classes)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%-16s %9s %9s\n", "images with", "present", "absent")
	for i, c := range classes {
		fmt.Fprintf(w, "%-16s %9d %9d\n", c.Name, m.Positive[i], m.Negative[i])
	}
	fmt.Fprintf(w, "%d images and %d boxes of split %s in %s\n", m.Images, m.Boxes, m.Split, dir)
	if n := m.Bad(); n > 0 {
		fmt.Fprintf(w, "%d malformed rows were skipped, first:\n", n)
		for _, s := range m.Sources {
			for _, line := range s.First {
				fmt.Fprintln(w, "  "+line)
			}
		}
	}
	if m.Missing > 0 {
		fmt.Fprintf(w, "%d images are not in the folder and were left out\n", m.Missing)
	}
	return nil
}
