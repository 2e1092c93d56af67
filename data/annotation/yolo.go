package annotation

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"wsss/data"
)

func init() {
	Register(Format{
		Name:     "yolo",
		What:     "YOLO boxes and polygons: data.yaml or classes.txt, a .txt for each photo",
		Writes:   "yolo/labels/<id>.txt and data.yaml: YOLO boxes and segmentation polygons",
		Polygons: true,
		Create:   createYOLO,
		Signs:    map[string]func([]byte) bool{".txt": isYOLO},
		Find:     findYOLO,
		Read:     readYOLO,
	})
}

// findYOLO lists label files: those beside or parallel to a photo, whose first
// line is numbers, and what lies with these and is called like a photo or holds
// numbers. Lists and tables of names are none.
func findYOLO(src *Source) []string {
	var found, others []string
	for _, file := range src.Signed("yolo") {
		if id, err := src.Find(strings.TrimSuffix(file, path.Ext(file)), file); id != "" || err != nil {
			found = append(found, file)
		} else {
			others = append(others, file)
		}
	}
	// Empty files say that a photo holds nothing; alone they are no labels.
	if !slices.ContainsFunc(found, func(file string) bool { return len(bytes.TrimSpace(src.head(file))) > 0 }) {
		return nil
	}
	folders := map[string]bool{}
	for _, file := range found {
		folders[path.Dir(file)] = true
	}
	for _, file := range others { // of photos that are not there
		if folders[path.Dir(file)] {
			found = append(found, file)
		}
	}
	return src.withNeighbours(found)
}

// isYOLO recognises a class number and at least four fractions.
func isYOLO(head []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) == 0 {
		return true // an empty file
	}
	if len(fields) < 5 {
		return false
	}
	class, err := strconv.ParseFloat(fields[0], 64)
	_, err2 := strconv.ParseFloat(fields[1], 64)
	return err == nil && err2 == nil && class >= 0
}

// yoloLabels are the rows of one file, in fractions of the photo's sides.
type yoloLabels struct {
	id   string
	w, h int
	rows []yoloRow
}

type yoloRow struct {
	line  int
	class int
	xy    []float64 // x, y, width, height of a box, or the corners of a polygon
}

func (r yoloRow) isBox() bool { return len(r.xy) == 4 }

func readYOLO(src *Source, files []string, b *Builder) error {
	meta, err := readYOLOMeta(src)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(slices.Clone(files), func(file string) bool { return ext(file) != ".txt" })
	if len(files) == 0 { // named by their data.yaml
		if files = findYOLO(src); len(files) == 0 {
			return fmt.Errorf("%s: %w: no .txt with labels belongs to a photo", src.Root, ErrNone)
		}
	}
	for _, name := range meta.names {
		if err := b.Declare(name); err != nil {
			return fmt.Errorf("%s: %w", meta.from, err)
		}
	}
	b.set.splits = meta.split
	oriented := orientedBoxes{}
	parse := func(file string) (yoloLabels, error) { return parseYOLOFile(src, meta, file) }
	err = each(files, parse, func(file string, l yoloLabels) error {
		if l.id == "" {
			b.miss(file)
			return nil
		}
		im := b.Photo(l.id, src.Path(file))
		im.W, im.H = l.w, l.h
		im.Split = cmp.Or(meta.split[l.id], im.Split)
		for _, r := range l.rows {
			name, err := meta.name(r.class)
			class := 0
			if err == nil {
				class, err = b.Class(name)
			}
			if err == nil {
				err = r.add(im, class)
			}
			if err != nil {
				if err = b.leave(fmt.Errorf("%s:%d: %w", src.Path(file), r.line, err)); err != nil {
					return err
				}
				continue
			}
			oriented.see(r, l.w, l.h)
		}
		return nil
	})
	if err == nil && oriented.all() {
		return fmt.Errorf("%s: the rows are oriented boxes (a class and four corners at right angles), which are no outlines: export axis-aligned boxes or polygons", src.Path(files[0]))
	}
	return err
}

func parseYOLOFile(src *Source, meta *yoloMeta, file string) (l yoloLabels, err error) {
	name := strings.TrimSuffix(file, path.Ext(file))
	if l.id, err = src.Find(yoloPhoto(name), yoloPhoto(file)); err != nil || l.id == "" {
		return l, data.Located(src.Path(file), err)
	}
	if l.w, l.h, err = src.Size(l.id); err != nil {
		return l, err
	}
	raw, err := src.read(file)
	if err != nil {
		return l, err
	}
	l.rows, err = parseYOLO(raw, meta.keypoints)
	return l, data.Located(src.Path(file), err)
}

// yoloPhoto is where the photo of a label file lies: folders called labels are
// parallel to such called images.
func yoloPhoto(label string) string {
	parts := strings.Split(label, "/")
	for i := len(parts) - 2; i >= 0; i-- {
		if parts[i] == "labels" {
			parts[i] = "images"
			break
		}
	}
	return strings.Join(parts, "/")
}

// parseYOLO reads rows "class x y width height" and "class x y x y x y …", all
// but the class in fractions of the photo's sides. A sixth number of a box is
// its confidence, as predictions have it. Errors begin with the line.
func parseYOLO(raw []byte, keypoints bool) ([]yoloRow, error) {
	var rows []yoloRow
	n := 0
	for text := range bytes.Lines(raw) {
		n++
		fields := strings.Fields(string(text))
		if len(fields) == 0 {
			continue
		}
		v := make([]float64, len(fields))
		for i, f := range fields {
			var err error
			if v[i], err = strconv.ParseFloat(f, 64); err != nil {
				return nil, fmt.Errorf("%d: %.40q is not a number: a row is class x y width height, or class and the corners of a polygon", n, f)
			}
		}
		class := v[0]
		if class != math.Trunc(class) || !(class >= 0 && class < 1<<16) {
			return nil, fmt.Errorf("%d: class %v: allowed are whole numbers from 0", n, class)
		}
		v = v[1:]
		switch {
		case keypoints && len(v) > 4:
			return nil, fmt.Errorf("%d: a row of keypoints (pose), which are no labels of pixels: export boxes or polygons", n)
		case len(v) == 5:
			v = v[:4]
		case len(v) == 4 || len(v) >= 6 && len(v)%2 == 0:
		default:
			return nil, fmt.Errorf("%d: %d numbers after the class: allowed are 4 of a box or at least 3 pairs of a polygon (rows of keypoints are not read)", n, len(v))
		}
		for _, f := range v {
			if !(f >= -slack && f <= 1+slack) {
				return nil, fmt.Errorf("%d: %v is no fraction of the photo's side: allowed are 0..1", n, f)
			}
		}
		rows = append(rows, yoloRow{n, int(class), v})
	}
	return rows, nil
}

// slack is how far rounding may carry a fraction beyond the photo.
const slack = 0.02

// add adds a row to its image, in pixels.
func (r yoloRow) add(im *Image, class int) error {
	w, h := float64(im.W), float64(im.H)
	if r.isBox() {
		x, y, bw, bh := r.xy[0]*w, r.xy[1]*h, r.xy[2]*w, r.xy[3]*h
		return im.AddBox(class, snap(x-bw/2), snap(y-bh/2), snap(x+bw/2), snap(y+bh/2))
	}
	ring := make([]float64, len(r.xy))
	for i := 0; i < len(ring); i += 2 {
		ring[i], ring[i+1] = snap(r.xy[i]*w), snap(r.xy[i+1]*h)
	}
	return im.AddPolygon(class, ring)
}

// snap returns to a whole or half pixel what six digits of a fraction took from
// it: less than a fiftieth of a pixel.
func snap(v float64) float64 {
	if near := math.Round(2*v) / 2; math.Abs(near-v) < 0.02 {
		return near
	}
	return v
}

// orientedBoxes finds out whether the quadrilaterals of a data set are boxes
// at an angle: all of its rows are rectangles, and not all are upright.
type orientedBoxes struct{ rows, rectangles, upright int }

func (o *orientedBoxes) see(r yoloRow, w, h int) {
	o.rows++
	if len(r.xy) != 8 {
		return
	}
	p := make([][2]float64, 4)
	for i := range p {
		p[i] = [2]float64{r.xy[2*i] * float64(w), r.xy[2*i+1] * float64(h)}
	}
	right, upright := true, true
	for i := range p {
		a, c, d := p[i], p[(i+1)%4], p[(i+2)%4]
		x1, y1, x2, y2 := c[0]-a[0], c[1]-a[1], d[0]-c[0], d[1]-c[1]
		long := math.Hypot(x1, y1) * math.Hypot(x2, y2)
		right = right && math.Abs(x1*x2+y1*y2) <= 0.03*long && long > 0
		upright = upright && min(math.Abs(x1), math.Abs(y1)) < 1
	}
	if right {
		o.rectangles++
	}
	if upright {
		o.upright++
	}
}

func (o *orientedBoxes) all() bool { return o.rows > 0 && o.rectangles == o.rows && o.upright < o.rows }
