package weak

import (
	"encoding/xml"
	"io"
	"math"

	"wsss/data"
)

// Size is the size element of VOC's and ScribbleSup's files.
type Size struct {
	Width  int `xml:"width"`
	Height int `xml:"height"`
	Depth  int `xml:"depth"`
}

// VOCFile is a file of VOC's Annotations (docs/sources.md §9), to be written.
type VOCFile struct {
	XMLName   xml.Name    `xml:"annotation"`
	Folder    string      `xml:"folder"`
	Filename  string      `xml:"filename"`
	Size      Size        `xml:"size"`
	Segmented int         `xml:"segmented"`
	Objects   []VOCObject `xml:"object"`
}

// VOCObject is an object of a VOCFile; the box is 1-based and inclusive, the
// flags are 0 or 1.
type VOCObject struct {
	Name      string `xml:"name"`
	Pose      string `xml:"pose"`
	Truncated int    `xml:"truncated"`
	Occluded  int    `xml:"occluded"`
	Difficult int    `xml:"difficult"`
	XMin      int    `xml:"bndbox>xmin"`
	YMin      int    `xml:"bndbox>ymin"`
	XMax      int    `xml:"bndbox>xmax"`
	YMax      int    `xml:"bndbox>ymax"`
}

// NewVOCObject is a box as VOC writes it. Fractions of pixels are rounded
// outwards.
func NewVOCObject(b data.Box, name string) VOCObject {
	o := VOCObject{
		Name: name, Pose: "Unspecified",
		XMin: int(math.Floor(float64(b.X0))) + 1, YMin: int(math.Floor(float64(b.Y0))) + 1,
		XMax: int(math.Ceil(float64(b.X1))), YMax: int(math.Ceil(float64(b.Y1))),
	}
	if b.Difficult {
		o.Difficult = 1
	}
	return o
}

// ScribbleFile is a ScribbleSup file (docs/sources.md §9), to be written.
type ScribbleFile struct {
	XMLName   xml.Name          `xml:"annotation"`
	Size      Size              `xml:"size"`
	Segmented int               `xml:"segmented"`
	Polygons  []ScribblePolygon `xml:"polygon"`
}

// ScribblePolygon is an open polyline of a ScribbleFile.
type ScribblePolygon struct {
	Tag    string          `xml:"tag"`
	Points []ScribblePoint `xml:"point"`
}

// ScribblePoint is a pixel of a ScribblePolygon.
type ScribblePoint struct {
	X int `xml:"X"`
	Y int `xml:"Y"`
}

// NewScribbleFile is the file of an image of w×h, coordinates 0-based.
func NewScribbleFile(w, h int, scribbles []data.Scribble, classes data.Classes) ScribbleFile {
	f := ScribbleFile{Size: Size{w, h, 3}, Segmented: 1}
	for _, s := range scribbles {
		p := ScribblePolygon{Tag: classes.Name(s.Class)}
		for _, q := range s.Points {
			p.Points = append(p.Points, ScribblePoint{q.X, q.Y})
		}
		f.Polygons = append(f.Polygons, p)
	}
	return f
}

// EncodeXML writes a VOCFile or ScribbleFile, indented by tabs.
func EncodeXML(w io.Writer, file any) error {
	enc := xml.NewEncoder(w)
	enc.Indent("", "\t")
	if err := enc.Encode(file); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// Click is a click of a What's-the-Point file, which maps image ids to lists
// of them (docs/sources.md §9).
type Click struct {
	X    int `json:"x"`
	Y    int `json:"y"`
	Cls  int `json:"cls"`
	Rank int `json:"rank"`
}

// NewClicks are the points as clicks. The format has no background; such
// points are left out.
func NewClicks(points []data.Point) []Click {
	list := []Click{}
	for _, p := range points {
		if p.Class > 0 {
			list = append(list, Click{p.X, p.Y, p.Class, p.Rank})
		}
	}
	return list
}
