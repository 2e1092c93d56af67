package annotation

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"io"
	"path"
	"slices"
	"strings"

	"wsss/data"
)

func init() {
	Register(Format{
		Name:  "supervisely",
		What:  "Supervisely projects, img and ann folders: rectangle, polygon, bitmap, point, line, tags",
		Signs: map[string]func([]byte) bool{".json": isSupervisely},
		Read:  readSupervisely,
	})
}

func isSupervisely(head []byte) bool {
	h := readHead(head)
	return !h.list && h.has("size", "objects") || h.has("size", "tags") && h.keys["size"] == '{'
}

type slyFile struct {
	Size    struct{ Width, Height int } `json:"size"`
	Tags    []struct{ Name string }     `json:"tags"`
	Objects []slyObject                 `json:"objects"`
}

type slyObject struct {
	Class  string `json:"classTitle"`
	Kind   string `json:"geometryType"`
	Points struct {
		Exterior [][]float64   `json:"exterior"`
		Interior [][][]float64 `json:"interior"`
	} `json:"points"`
	Bitmap *struct {
		Data   string `json:"data"`
		Origin []int  `json:"origin"`
	} `json:"bitmap"`
}

func readSupervisely(src *Source, files []string, b *Builder) error {
	if err := declareSupervisely(src, b); err != nil {
		return err
	}
	parse := func(file string) (f slyFile, err error) { return f, src.readJSON(file, &f) }
	return each(files, parse, func(file string, f slyFile) error {
		from := src.Path(file)
		name := strings.TrimSuffix(file, path.Ext(file)) // a.jpg.json
		near := strings.ReplaceAll("/"+name, "/ann/", "/img/")[1:]
		im, err := b.Image(near, near, from)
		if err != nil || im == nil {
			return err
		}
		if im.W, im.H = f.Size.Width, f.Size.Height; im.W <= 0 || im.H <= 0 {
			return fmt.Errorf("%s: size of %d×%d pixels", from, im.W, im.H)
		}
		for _, tag := range f.Tags {
			if split := splitName(tag.Name); split != "" { // what the app's training writes
				im.Split = split
				continue
			}
			class, err := b.Class(tag.Name)
			if err != nil {
				return fmt.Errorf("%s: tag: %w", from, err)
			}
			im.Tags = append(im.Tags, class)
		}
		for i := range f.Objects {
			if err := f.Objects[i].add(b, im); err != nil {
				if err = b.leave(fmt.Errorf("%s: object %d (%.40q): %w", from, i+1, f.Objects[i].Class, err)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// declareSupervisely takes the classes of meta.json in their order.
func declareSupervisely(src *Source, b *Builder) error {
	for _, file := range src.Files {
		if path.Base(file) != "meta.json" {
			continue
		}
		var meta struct {
			Classes []struct{ Title string }
		}
		if err := src.readJSON(file, &meta); err != nil {
			return err
		}
		for _, c := range meta.Classes {
			if err := b.Declare(c.Title); err != nil {
				return fmt.Errorf("%s: %w", src.Path(file), err)
			}
		}
	}
	return nil
}

func (o *slyObject) add(b *Builder, im *Image) error {
	class, err := b.Class(o.Class)
	if err != nil {
		return err
	}
	if o.Kind == "bitmap" {
		return o.addBitmap(class, im)
	}
	// Points name pixels; their centres are meant, but for rectangles, which
	// include both corners.
	shift := 0.5
	if o.Kind == "rectangle" || o.Kind == "point" {
		shift = 0
	}
	xy, err := corners(o.Points.Exterior, shift)
	if err != nil {
		return err
	}
	switch o.Kind {
	case "rectangle":
		if len(xy) != 4 {
			return fmt.Errorf("rectangle of %d points: 2 are needed", len(xy)/2)
		}
		return im.AddBox(class, min(xy[0], xy[2]), min(xy[1], xy[3]), max(xy[0], xy[2])+1, max(xy[1], xy[3])+1)
	case "polygon":
		if len(xy) < 6 {
			return fmt.Errorf("polygon of %d points: at least 3 are needed", len(xy)/2)
		}
		for _, hole := range o.Points.Interior { // reached over a bridge of no width
			inner, err := corners(hole, shift)
			if err != nil {
				return err
			}
			if len(inner) >= 6 {
				xy = slices.Concat(xy, xy[:2], inner, inner[:2], xy[:2])
			}
		}
		return im.AddPolygon(class, xy)
	case "line":
		return im.AddLine(class, xy)
	case "point":
		if len(xy) != 2 {
			return fmt.Errorf("point of %d places", len(xy)/2)
		}
		return im.AddPoint(class, xy[0], xy[1])
	}
	return fmt.Errorf("geometryType %q: allowed are rectangle, polygon, bitmap, point and line", o.Kind)
}

// corners lists points as x0, y0, x1, y1, ….
func corners(points [][]float64, shift float64) ([]float64, error) {
	var xy []float64
	for _, p := range points {
		if len(p) != 2 {
			return nil, errors.New("a point is not x and y")
		}
		xy = append(xy, p[0]+shift, p[1]+shift)
	}
	return xy, nil
}

// addBitmap adds a mask: a PNG, compressed once more, in base64.
func (o *slyObject) addBitmap(class int, im *Image) error {
	if o.Bitmap == nil || len(o.Bitmap.Origin) != 2 {
		return errors.New("bitmap without data or origin")
	}
	packed, err := base64.StdEncoding.DecodeString(o.Bitmap.Data)
	if err != nil {
		return fmt.Errorf("bitmap: %w", err)
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("bitmap: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(z, 64<<20))
	if err != nil {
		return fmt.Errorf("bitmap: %w", err)
	}
	part, w, h, err := decodeBitmap(raw)
	if err != nil {
		return err
	}
	mask, err := place(o.Bitmap.Origin[0], o.Bitmap.Origin[1], w, h, im.W, im.H, part)
	if err != nil {
		return err
	}
	return im.AddMask(class, mask)
}

// decodeBitmap reads a picture of at most data.MaxPixels whose set pixels are
// inside. Where some are transparent these are the others, whatever their
// colour; else those that are not black. A picture that could be transparent,
// is nowhere and is all black is a full mask.
func decodeBitmap(raw []byte) (inside func(i, j int) bool, w, h int, err error) {
	cfg, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err == nil && int64(cfg.Width)*int64(cfg.Height) > data.MaxPixels {
		err = fmt.Errorf("%d×%d pixels: at most %d are allowed", cfg.Width, cfg.Height, data.MaxPixels)
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("mask: %w", err)
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("mask: %w", err)
	}
	visible := func(i, j int) bool {
		_, _, _, a := img.At(i, j).RGBA()
		return a > 0
	}
	if o, ok := img.(interface{ Opaque() bool }); ok && !o.Opaque() {
		return visible, cfg.Width, cfg.Height, nil
	}
	bright := func(i, j int) bool {
		r, g, b, _ := img.At(i, j).RGBA()
		return r+g+b > 0
	}
	if _, alpha := img.(*image.NRGBA); alpha && !anyPixel(cfg.Width, cfg.Height, bright) {
		return visible, cfg.Width, cfg.Height, nil
	}
	return bright, cfg.Width, cfg.Height, nil
}

// anyPixel tells whether a mask of w×h pixels holds any.
func anyPixel(w, h int, inside func(i, j int) bool) bool {
	for j := range h {
		for i := range w {
			if inside(i, j) {
				return true
			}
		}
	}
	return false
}
