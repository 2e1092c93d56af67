package openimages

import (
	"fmt"
	"io"
	"strings"

	"wsss/data/words"
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
	fmt.Fprintf(w, "%s and %s of split %s in %s\n", words.Plural(m.Images, "image"), words.Count(m.Boxes, "box", "boxes"), m.Split, dir)
	if n := m.Bad(); n > 0 {
		fmt.Fprintf(w, "%s skipped, first:\n", words.Count(int(n), "malformed row was", "malformed rows were"))
		for _, s := range m.Sources {
			for _, line := range s.First {
				fmt.Fprintln(w, "  "+line)
			}
		}
	}
	if m.Missing > 0 {
		fmt.Fprintf(w, "%s left out: not in the folder\n", words.Count(m.Missing, "image was", "images were"))
	}
	return nil
}

// WriteText says how many photos there are now in a folder.
func (f Fetched) WriteText(w io.Writer, dir string) {
	fmt.Fprintf(w, "%s downloaded, %d were there already, in %s\n", words.Plural(f.New, "photo"), f.Here, dir)
	if n := len(f.Missing); n > 0 {
		fmt.Fprintf(w, "%s no longer in the bucket and left out: %s\n", words.Count(n, "photo is", "photos are"), strings.Join(f.Missing[:min(n, 5)], ", "))
	}
}
