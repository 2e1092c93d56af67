package export

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"io"
	"path/filepath"
	"strconv"

	"wsss/data"
	"wsss/data/files"
)

// cvatWriter writes cvat.xml, "CVAT for images 1.1": one polygon per region.
type cvatWriter struct {
	target
	log *entryLog
}

const cvatFile = "cvat.xml"

type cvatImage struct {
	XMLName  xml.Name      `xml:"image" json:"-"`
	ID       int           `xml:"id,attr" json:"id"`
	Name     string        `xml:"name,attr" json:"name"`
	Width    int           `xml:"width,attr" json:"width"`
	Height   int           `xml:"height,attr" json:"height"`
	Polygons []cvatPolygon `xml:"polygon" json:"polygons"`
}

type cvatPolygon struct {
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

func newCVAT(t target) (Writer, error) {
	log, err := openLog(t, "cvat", cvatFile)
	return &cvatWriter{t, log}, err
}

func (w *cvatWriter) Add(id string, img *image.NRGBA, label *data.LabelMap) error {
	if err := w.check(id, img, label); err != nil {
		return err
	}
	e := cvatImage{Name: w.opts.fileName(id), Width: label.W, Height: label.H}
	for _, r := range Regions(label, w.opts.MinArea) {
		e.Polygons = append(e.Polygons, cvatPolygon{
			Label: w.classes.Name(r.Class), Source: "auto", Points: cvatPoints(r.Simplified(w.opts.Tolerance)),
		})
	}
	return w.log.add(id, e)
}

func cvatPoints(ring []image.Point) string {
	var out []byte
	for i, p := range ring {
		if i > 0 {
			out = append(out, ';')
		}
		out = strconv.AppendInt(out, int64(p.X), 10)
		out = append(out, ".0,"...)
		out = strconv.AppendInt(out, int64(p.Y), 10)
		out = append(out, ".0"...)
	}
	return string(out)
}

// Close numbers the images by ascending id and writes the file.
func (w *cvatWriter) Close() error {
	return w.log.finish(func(ids []string, load func(string, any) error) error {
		return files.WriteAtomic(filepath.Join(w.dir, cvatFile), func(out io.Writer) error {
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
	for i, name := range objectClasses(w.classes) {
		if err := enc.Encode(cvatLabel{Name: name, Color: hexColour(palette[i+1]), Type: "polygon"}); err != nil {
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

func hexColour(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
