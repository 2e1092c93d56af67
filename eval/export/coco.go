package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"path/filepath"

	"wsss/data"
	"wsss/data/files"
)

// cocoWriter writes coco.json: COCO's instances format, one annotation per
// region, its mask as run lengths. Category ids are the label values; void
// belongs to no annotation.
type cocoWriter struct {
	target
	log *entryLog
}

const cocoFile = "coco.json"

// cocoEntry is what one image adds.
type cocoEntry struct {
	Image   cocoImage        `json:"image"`
	Regions []cocoAnnotation `json:"regions"`
}

type cocoImage struct {
	ID     int    `json:"id"`
	File   string `json:"file_name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

type cocoAnnotation struct {
	ID       int      `json:"id"`
	ImageID  int      `json:"image_id"`
	Category int      `json:"category_id"`
	Area     int      `json:"area"`
	BBox     [4]int   `json:"bbox"` // x, y, width, height
	Mask     cocoMask `json:"segmentation"`
	Crowd    int      `json:"iscrowd"`
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

func newCOCO(t target) (Writer, error) {
	log, err := openLog(t, "coco", cocoFile)
	return &cocoWriter{t, log}, err
}

func (w *cocoWriter) Add(id string, img *image.NRGBA, label *data.LabelMap) error {
	if err := w.check(id, img, label); err != nil {
		return err
	}
	e := cocoEntry{Image: cocoImage{File: w.opts.fileName(id), Width: label.W, Height: label.H}}
	for _, r := range Regions(label, w.opts.MinArea) {
		b := r.Bounds
		e.Regions = append(e.Regions, cocoAnnotation{
			Category: r.Class, Area: r.Area, BBox: [4]int{b.Min.X, b.Min.Y, b.Dx(), b.Dy()},
			Mask: cocoMask{[2]int{label.H, label.W}, r.RLE(label.W, label.H).COCOString()},
		})
	}
	return w.log.add(id, e)
}

// Close numbers images and annotations, by ascending id, and writes the file.
func (w *cocoWriter) Close() error {
	return w.log.finish(func(ids []string, load func(string, any) error) error {
		return files.WriteAtomic(filepath.Join(w.dir, cocoFile), func(out io.Writer) error {
			return w.encode(out, ids, load)
		})
	})
}

func (w *cocoWriter) encode(out io.Writer, ids []string, load func(string, any) error) error {
	buf := bufio.NewWriter(out)
	list := jsonList{out: buf}
	fmt.Fprint(buf, `{"info": {"description": "label maps written by wsss"}, "licenses": [], "images": [`)
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
		for _, a := range e.Regions {
			number++
			a.ID, a.ImageID = number, i+1
			if err := list.add(a); err != nil {
				return err
			}
		}
	}
	list.count = 0
	fmt.Fprint(buf, "],\n\"categories\": [")
	for i, name := range objectClasses(w.classes) {
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
