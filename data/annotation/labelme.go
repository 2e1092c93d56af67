package annotation

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	_ "image/png" // masks inside the files
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"wsss/data"
)

func init() {
	Register(Format{
		Name:     "labelme",
		What:     "labelme JSON, one for each photo: polygon, rectangle, circle, line, linestrip, point, mask; flags",
		Writes:   "labelme/<id>.json: labelme rectangles and polygons",
		Polygons: true,
		Create:   createLabelme,
		Signs:    map[string]func([]byte) bool{".json": isLabelme},
		Find:     func(src *Source) []string { return src.withNeighbours(src.Signed("labelme")) },
		Read:     readLabelme,
	})
}

func isLabelme(head []byte) bool {
	h := readHead(head)
	if h.list || h.has("images", "annotations") {
		return false
	}
	// Files that were sorted by key show no more than the photo inside.
	return h.has("shapes") && h.keys["shapes"] == '[' || h.has("version", "flags", "imagePath") || h.has("imageData")
}

// labelmeIn is a file as labelme writes it. The photo that it may hold is not
// read.
type labelmeIn struct {
	Flags     map[string]any   `json:"flags"`
	Shapes    []labelmeShapeIn `json:"shapes"`
	ImagePath string           `json:"imagePath"`
	Height    whole            `json:"imageHeight"`
	Width     whole            `json:"imageWidth"`
}

type labelmeShapeIn struct {
	Label  name        `json:"label"`
	Type   string      `json:"shape_type"`
	Points [][]float64 `json:"points"`
	Group  *name       `json:"group_id"`
	Mask   string      `json:"mask"` // PNG in base64, its corners in Points
}

func readLabelme(src *Source, files []string, b *Builder) error {
	if err := declareLabelme(src, b); err != nil {
		return err
	}
	flags, known := map[*Image][]string{}, map[string]bool{}
	shapes := 0
	parse := func(file string) (f labelmeIn, err error) { return f, src.readJSON(file, &f) }
	err := each(files, parse, func(file string, f labelmeIn) error {
		from := src.Path(file)
		im, err := labelmeImage(src, b, file, f.ImagePath)
		if err != nil || im == nil {
			return err
		}
		if im.W, im.H = int(f.Width), int(f.Height); im.W <= 0 || im.H <= 0 {
			if im.W, im.H, err = src.Size(im.ID); err != nil {
				return err
			}
		}
		groups := map[string]int{} // label and group → its object
		for i, s := range f.Shapes {
			shapes++
			if err := s.add(b, im, groups); err != nil {
				if err = b.leave(fmt.Errorf("%s: shape %d (%.40q): %w", from, i+1, s.Label, err)); err != nil {
					return err
				}
			}
		}
		for name, set := range f.Flags {
			known[name] = true
			if set == true {
				flags[im] = append(flags[im], name)
			}
		}
		return nil
	})
	if err != nil || shapes > 0 {
		return err
	}
	// Without a shape anywhere the flags are the labels of whole images. Those
	// that are set nowhere are classes, too.
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if err := b.AddClass(name); err != nil {
			return fmt.Errorf("%s: flag: %w", src.Path(files[0]), err)
		}
	}
	for im, names := range flags {
		slices.Sort(names)
		for _, name := range names {
			class, err := b.Class(name)
			if err != nil {
				return fmt.Errorf("%s: flag: %w", im.From, err)
			}
			im.Tags = append(im.Tags, class)
		}
	}
	return nil
}

// declareLabelme reads the list of labels that labelme was started with, if
// it lies in the root.
func declareLabelme(src *Source, b *Builder) error {
	if !slices.Contains(src.Files, "labels.txt") {
		return nil
	}
	raw, err := src.read("labels.txt")
	if err != nil {
		return err
	}
	for line := range bytes.Lines(raw) {
		if name := string(bytes.TrimSpace(line)); name != "" {
			if err := b.Declare(name); err != nil {
				return fmt.Errorf("%s: %w", src.Path("labels.txt"), err)
			}
		}
	}
	return nil
}

// labelmeImage finds the photo by the path in the file, then by the file's own
// name.
func labelmeImage(src *Source, b *Builder, file, imagePath string) (*Image, error) {
	own := strings.TrimSuffix(file, path.Ext(file))
	if imagePath != "" {
		id, err := src.Find(imagePath, file)
		if err != nil { // two of that name: the one that is called like the file
			if byName, err2 := src.Find(own, file); err2 == nil && byName != "" {
				id, err = byName, nil
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: imagePath: %w", src.Path(file), err)
		}
		if id != "" {
			return b.Photo(id, src.Path(file)), nil
		}
	}
	if id, err := src.Find(own, file); err == nil && id != "" {
		return b.Photo(id, src.Path(file)), nil
	}
	return b.Image(cmp.Or(imagePath, own), file, src.Path(file))
}

// add adds a shape to its image. Polygons of one label and group are one
// object.
func (s *labelmeShapeIn) add(b *Builder, im *Image, groups map[string]int) error {
	class, err := b.Class(string(s.Label))
	if err != nil {
		return err
	}
	xy := make([]float64, 0, 2*len(s.Points))
	for _, p := range s.Points {
		if len(p) < 2 {
			return errors.New("a point is not x and y")
		}
		xy = append(xy, p[0], p[1])
	}
	need := func(n int) error {
		if len(xy) != 2*n {
			return fmt.Errorf("%s of %d points: %d are needed", s.Type, len(s.Points), n)
		}
		return nil
	}
	switch s.Type {
	case "polygon", "quadrilateral", "": // old versions know only polygons
		if s.Group != nil {
			key := fmt.Sprintf("%s/%s", *s.Group, s.Label)
			if i, ok := groups[key]; ok {
				return im.Objects[i].addRing(xy)
			}
			if err := im.AddPolygon(class, xy); err != nil {
				return err
			}
			groups[key] = len(im.Objects) - 1
			return nil
		}
		return im.AddPolygon(class, xy)
	case "rectangle":
		if len(xy) == 8 { // four corners, as later versions write them
			xy = []float64{min(xy[0], xy[4]), min(xy[1], xy[5]), max(xy[0], xy[4]), max(xy[1], xy[5])}
		}
		if len(xy) != 4 {
			return need(2)
		}
		return im.AddBox(class, xy[0], xy[1], xy[2], xy[3])
	case "oriented_rectangle", "rotation": // four corners, at an angle: its bounds; X-AnyLabeling's name
		x0, y0, x1, y1 := bounds(xy)
		return im.AddBox(class, x0, y0, x1, y1)
	case "circle":
		if len(xy) != 4 {
			return need(2)
		}
		r := math.Hypot(xy[2]-xy[0], xy[3]-xy[1])
		return im.AddPolygon(class, ellipse(xy[0], xy[1], r, r, 0))
	case "line", "linestrip":
		return im.AddLine(class, xy)
	case "point", "points":
		for i := 0; i < len(xy); i += 2 {
			if err := im.AddPoint(class, xy[i], xy[i+1]); err != nil {
				return err
			}
		}
		return nil
	case "mask":
		if len(xy) < 4 {
			return need(2)
		}
		mask, err := labelmeMask(s.Mask, int(xy[0]), int(xy[1]), im.W, im.H)
		if err != nil {
			return err
		}
		return im.AddMask(class, mask)
	}
	return fmt.Errorf("shape_type %q: allowed are polygon, quadrilateral, rectangle, oriented_rectangle, rotation, circle, line, linestrip, point, points and mask", s.Type)
}

// addRing adds a piece to an object.
func (o *Object) addRing(ring []float64) error {
	var piece Labels
	if err := piece.AddPolygon(o.Class, ring); err != nil {
		return err
	}
	box := piece.Objects[0].Box
	o.Rings = append(o.Rings, ring)
	o.X0, o.Y0, o.X1, o.Y1 = min(o.X0, box.X0), min(o.Y0, box.Y0), max(o.X1, box.X1), max(o.Y1, box.Y1)
	return nil
}

// ellipse is a polygon of 72 corners; angle is in degrees, clockwise.
func ellipse(cx, cy, rx, ry, angle float64) []float64 {
	sin, cos := math.Sincos(angle * math.Pi / 180)
	var ring []float64
	for i := range 72 {
		s, c := math.Sincos(float64(i) * math.Pi / 36)
		ring = append(ring, cx+c*rx*cos-s*ry*sin, cy+c*rx*sin+s*ry*cos)
	}
	return ring
}

// labelmeMask places a mask whose upper left pixel is (x, y) on w×h pixels.
func labelmeMask(text string, x, y, w, h int) (data.RLE, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return data.RLE{}, fmt.Errorf("mask: %w", err)
	}
	part, pw, ph, err := decodeBitmap(raw)
	if err != nil {
		return data.RLE{}, err
	}
	return place(x, y, pw, ph, w, h, part)
}

// place makes the mask of w×h pixels that holds a part of pw×ph pixels at
// (x, y); what lies outside is cut off.
func place(x, y, pw, ph, w, h int, inside func(i, j int) bool) (data.RLE, error) {
	if w <= 0 || h <= 0 || int64(w)*int64(h) > data.MaxPixels {
		return data.RLE{}, fmt.Errorf("a photo of %d×%d pixels: at most %d are allowed", w, h, data.MaxPixels)
	}
	mask := make([]uint8, w*h)
	for j := max(0, -y); j < ph && y+j < h; j++ {
		for i := max(0, -x); i < pw && x+i < w; i++ {
			if inside(i, j) {
				mask[(y+j)*w+x+i] = 1
			}
		}
	}
	return data.EncodeRLE(mask, w, h), nil
}
