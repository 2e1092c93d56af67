package folder

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"path"
	"path/filepath"

	"wsss/data"
	"wsss/data/files"
)

// The field's own formats (METHODS §9), written from any dataset's labels.

type sizeXML struct {
	Width  int `xml:"width"`
	Height int `xml:"height"`
	Depth  int `xml:"depth"`
}

// annotationXML is a file of VOC's Annotations; bndbox is 1-based, inclusive.
type annotationXML struct {
	XMLName   xml.Name    `xml:"annotation"`
	Folder    string      `xml:"folder"`
	Filename  string      `xml:"filename"`
	Size      sizeXML     `xml:"size"`
	Segmented int         `xml:"segmented"`
	Objects   []objectXML `xml:"object"`
}

type objectXML struct {
	Name      string `xml:"name"`
	Pose      string `xml:"pose"`
	Truncated int    `xml:"truncated"`
	Difficult int    `xml:"difficult"`
	XMin      int    `xml:"bndbox>xmin"`
	YMin      int    `xml:"bndbox>ymin"`
	XMax      int    `xml:"bndbox>xmax"`
	YMax      int    `xml:"bndbox>ymax"`
}

// scribblesXML is a ScribbleSup file; coordinates are 0-based.
type scribblesXML struct {
	XMLName   xml.Name     `xml:"annotation"`
	Size      sizeXML      `xml:"size"`
	Segmented int          `xml:"segmented"`
	Polygons  []polygonXML `xml:"polygon"`
}

type polygonXML struct {
	Tag    string     `xml:"tag"`
	Points []pointXML `xml:"point"`
}

type pointXML struct {
	X int `xml:"X"`
	Y int `xml:"Y"`
}

// WriteAnnotation writes an image's boxes as dir/Annotations/<id>.xml, in
// VOC's format. Fractions of pixels are rounded outwards.
func WriteAnnotation(dir string, r Record, classes data.Classes) error {
	a := annotationXML{
		Folder: path.Base(filepath.ToSlash(dir)), Filename: path.Base(r.ID) + ".jpg",
		Size: sizeXML{r.W, r.H, 3}, Segmented: 1,
	}
	for _, b := range r.Weak.Boxes {
		o := objectXML{
			Name: classes.Name(b.Class), Pose: "Unspecified",
			XMin: int(math.Floor(float64(b.X0))) + 1, YMin: int(math.Floor(float64(b.Y0))) + 1,
			XMax: int(math.Ceil(float64(b.X1))), YMax: int(math.Ceil(float64(b.Y1))),
		}
		if b.Difficult {
			o.Difficult = 1
		}
		a.Objects = append(a.Objects, o)
	}
	return writeXML(dir, "Annotations", r.ID, a)
}

// WriteScribbles writes an image's scribbles as dir/scribbles/<id>.xml, in
// ScribbleSup's format, coordinates 0-based.
func WriteScribbles(dir string, r Record, classes data.Classes) error {
	f := scribblesXML{Size: sizeXML{r.W, r.H, 3}, Segmented: 1}
	for _, s := range r.Weak.Scribbles {
		p := polygonXML{Tag: classes.Name(s.Class)}
		for _, q := range s.Points {
			p.Points = append(p.Points, pointXML{q.X, q.Y})
		}
		f.Polygons = append(f.Polygons, p)
	}
	return writeXML(dir, "scribbles", r.ID, f)
}

func writeXML(dir, sub, id string, v any) error {
	path, err := files.Join(filepath.Join(dir, sub), filepath.FromSlash(id)+".xml")
	if err != nil {
		return err
	}
	return files.WriteAtomic(path, func(w io.Writer) error {
		enc := xml.NewEncoder(w)
		enc.Indent("", "\t")
		if err := enc.Encode(v); err != nil {
			return err
		}
		_, err := io.WriteString(w, "\n")
		return err
	})
}

// WriteClicks writes all points as a What's-the-Point file: image id → [{x, y,
// cls, rank}]. The format has no background clicks; they are left out.
func WriteClicks(path string, records []Record) error {
	type click struct {
		X    int `json:"x"`
		Y    int `json:"y"`
		Cls  int `json:"cls"`
		Rank int `json:"rank"`
	}
	all := make(map[string][]click, len(records)) // encoding sorts the keys
	for _, r := range records {
		list := []click{}
		for _, p := range r.Weak.Points {
			if p.Class > 0 {
				list = append(list, click{p.X, p.Y, p.Class, p.Rank})
			}
		}
		all[r.ID] = list
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
