package annotation

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/text"
)

func init() {
	Register(Format{
		Name:     "cvat",
		What:     "CVAT for images 1.1 (XML): box, polygon, polyline, points, mask, ellipse, tag",
		Writes:   "cvat.xml: CVAT for images 1.1, boxes and polygons",
		Polygons: true,
		Create:   createCVAT,
		Signs:    map[string]func([]byte) bool{".xml": isCVAT},
		Read: func(src *Source, files []string, b *Builder) error {
			return eachLocated(src, files, func(file string) error { return readCVAT(src, file, b) })
		},
	})
}

func isCVAT(head []byte) bool {
	return bytes.Contains(head, []byte("<annotations")) && (bytes.Contains(head, []byte("<meta>")) || bytes.Contains(head, []byte("<image ")))
}

// cvatImageIn is an <image> with its shapes in the order of the file.
type cvatImageIn struct {
	Name   string        `xml:"name,attr"`
	Subset string        `xml:"subset,attr"`
	W      int           `xml:"width,attr"`
	H      int           `xml:"height,attr"`
	Shapes []cvatShapeIn `xml:",any"`
}

// cvatShapeIn is any shape.
type cvatShapeIn struct {
	XMLName  xml.Name
	Label    string  `xml:"label,attr"`
	X0       float64 `xml:"xtl,attr"`
	Y0       float64 `xml:"ytl,attr"`
	X1       float64 `xml:"xbr,attr"`
	Y1       float64 `xml:"ybr,attr"`
	Rotation float64 `xml:"rotation,attr"` // degrees, clockwise about the centre
	Points   string  `xml:"points,attr"`   // "x,y;x,y"
	Z        int     `xml:"z_order,attr"`
	RLE      string  `xml:"rle,attr"` // row by row in the rectangle, outside first
	Left     int     `xml:"left,attr"`
	Top      int     `xml:"top,attr"`
	Width    int     `xml:"width,attr"`
	Height   int     `xml:"height,attr"`
	CX       float64 `xml:"cx,attr"`
	CY       float64 `xml:"cy,attr"`
	RX       float64 `xml:"rx,attr"`
	RY       float64 `xml:"ry,attr"`
}

// readCVAT reads image by image. Errors begin with the line.
func readCVAT(src *Source, file string, b *Builder) error {
	f, _, err := files.OpenRegular(src.Path(file))
	if err != nil {
		return fmt.Errorf(" %w", err)
	}
	defer f.Close()
	return parseCVAT(io.LimitReader(f, maxFile), src, file, b)
}

func parseCVAT(r io.Reader, src *Source, file string, b *Builder) error {
	dec, err := text.NewXMLDecoder(r)
	if err != nil {
		return fmt.Errorf(" %w", err)
	}
	fail := func(err error) error {
		line, _ := dec.InputPos()
		return fmt.Errorf("%d: %w", line, err)
	}
	var path []string
	bad := &data.LineErrors{}
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return bad.Err()
		}
		if err != nil {
			return fail(err)
		}
		switch t := token.(type) {
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.StartElement:
			switch {
			case t.Name.Local == "track":
				return fail(errors.New("a track of a video: export the task as \"CVAT for images 1.1\""))
			case t.Name.Local == "label" && len(path) > 1 && path[len(path)-1] == "labels":
				var label struct {
					Name string `xml:"name"`
				}
				if err = dec.DecodeElement(&label, &t); err == nil {
					err = b.Declare(label.Name)
				}
			case t.Name.Local == "image" && len(path) == 1:
				var im cvatImageIn
				if err = dec.DecodeElement(&im, &t); err != nil {
					break
				}
				if err := im.add(src, file, b); err != nil {
					line, _ := dec.InputPos()
					bad.Add(line, err)
				}
			default:
				if path = append(path, t.Name.Local); len(path) > 32 {
					err = errors.New("elements nest deeper than 32")
				}
			}
			if err != nil {
				return fail(err)
			}
		}
	}
}

func (in *cvatImageIn) add(src *Source, file string, b *Builder) error {
	im, err := b.Image(in.Name, file, fmt.Sprintf("%s: image %q", src.Path(file), in.Name))
	if err != nil || im == nil {
		return err
	}
	im.Split = cmp.Or(splitName(in.Subset), im.Split)
	if im.W, im.H = in.W, in.H; im.W <= 0 || im.H <= 0 {
		return fmt.Errorf("image %q of %d×%d pixels", in.Name, in.W, in.H)
	}
	for i := range in.Shapes {
		s := &in.Shapes[i]
		if err := s.add(b, im); err != nil {
			err = fmt.Errorf("image %q: %s %d: %w", in.Name, s.XMLName.Local, i+1, err)
			if b.leave(fmt.Errorf("%s: %w", src.Path(file), err)) != nil {
				return err // the caller names the file, with the line
			}
		}
	}
	return nil
}

func (s *cvatShapeIn) add(b *Builder, im *Image) error {
	kind := s.XMLName.Local
	class, err := b.Class(s.Label)
	if err != nil {
		return err
	}
	before := len(im.Objects)
	switch kind {
	case "box":
		x0, y0, x1, y1 := s.X0, s.Y0, s.X1, s.Y1
		if s.Rotation != 0 {
			x0, y0, x1, y1 = data.TurnedBounds((s.X0+s.X1)/2, (s.Y0+s.Y1)/2, s.X1-s.X0, s.Y1-s.Y0, s.Rotation*math.Pi/180)
		}
		err = im.AddBox(class, x0, y0, x1, y1)
	case "ellipse":
		err = im.AddPolygon(class, ellipse(s.CX, s.CY, s.RX, s.RY, s.Rotation))
	case "mask":
		var mask data.RLE
		if mask, err = s.mask(im.W, im.H); err == nil {
			err = im.AddMask(class, mask)
		}
	case "tag":
		im.Tags = append(im.Tags, class)
	case "polygon", "polyline", "points":
		var xy []float64
		if xy, err = cvatNumbers(s.Points); err != nil {
			return err
		}
		switch kind {
		case "polygon":
			err = im.AddPolygon(class, xy)
		case "polyline":
			err = im.AddLine(class, xy)
		default:
			for i := 0; i < len(xy) && err == nil; i += 2 {
				err = im.AddPoint(class, xy[i], xy[i+1])
			}
		}
	default:
		return errors.New("shapes of this kind are not read: allowed are box, polygon, polyline, points, mask, ellipse, tag")
	}
	for i := before; i < len(im.Objects); i++ {
		im.Objects[i].Z = s.Z
	}
	return err
}

// cvatNumbers reads "x,y;x,y".
func cvatNumbers(list string) ([]float64, error) {
	var xy []float64
	for pair := range strings.SplitSeq(list, ";") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		x, y, ok := strings.Cut(pair, ",")
		u, err1 := strconv.ParseFloat(strings.TrimSpace(x), 64)
		v, err2 := strconv.ParseFloat(strings.TrimSpace(y), 64)
		if !ok || err1 != nil || err2 != nil {
			return nil, fmt.Errorf("point %.40q: allowed is x,y", pair)
		}
		xy = append(xy, u, v)
	}
	return xy, nil
}

// mask reads run lengths, row by row within the shape's rectangle.
func (s *cvatShapeIn) mask(w, h int) (data.RLE, error) {
	if s.Width <= 0 || s.Height <= 0 || int64(s.Width)*int64(s.Height) > data.MaxPixels {
		return data.RLE{}, fmt.Errorf("a mask of %d×%d pixels", s.Width, s.Height)
	}
	part := make([]bool, s.Width*s.Height)
	at := 0
	inside := false
	for run := range strings.SplitSeq(s.RLE, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(run))
		if err != nil || n < 0 || n > len(part)-at {
			return data.RLE{}, fmt.Errorf("rle: run %.20q: allowed are lengths that fill %d×%d pixels", run, s.Width, s.Height)
		}
		if inside {
			for i := range n {
				part[at+i] = true
			}
		}
		at += n
		inside = !inside
	}
	if at != len(part) {
		return data.RLE{}, fmt.Errorf("rle covers %d of %d×%d pixels", at, s.Width, s.Height)
	}
	return place(s.Left, s.Top, s.Width, s.Height, w, h, func(i, j int) bool { return part[j*s.Width+i] })
}
