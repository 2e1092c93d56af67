package annotation

import (
	"io"
	"path"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/data/weak"
)

// vocWriter writes voc/Annotations/<id>.xml, the boxes in VOC's format.
// Fractions of pixels are rounded outwards.
type vocWriter struct{ Target }

func (w vocWriter) Add(im *Image) error {
	if err := w.check(im); err != nil {
		return err
	}
	file, err := w.path(filepath.Join("voc", "Annotations"), im.ID, ".xml")
	if err != nil {
		return err
	}
	a := weak.VOCFile{
		Folder: "voc", Filename: path.Base(filepath.ToSlash(w.fileName(im.ID))),
		Size: weak.Size{Width: im.W, Height: im.H, Depth: 3},
	}
	for i := range im.Objects {
		if o := &im.Objects[i]; isClass(o.Class) {
			a.Objects = append(a.Objects, weak.NewVOCObject(o.Box, w.Classes.Name(o.Class)))
		}
	}
	return files.WriteAtomic(file, func(out io.Writer) error { return weak.EncodeXML(out, a) })
}

func (w vocWriter) Close() error { return nil }
