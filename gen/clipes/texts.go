package clipes

import (
	"fmt"
	"slices"
	"strings"

	"wsss/data"
	"wsss/models/foundation/clip"
)

const people = "person with clothes,people,human"

// vocTexts are CLIP-ES's words for VOC's classes where they differ from the
// name (docs/sources.md §2.3).
var vocTexts = map[string]string{
	"bird": "bird avian", "chair": "chair seat", "person": people, "tvmonitor": "tvmonitor screen",
}

// cocoTexts likewise for COCO (docs/sources.md §6.1), misspelt where CLIP-ES is.
var cocoTexts = map[string]string{
	"person": people, "motorcycle": "motorbike", "airplane": "aeroplane", "bird": "bird avian", "backpack": "backpack,bag",
	"umbrella": "umbrella,parasol", "handbag": "handbag,purse", "tie": "necktie", "snowboard": "sknowboard", "baseball glove": "glove",
	"spoon": "dessertspoon", "chair": "chair seat", "couch": "sofa", "potted plant": "pottedplant", "dining table": "diningtable",
	"tv": "tvmonitor screen", "remote": "remote control", "hair drier": "hairdrier,blowdrier",
}

// cocoDropped are the background words that are objects of COCO.
var cocoDropped = []string{"keyboard", "sign"}

// texts are the words of the classes after the background: the config's, else
// CLIP-ES's for VOC and COCO, else the names; and those of the background: the
// config's, else CLIP-ES's less what is a class.
func texts(classes data.Classes, own map[string][]string, ownBackground []string) (words, background []clip.Words, err error) {
	for name, list := range own {
		if classes.Index(name) <= 0 {
			return nil, nil, fmt.Errorf("gen.options.words.%s: the dataset has no such class", name)
		}
		if len(list) == 0 {
			return nil, nil, fmt.Errorf("gen.options.words.%s is empty: allowed are one text or more", name)
		}
	}
	var table map[string]string
	var dropped []string
	switch {
	case isCOCO(classes):
		table, dropped = cocoTexts, cocoDropped
	case isVOC(classes):
		table = vocTexts
	default:
		dropped = classes.Names
	}
	for _, name := range classes.Names[1:] {
		w := clip.Words{name}
		if t, ok := table[name]; ok {
			w = clip.Words{t}
		}
		if list, ok := own[name]; ok {
			w = list
		}
		words = append(words, w)
	}
	if ownBackground == nil {
		ownBackground = slices.DeleteFunc(slices.Clone(clip.Background), func(w string) bool {
			return slices.ContainsFunc(dropped, func(d string) bool { return strings.EqualFold(d, w) })
		})
	}
	for _, w := range ownBackground {
		background = append(background, clip.Words{w})
	}
	return words, background, nil
}

func isVOC(c data.Classes) bool  { return c.Index("pottedplant") > 0 && c.Index("tvmonitor") > 0 }
func isCOCO(c data.Classes) bool { return c.Index("potted plant") > 0 && c.Index("hair drier") > 0 }
