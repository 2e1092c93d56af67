package annotation

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/maskcode"
	"wsss/data/weak"
)

func init() {
	Register(Format{
		Name:   "voc",
		What:   "VOC detection XML, one for each photo, with names of its own, turned boxes (roLabelImg) by their bounds; ImageSets",
		Writes: "voc/Annotations/<id>.xml: VOC boxes",
		Create: func(t Target) (Writer, error) { return vocWriter{t}, nil },
		Signs:  map[string]func([]byte) bool{".xml": isVOC},
		Find:   func(src *Source) []string { return src.withNeighbours(src.Signed("voc")) },
		Read:   readVOC,
	})
}

func isVOC(head []byte) bool {
	return bytes.Contains(head, []byte("<annotation>")) || bytes.Contains(head, []byte("<annotation "))
}

func readVOC(src *Source, files []string, b *Builder) error {
	split, err := readImageSets(src)
	if err != nil {
		return err
	}
	type parsed struct {
		*weak.Annotation
		names []string // of its classes, by value
	}
	parse := func(file string) (parsed, error) {
		names, a, err := readOwnNames(src.Path(file))
		return parsed{a, names}, err
	}
	return each(files, parse, func(file string, p parsed) error {
		im, err := b.Image(strings.TrimSuffix(file, path.Ext(file)), file, src.Path(file))
		if err != nil || im == nil {
			return err
		}
		if im.W, im.H = p.W, p.H; im.W == 0 || im.H == 0 {
			if im.W, im.H, err = src.Size(im.ID); err != nil {
				return err
			}
		}
		if err := p.Clip(im.W, im.H); err != nil {
			return fmt.Errorf("%s: %w", src.Path(file), err)
		}
		for _, fault := range p.Faults(src.Path(file)) {
			b.Fault(fault)
		}
		im.Split = cmp.Or(split[im.ID], im.Split)
		if p.Boxes == nil { // of objects without boxes only the names count
			for _, tag := range p.Tags {
				if tag, err = b.Class(p.names[tag]); err != nil {
					return err
				}
				im.Tags = append(im.Tags, tag)
			}
		}
		for _, box := range p.Boxes {
			if box.Class, err = b.Class(p.names[box.Class]); err != nil {
				return err
			}
			im.Objects = append(im.Objects, Object{Box: box})
		}
		return nil
	})
}

// readOwnNames reads a file with whatever names it has: those that the parser
// does not know join the table, and it reads again.
func readOwnNames(file string) ([]string, *weak.Annotation, error) {
	names := []string{"background"}
	for {
		a, err := weak.ReadVOCXML(file, data.Classes{Names: names})
		if err != nil {
			return nil, nil, err
		}
		fresh := slices.DeleteFunc(slices.Clone(a.Other), func(n string) bool { return n == "" || maskcode.IsBackground(n) || slices.Contains(names, n) })
		if len(fresh) == 0 || len(names) > data.MaxClasses {
			return names, a, nil
		}
		names = append(names, fresh...)
	}
}

// readImageSets reads the lists of VOC's layout: id → split.
func readImageSets(src *Source) (map[string]string, error) {
	split := map[string]string{}
	for _, file := range src.Files {
		name := splitName(strings.TrimSuffix(path.Base(file), ".txt"))
		if name == "" || ext(file) != ".txt" || !strings.Contains("/"+file, "/ImageSets/") {
			continue
		}
		raw, err := src.read(file)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(raw) {
			fields := strings.Fields(string(line))
			if len(fields) == 0 {
				continue
			}
			id, err := src.Find(strings.Join(fields[:1], " "), file)
			if err != nil {
				return nil, err
			}
			if id != "" {
				split[id] = name
			}
		}
	}
	return split, nil
}
