package folder

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/weak"
)

// The field's own formats (docs/sources.md §9), written from any dataset's labels.

// WriteAnnotation writes an image's boxes as dir/Annotations/<id>.xml, in
// VOC's format. Fractions of pixels are rounded outwards.
func WriteAnnotation(dir string, r Record, classes data.Classes) error {
	a := weak.VOCFile{
		Folder: path.Base(filepath.ToSlash(dir)), Filename: path.Base(r.ID) + ".jpg",
		Size: weak.Size{Width: r.W, Height: r.H, Depth: 3}, Segmented: 1,
	}
	for _, b := range r.Weak.Boxes {
		a.Objects = append(a.Objects, weak.NewVOCObject(b, classes.Name(b.Class)))
	}
	return writeXML(dir, "Annotations", r.ID, a)
}

// WriteScribbles writes an image's scribbles as dir/scribbles/<id>.xml, in
// ScribbleSup's format, coordinates 0-based.
func WriteScribbles(dir string, r Record, classes data.Classes) error {
	return writeXML(dir, "scribbles", r.ID, weak.NewScribbleFile(r.W, r.H, r.Weak.Scribbles, classes))
}

func writeXML(dir, sub, id string, v any) error {
	path, err := files.Join(filepath.Join(dir, sub), filepath.FromSlash(id)+".xml")
	if err != nil {
		return err
	}
	return files.WriteAtomic(path, func(w io.Writer) error { return weak.EncodeXML(w, v) })
}

// WriteClicks writes all points as a What's-the-Point file: image id → [{x, y,
// cls, rank}]. The format has no background clicks; they are left out.
func WriteClicks(path string, records []Record) error {
	all := make(map[string][]weak.Click, len(records)) // encoding sorts the keys
	for _, r := range records {
		all[r.ID] = weak.NewClicks(r.Weak.Points)
	}
	return files.WriteAtomic(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(all) })
}

// WriteTagList writes image tags as CLIP-ES and L2G list them: one line "id c1
// c2 …" per image, classes counted from 0 without the background.
func WriteTagList(path string, records []Record) error {
	return files.WriteAtomic(path, func(w io.Writer) error {
		for _, r := range records {
			line := r.ID
			for _, c := range r.Weak.Tags {
				line += fmt.Sprintf(" %d", c-1)
			}
			if _, err := io.WriteString(w, line+"\n"); err != nil {
				return err
			}
		}
		return nil
	})
}
