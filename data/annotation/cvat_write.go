package annotation

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"wsss/checkpoints/files"
	"wsss/data"
)

// cvatWriter writes cvat.xml, "CVAT for images 1.1": boxes, polygons, lines,
// points and tags.
type cvatWriter struct {
	Target
	log *entryLog
}

const cvatFile = "cvat.xml"

type cvatImage struct {
	XMLName   xml.Name    `xml:"image" json:"-"`
	ID        int         `xml:"id,attr" json:"id"`
	Name      string      `xml:"name,attr" json:"name"`
	Subset    string      `xml:"subset,attr,omitempty" json:"subset"`
	Width     int         `xml:"width,attr" json:"width"`
	Height    int         `xml:"height,attr" json:"height"`
	Tags      []cvatTag   `xml:"tag" json:"tags"`
	Boxes     []cvatBox   `xml:"box" json:"boxes"`
	Polygons  []cvatShape `xml:"polygon" json:"polygons"`
	Polylines []cvatShape `xml:"polyline" json:"polylines"`
	Points    []cvatShape `xml:"points" json:"points"`
}

type cvatTag struct {
	Label  string `xml:"label,attr" json:"label"`
	Source string `xml:"source,attr" json:"source"`
}

type cvatBox struct {
	Label    string  `xml:"label,attr" json:"label"`
	Source   string  `xml:"source,attr" json:"source"`
	Occluded int     `xml:"occluded,attr" json:"occluded"`
	X0       float64 `xml:"xtl,attr" json:"xtl"`
	Y0       float64 `xml:"ytl,attr" json:"ytl"`
	X1       float64 `xml:"xbr,attr" json:"xbr"`
	Y1       float64 `xml:"ybr,attr" json:"ybr"`
	Z        int     `xml:"z_order,attr" json:"z_order"`
}

type cvatShape struct {
	Label    string `xml:"label,attr" json:"label"`
	Source   string `xml:"source,attr" json:"source"`
	Occluded int    `xml:"occluded,attr" json:"occluded"`
	Points   string `xml:"points,attr" json:"points"` // "x,y;x,y;…"
	Z        int    `xml:"z_order,attr" json:"z_order"`
}

type cvatLabel struct {
	XMLName    xml.Name `xml:"label"`
	Name       string   `xml:"name"`
	Color      string   `xml:"color"`
	Type       string   `xml:"type"`
	Attributes string   `xml:"attributes"`
}

func createCVAT(t Target) (Writer, error) {
	log, err := openLog(t, "cvat", cvatFile)
	return &cvatWriter{t, log}, err
}

const cvatSource = "auto"

func (w *cvatWriter) Add(im *Image) error {
	if err := w.check(im); err != nil {
		return err
	}
	e := cvatImage{Name: w.fileName(im.ID), Subset: im.Split, Width: im.W, Height: im.H}
	for z := range im.Objects {
		o := &im.Objects[z]
		if !isClass(o.Class) {
			continue
		}
		label := w.Classes.Name(o.Class)
		if !o.Outlined() {
			e.Boxes = append(e.Boxes, cvatBox{Label: label, Source: cvatSource, X0: short(o.X0), Y0: short(o.Y0), X1: short(o.X1), Y1: short(o.Y1), Z: z})
			continue
		}
		rings, err := w.rings(o, im.W, im.H)
		if err != nil {
			return fmt.Errorf("%s: %w", im.ID, err)
		}
		for _, ring := range rings { // boxes come before polygons in the file, so z says what lies on top
			e.Polygons = append(e.Polygons, cvatShape{Label: label, Source: cvatSource, Points: cvatPoints(ring), Z: z})
		}
	}
	for _, s := range im.Scribbles {
		e.Polylines = append(e.Polylines, cvatShape{Label: w.Classes.Name(s.Class), Source: cvatSource, Points: cvatPoints(lineOf(s))})
	}
	for _, p := range im.Points {
		e.Points = append(e.Points, cvatShape{Label: w.Classes.Name(p.Class), Source: cvatSource, Points: cvatPoints([]float64{float64(p.X), float64(p.Y)})})
	}
	for _, c := range im.Tags {
		if isClass(c) {
			e.Tags = append(e.Tags, cvatTag{w.Classes.Name(c), cvatSource})
		}
	}
	return w.log.add(im.ID, e)
}

func cvatPoints(xy []float64) string {
	var out []byte
	for i, v := range xy {
		switch {
		case i%2 == 1:
			out = append(out, ',')
		case i > 0:
			out = append(out, ';')
		}
		digits := -1
		if v == float64(int(v)) {
			digits = 1 // 3.0, as CVAT writes whole numbers
		}
		out = strconv.AppendFloat(out, v, 'f', digits, 64)
	}
	return string(out)
}

// Close numbers the images by ascending id and writes the file.
func (w *cvatWriter) Close() error {
	return w.log.finish(func(ids []string, load func(string, any) error) error {
		return files.WriteAtomic(filepath.Join(w.Dir, cvatFile), func(out io.Writer) error {
			return w.encode(out, ids, load)
		})
	})
}

func (w *cvatWriter) encode(out io.Writer, ids []string, load func(string, any) error) error {
	buf := bufio.NewWriter(out)
	enc := xml.NewEncoder(buf)
	enc.Indent("  ", "  ")
	fmt.Fprintf(buf, "%s<annotations>\n  <version>1.1</version>\n  <meta><task><name>wsss</name><size>%d</size><mode>annotation</mode><labels>\n", xml.Header, len(ids))
	palette := data.VOCPalette()
	for i, name := range w.labels() {
		if err := enc.Encode(cvatLabel{Name: name, Color: hexColour(palette[(i+1)%256]), Type: "any"}); err != nil {
			return err
		}
	}
	fmt.Fprint(buf, "\n  </labels></task></meta>\n")
	for i, id := range ids {
		var e cvatImage
		if err := load(id, &e); err != nil {
			return err
		}
		e.ID = i
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	fmt.Fprint(buf, "\n</annotations>\n")
	return buf.Flush()
}

// labels are the classes, and background where somebody may have clicked on
// it.
func (w *cvatWriter) labels() []string {
	return append(slices.Clone(objectClasses(w.Classes)), w.Classes.Name(0))
}

func hexColour(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
