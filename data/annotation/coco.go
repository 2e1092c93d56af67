package annotation

import (
	"fmt"
	"path"
	"strings"

	"wsss/data/coco"
)

func init() {
	Register(Format{
		Name: "coco",
		What: "COCO instances (JSON), as COCO, CVAT, Roboflow, Label Studio, FiftyOne and Datumaro lay it out",
		Find: func(src *Source) []string {
			var found []string
			for _, file := range src.find(".json", isCOCO) {
				if !otherCOCO(path.Base(file)) {
					found = append(found, file)
				}
			}
			return found
		},
		Read: readCOCO,
	})
}

func isCOCO(head []byte) bool {
	h := readHead(head)
	n := 0
	for _, key := range []string{"images", "annotations", "categories"} {
		if kind := h.keys[key]; kind == '[' || kind == '?' {
			n++
		}
	}
	return !h.list && n > 0 && !h.has("shapes")
}

// otherCOCO tells COCO's files of other tasks.
func otherCOCO(name string) bool {
	for _, task := range []string{"captions_", "person_keypoints_", "image_info_", "stuff_", "panoptic_"} {
		if strings.HasPrefix(name, task) {
			return true
		}
	}
	return false
}

func readCOCO(src *Source, files []string, b *Builder) error {
	for _, file := range files {
		var names []string
		begin := func(categories []string) error {
			names = categories
			for _, name := range names {
				if err := b.Declare(name); err != nil {
					return err
				}
			}
			return nil
		}
		err := coco.EachPhoto(src.Path(file), begin, func(p coco.Photo) error {
			im, err := b.Image(p.Name, file, fmt.Sprintf("%s: image %q", src.Path(file), p.Name))
			if err != nil || im == nil {
				return err
			}
			im.W, im.H = p.W, p.H
			if im.Split == "" {
				im.Split = splitOfFile(file)
			}
			for _, o := range p.Objects {
				class, err := b.Class(names[o.Class-1])
				if err != nil {
					return err
				}
				addCOCO(im, o, class)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// splitOfFile reads a split off a file's name, as in instances_train2017.json.
func splitOfFile(file string) string {
	name := strings.TrimSuffix(path.Base(file), path.Ext(file))
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '_' || r == '-' || r == '.' || r >= '0' && r <= '9' }) {
		if split := splitName(word); split != "" {
			return split
		}
	}
	return ""
}

// addCOCO adds an object with the box that the file gives it, else that of its
// outline. One that covers nothing, of which COCO has a few, is left out.
func addCOCO(im *Image, o coco.Object, class int) {
	var l Labels
	switch {
	case o.Mask != nil:
		l.AddMask(class, *o.Mask)
	case len(o.Rings) > 0:
		if l.AddPolygon(class, o.Rings...) != nil {
			return
		}
	default:
		if o.X0 < o.X1 && o.Y0 < o.Y1 {
			l.Objects = append(l.Objects, Object{Box: o.Box})
		}
	}
	for _, made := range l.Objects {
		if o.X0 < o.X1 && o.Y0 < o.Y1 {
			made.Box = o.Box
		}
		made.Class, made.Crowd = class, o.Crowd
		im.Objects = append(im.Objects, made)
	}
}
