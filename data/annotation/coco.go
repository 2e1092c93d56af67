package annotation

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/coco"
)

func init() {
	Register(Format{
		Name:   "coco",
		What:   "COCO instances (JSON), as COCO, CVAT, Roboflow, Label Studio, FiftyOne and Datumaro lay it out",
		Writes: "coco.json: COCO instances, run-length masks or polygons",
		Create: createCOCO,
		Signs:  map[string]func([]byte) bool{".json": isCOCO},
		Find: func(src *Source) []string {
			return slices.DeleteFunc(src.Signed("coco"), func(file string) bool { return otherCOCO(path.Base(file)) })
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
	return !h.list && n > 0 && !h.has("shapes") && !h.has("data") // a task of Label Studio
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
	bad := &data.LineErrors{}
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
		err := coco.EachPhoto(src.Path(file), begin, b.Fault, b.left, func(p coco.Photo) error {
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
				o.Box.Class = class
				im.Objects = append(im.Objects, Object{Box: o.Box, Rings: o.Rings, Mask: o.Mask})
			}
			return nil
		})
		if err != nil {
			bad.AddError(err)
		}
	}
	return bad.Err()
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
