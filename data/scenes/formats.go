package scenes

import (
	"encoding/xml"
	"slices"

	"wsss/data"
)

// clickJSON is a click of the What's-the-Point file (METHODS §9).
type clickJSON struct {
	X    int `json:"x"`
	Y    int `json:"y"`
	Cls  int `json:"cls"`
	Rank int `json:"rank"`
}

type sizeXML struct {
	Width  int `xml:"width"`
	Height int `xml:"height"`
	Depth  int `xml:"depth"`
}

// annotationXML is a file of VOC's Annotations.
type annotationXML struct {
	XMLName   xml.Name    `xml:"annotation"`
	Folder    string      `xml:"folder"`
	Filename  string      `xml:"filename"`
	Size      sizeXML     `xml:"size"`
	Segmented int         `xml:"segmented"`
	Objects   []objectXML `xml:"object"`
}

type objectXML struct {
	Name      string    `xml:"name"`
	Pose      string    `xml:"pose"`
	Truncated int       `xml:"truncated"`
	Occluded  int       `xml:"occluded"`
	Difficult int       `xml:"difficult"`
	Box       bndboxXML `xml:"bndbox"`
}

// bndboxXML is 1-based and inclusive.
type bndboxXML struct {
	XMin int `xml:"xmin"`
	YMin int `xml:"ymin"`
	XMax int `xml:"xmax"`
	YMax int `xml:"ymax"`
}

// scribbleXML is a ScribbleSup file; coordinates are 0-based.
type scribbleXML struct {
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

func (s *scene) sizeXML() sizeXML { return sizeXML{s.truth.W, s.truth.H, 3} }

func annotation(id string, s *scene, boxes []data.Box) annotationXML {
	a := annotationXML{Folder: "scenes", Filename: id + ".jpg", Size: s.sizeXML(), Segmented: 1}
	numbers := s.numbers()
	for k, b := range boxes {
		n := numbers[k]
		a.Objects = append(a.Objects, objectXML{
			Name: className(b.Class), Pose: "Unspecified",
			Truncated: flag(s.truncated[n-1]), Occluded: flag(s.occluded[n-1]),
			Box: bndboxXML{int(b.X0) + 1, int(b.Y0) + 1, int(b.X1), int(b.Y1)},
		})
	}
	return a
}

// numbers lists the instances that have a pixel off the void, ascending: the
// order of derived boxes.
func (s *scene) numbers() []int {
	var out []int
	for i, n := range s.instances.Pix {
		if n > 0 && s.truth.Pix[i] != data.Ignore && !slices.Contains(out, int(n)) {
			out = append(out, int(n))
		}
	}
	slices.Sort(out)
	return out
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func scribbleFile(s *scene, scribbles []data.Scribble) scribbleXML {
	f := scribbleXML{Size: s.sizeXML(), Segmented: 1}
	for _, sc := range scribbles {
		p := polygonXML{Tag: className(sc.Class)}
		for _, q := range sc.Points {
			p.Points = append(p.Points, pointXML{q.X, q.Y})
		}
		f.Polygons = append(f.Polygons, p)
	}
	return f
}
