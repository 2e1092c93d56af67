package annotation

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"wsss/checkpoints/files"
)

// cocoWriter writes coco.json: COCO's instances format, masks as run lengths,
// outlines as polygons, boxes without segmentation. Category ids are the label
// values; void belongs to no annotation.
type cocoWriter struct {
	Target
	log *entryLog
}

const cocoFile = "coco.json"

// cocoEntry is what one image adds.
type cocoEntry struct {
	Image   cocoImage        `json:"image"`
	Objects []cocoAnnotation `json:"objects"`
}

type cocoImage struct {
	ID     int    `json:"id"`
	File   string `json:"file_name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

type cocoAnnotation struct {
	ID       int             `json:"id"`
	ImageID  int             `json:"image_id"`
	Category int             `json:"category_id"`
	Area     float64         `json:"area"`
	BBox     [4]float64      `json:"bbox"`         // x, y, width, height
	Outline  json.RawMessage `json:"segmentation"` // polygons or a cocoMask
	Crowd    int             `json:"iscrowd"`
}

type cocoMask struct {
	Size   [2]int `json:"size"` // height, width
	Counts string `json:"counts"`
}

type cocoCategory struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Super string `json:"supercategory"`
}

func createCOCO(t Target) (Writer, error) {
	log, err := openLog(t, "coco", cocoFile)
	return &cocoWriter{t, log}, err
}

func (w *cocoWriter) Add(im *Image) error {
	if err := w.check(im); err != nil {
		return err
	}
	e := cocoEntry{Image: cocoImage{File: w.fileName(im.ID), Width: im.W, Height: im.H}, Objects: []cocoAnnotation{}}
	for i := range im.Objects {
		o := &im.Objects[i]
		if !isClass(o.Class) {
			continue
		}
		a, err := newCOCO(o, im.W, im.H)
		if err != nil {
			return fmt.Errorf("%s: %w", im.ID, err)
		}
		e.Objects = append(e.Objects, a)
	}
	return w.log.add(im.ID, e)
}

// newCOCO makes the annotation of an object.
func newCOCO(o *Object, w, h int) (a cocoAnnotation, err error) {
	x, y := short(o.X0), short(o.Y0)
	a = cocoAnnotation{Category: o.Class, BBox: [4]float64{x, y, short(o.X1 - o.X0), short(o.Y1 - o.Y0)}}
	if o.Crowd {
		a.Crowd = 1
	}
	var outline any = [][]float64{}
	switch {
	case o.Mask != nil:
		outline = cocoMask{[2]int{o.Mask.H, o.Mask.W}, o.Mask.COCOString()}
		a.Area = float64(o.Mask.Area())
	case len(o.Rings) > 0:
		outline = o.Rings
		masks, err := o.Masks(w, h)
		if err != nil {
			return a, err
		}
		for _, mask := range masks {
			a.Area += float64(mask.Area())
		}
	default:
		a.Area = a.BBox[2] * a.BBox[3]
	}
	a.Outline, err = json.Marshal(outline)
	return a, err
}

// Close numbers images and annotations, by ascending id, and writes the file.
func (w *cocoWriter) Close() error {
	return w.log.finish(func(ids []string, load func(string, any) error) error {
		return files.WriteAtomic(filepath.Join(w.Dir, cocoFile), func(out io.Writer) error {
			return w.encode(out, ids, load)
		})
	})
}

func (w *cocoWriter) encode(out io.Writer, ids []string, load func(string, any) error) error {
	buf := bufio.NewWriter(out)
	list := jsonList{out: buf}
	fmt.Fprint(buf, `{"info": {"description": "written by wsss"}, "licenses": [], "images": [`)
	for i, id := range ids {
		var e cocoEntry
		if err := load(id, &e); err != nil {
			return err
		}
		e.Image.ID = i + 1
		if err := list.add(e.Image); err != nil {
			return err
		}
	}
	list.count = 0
	fmt.Fprint(buf, "],\n\"annotations\": [")
	number := 0
	for i, id := range ids {
		var e cocoEntry
		if err := load(id, &e); err != nil {
			return err
		}
		for _, a := range e.Objects {
			number++
			a.ID, a.ImageID = number, i+1
			if err := list.add(a); err != nil {
				return err
			}
		}
	}
	list.count = 0
	fmt.Fprint(buf, "],\n\"categories\": [")
	for i, name := range objectClasses(w.Classes) {
		if err := list.add(cocoCategory{i + 1, name, name}); err != nil {
			return err
		}
	}
	fmt.Fprint(buf, "]}\n")
	return buf.Flush()
}

// jsonList writes the elements of a JSON array, one per line.
type jsonList struct {
	out   *bufio.Writer
	count int
}

func (l *jsonList) add(v any) error {
	if l.count > 0 {
		l.out.WriteByte(',')
	}
	l.count++
	l.out.WriteByte('\n')
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = l.out.Write(raw)
	return err
}
