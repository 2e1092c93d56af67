package annotation

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

func init() {
	Register(Format{
		Name:  "via",
		What:  "VGG Image Annotator 1 and 2, JSON and CSV: rect, polygon, circle, ellipse, point, polyline",
		Signs: map[string]func([]byte) bool{".json": isVIA, ".csv": isVIATable},
		Read:  readVIA,
	})
}

// isVIA recognises a project, or an object of images.
func isVIA(head []byte) bool {
	h := readHead(head)
	if h.has("_via_settings") || h.has("_via_img_metadata") {
		return true
	}
	return !h.list && !h.has("shapes") && bytes.Contains(head, []byte(`"regions"`)) && bytes.Contains(head, []byte(`"filename"`))
}

func isVIATable(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.Contains(line, []byte("filename")) && bytes.Contains(line, []byte("region_shape_attributes"))
}

// viaImage is a photo with its regions, which version 1 numbers as keys of an
// object.
type viaImage struct {
	Name    string          `json:"filename"`
	Regions json.RawMessage `json:"regions"`
}

type viaRegion struct {
	Shape viaShape       `json:"shape_attributes"`
	Class map[string]any `json:"region_attributes"`
}

type viaShape struct {
	Name          string `json:"name"`
	X, Y          float64
	Width, Height float64
	CX, CY        float64
	R, RX, RY     float64
	Theta         float64
	XS            []float64 `json:"all_points_x"`
	YS            []float64 `json:"all_points_y"`
}

func readVIA(src *Source, files []string, b *Builder) error {
	for _, file := range files {
		read := readVIAJSON
		if ext(file) == ".csv" {
			read = readVIATable
		}
		if err := read(src, file, b); err != nil {
			return err
		}
	}
	return nil
}

func readVIAJSON(src *Source, file string, b *Builder) error {
	raw, err := src.read(file)
	if err != nil {
		return err
	}
	var project struct {
		Images map[string]viaImage `json:"_via_img_metadata"`
	}
	if err := decodeJSON(raw, src.Path(file), &project); err != nil {
		return err
	}
	if project.Images == nil {
		if err := decodeJSON(raw, src.Path(file), &project.Images); err != nil {
			return err
		}
	}
	keys := make([]string, 0, len(project.Images))
	for key := range project.Images {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		in := project.Images[key]
		from := fmt.Sprintf("%s: image %q", src.Path(file), in.Name)
		regions, err := viaRegions(in.Regions)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		im, err := viaPhoto(src, b, in.Name, file, from)
		if err != nil {
			return err
		}
		for i := 0; im != nil && i < len(regions); i++ {
			if err := regions[i].add(b, im); err != nil {
				return fmt.Errorf("%s: region %d: %w", from, i+1, err)
			}
		}
	}
	return nil
}

// viaPhoto is the image of a name, with the size of its photo: VIA notes none.
func viaPhoto(src *Source, b *Builder, name, file, from string) (*Image, error) {
	im, err := b.Image(name, file, from)
	if err != nil || im == nil || im.W > 0 {
		return im, err
	}
	im.W, im.H, err = src.Size(im.ID)
	return im, err
}

func viaRegions(raw []byte) ([]viaRegion, error) {
	var list []viaRegion
	if len(raw) == 0 || json.Unmarshal(raw, &list) == nil {
		return list, nil
	}
	var numbered map[string]viaRegion
	if err := json.Unmarshal(raw, &numbered); err != nil {
		return nil, fmt.Errorf("regions: %w", err)
	}
	keys := make([]string, 0, len(numbered))
	for key := range numbered {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { // by number
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	for _, key := range keys {
		list = append(list, numbered[key])
	}
	return list, nil
}

// className is the value of the attribute that names the class: of the usual
// names the first, else the first by name that has a text; of check boxes the
// one that is set.
func className(attributes map[string]any) string {
	keys := make([]string, 0, len(attributes))
	for key := range attributes {
		keys = append(keys, key)
	}
	usual := []string{"class", "label", "name", "type", "category", "object"}
	order := func(key string) int {
		if i := slices.Index(usual, strings.ToLower(key)); i >= 0 {
			return i
		}
		return len(usual)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if order(a) != order(b) {
			return order(a) - order(b)
		}
		return strings.Compare(a, b)
	})
	for _, key := range keys {
		switch v := attributes[key].(type) {
		case string:
			if strings.TrimSpace(v) != "" {
				return v
			}
		case map[string]any:
			names := []string{}
			for name, set := range v {
				if set == true {
					names = append(names, name)
				}
			}
			if len(names) > 0 {
				slices.Sort(names)
				return names[0]
			}
		}
	}
	return ""
}

func (r *viaRegion) add(b *Builder, im *Image) error {
	name := className(r.Class)
	if name == "" {
		return errors.New("no attribute names its class")
	}
	class, err := b.Class(name)
	if err != nil {
		return err
	}
	s := &r.Shape
	var xy []float64
	if len(s.XS) != len(s.YS) {
		return fmt.Errorf("%s of %d x and %d y", s.Name, len(s.XS), len(s.YS))
	}
	for i := range s.XS {
		xy = append(xy, s.XS[i], s.YS[i])
	}
	switch s.Name {
	case "rect":
		return im.AddBox(class, s.X, s.Y, s.X+s.Width, s.Y+s.Height)
	case "polygon":
		return im.AddPolygon(class, xy)
	case "polyline":
		return im.AddLine(class, xy)
	case "circle":
		return im.AddPolygon(class, ellipse(s.CX, s.CY, s.R, s.R, 0))
	case "ellipse":
		return im.AddPolygon(class, ellipse(s.CX, s.CY, s.RX, s.RY, s.Theta*180/math.Pi))
	case "point":
		return im.AddPoint(class, s.CX, s.CY)
	}
	return fmt.Errorf("shape %q: allowed are rect, polygon, circle, ellipse, point, polyline", s.Name)
}

// readVIATable reads VIA's CSV, a row for each region.
func readVIATable(src *Source, file string, b *Builder) error {
	raw, err := src.read(file)
	if err != nil {
		return err
	}
	in := csv.NewReader(bytes.NewReader(raw))
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	column := map[string]int{}
	for {
		row, err := in.Read()
		if err == io.EOF {
			return nil
		}
		line, _ := in.FieldPos(0)
		if err != nil {
			return fmt.Errorf("%s: %w", src.Path(file), err)
		}
		if len(column) == 0 {
			for i, name := range row {
				column[strings.TrimPrefix(strings.TrimSpace(name), "#")] = i
			}
			continue
		}
		cell := func(name string) string {
			if i, ok := column[name]; ok && i < len(row) {
				return row[i]
			}
			return ""
		}
		if err := addVIARow(src, b, file, cell); err != nil {
			return fmt.Errorf("%s:%d: %w", src.Path(file), line, err)
		}
	}
}

func addVIARow(src *Source, b *Builder, file string, cell func(string) string) error {
	im, err := viaPhoto(src, b, cell("filename"), file, src.Path(file))
	if err != nil || im == nil {
		return err
	}
	shape := cell("region_shape_attributes")
	if shape == "" || shape == "{}" {
		return nil // the photo holds nothing
	}
	var r viaRegion
	if err := json.Unmarshal([]byte(shape), &r.Shape); err != nil {
		return fmt.Errorf("region_shape_attributes: %w", err)
	}
	if err := json.Unmarshal([]byte(cell("region_attributes")), &r.Class); err != nil {
		return fmt.Errorf("region_attributes: %w", err)
	}
	return r.add(b, im)
}
