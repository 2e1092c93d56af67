package annotation

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"wsss/data"
)

func init() {
	Register(Format{
		Name:  "via",
		What:  "VGG Image Annotator 1 to 3, JSON and CSV: rect, polygon, circle, ellipse, point, polyline",
		Signs: map[string]func([]byte) bool{".json": isVIA, ".csv": isVIATable},
		Read:  readVIA,
	})
}

// isVIA recognises a project, or an object of images.
func isVIA(head []byte) bool {
	h := readHead(head)
	if h.has("_via_settings") || h.has("_via_img_metadata") || isVIA3(h) {
		return true
	}
	return !h.list && !h.has("shapes") && bytes.Contains(head, []byte(`"regions"`)) && bytes.Contains(head, []byte(`"filename"`))
}

func isVIATable(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.Contains(line, []byte("filename")) && bytes.Contains(line, []byte("region_shape_attributes")) || isVIA3Table(head)
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

// viaEntry is a photo with its regions, or some of them.
type viaEntry struct {
	photo, file, from string
	regions           []viaRegion
}

func readVIA(src *Source, files []string, b *Builder) error {
	var entries []viaEntry
	for _, file := range files {
		read := readVIAJSON
		if ext(file) == ".csv" {
			read = readVIATable
		}
		list, err := read(src, file)
		if err != nil {
			return err
		}
		entries = append(entries, list...)
	}
	// Who marks things of one kind names no class.
	unnamed := "object"
	if slices.ContainsFunc(entries, func(e viaEntry) bool {
		return slices.ContainsFunc(e.regions, func(r viaRegion) bool { return className(r.Class) != "" })
	}) {
		unnamed = ""
	}
	bad := &data.LineErrors{}
	for _, e := range entries {
		if err := e.add(src, b, unnamed); err != nil {
			bad.AddError(err)
		}
	}
	return bad.Err()
}

// add adds the regions to their image. unnamed is the class of those that no
// attribute names, "" where they are errors.
func (e *viaEntry) add(src *Source, b *Builder, unnamed string) error {
	im, err := viaPhoto(src, b, e.photo, e.file, e.from)
	for i := 0; err == nil && im != nil && i < len(e.regions); i++ {
		if err = e.regions[i].add(b, im, unnamed); err != nil {
			err = b.leave(fmt.Errorf("%s: region %d: %w", e.from, i+1, err))
		}
	}
	return err
}

func readVIAJSON(src *Source, file string) ([]viaEntry, error) {
	raw, err := src.read(file)
	if err != nil {
		return nil, err
	}
	if isVIA3(readHead(raw[:min(len(raw), headSize)])) {
		return readVIA3(src, raw, file)
	}
	var project struct {
		Images map[string]viaImage `json:"_via_img_metadata"`
	}
	if err := decodeJSON(raw, src.Path(file), &project); err != nil {
		return nil, err
	}
	if project.Images == nil {
		if err := decodeJSON(raw, src.Path(file), &project.Images); err != nil {
			return nil, err
		}
	}
	var entries []viaEntry
	for _, key := range slices.Sorted(maps.Keys(project.Images)) {
		in := project.Images[key]
		from := fmt.Sprintf("%s: image %q", src.Path(file), in.Name)
		regions, err := viaRegions(in.Regions)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		entries = append(entries, viaEntry{in.Name, file, from, regions})
	}
	return entries, nil
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
	if len(raw) == 0 {
		return nil, nil
	}
	var list []viaRegion
	var numbered map[string]viaRegion
	var err error
	if raw[0] == '{' {
		err = json.Unmarshal(raw, &numbered)
	} else {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("regions: %w", data.KeyError(err))
	}
	byNumber := func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }
	for _, key := range slices.SortedFunc(maps.Keys(numbered), byNumber) {
		list = append(list, numbered[key])
	}
	return list, nil
}

// className is the value of the attribute that names the class: of the usual
// names the first, else the first by name that has a text; of check boxes the
// one that is set.
func className(attributes map[string]any) string {
	usual := []string{"class", "label", "name", "type", "category", "object"}
	order := func(key string) int {
		if i := slices.Index(usual, strings.ToLower(key)); i >= 0 {
			return i
		}
		return len(usual)
	}
	usualFirst := func(a, b string) int { return cmp.Or(order(a)-order(b), strings.Compare(a, b)) }
	for _, key := range slices.SortedFunc(maps.Keys(attributes), usualFirst) {
		switch v := attributes[key].(type) {
		case string:
			if strings.TrimSpace(v) != "" {
				return v
			}
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
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

func (r *viaRegion) add(b *Builder, im *Image, unnamed string) error {
	name := cmp.Or(className(r.Class), unnamed)
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
