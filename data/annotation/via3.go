package annotation

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// isVIA3 recognises a project of version 3, which shares nothing with those
// before.
func isVIA3(h jsonHead) bool {
	return !h.list && h.has("project", "config", "attribute")
}

// via3Project is a project of version 3. Views show files; metadata are regions
// of views.
type via3Project struct {
	Attributes map[string]struct {
		Name    string      `json:"aname"`
		Options via3Options `json:"options"`
	} `json:"attribute"`
	Files map[string]struct {
		Name string `json:"fname"`
	} `json:"file"`
	Views map[string]struct {
		Files []name `json:"fid_list"`
	} `json:"view"`
	Metadata map[string]via3Region `json:"metadata"`
}

// via3Options are the texts of drop-down lists and the like by their ids; other
// attributes have a text there, or nothing.
type via3Options map[string]name

func (o *via3Options) UnmarshalJSON(raw []byte) error {
	var texts map[string]name
	_ = json.Unmarshal(raw, &texts)
	*o = texts
	return nil
}

type via3Region struct {
	View   name            `json:"vid"`
	Time   []float64       `json:"z"`  // seconds of a video
	XY     []float64       `json:"xy"` // the number of the shape, then its coordinates
	Values map[string]name `json:"av"` // attribute → text, or ids of options, separated by commas
}

// readVIA3 reads a project whose views are photos.
func readVIA3(src *Source, raw []byte, file string) ([]viaEntry, error) {
	var p via3Project
	if err := decodeJSON(raw, src.Path(file), &p); err != nil {
		return nil, err
	}
	of := map[name][]viaRegion{}
	for _, key := range slices.Sorted(maps.Keys(p.Metadata)) {
		m := p.Metadata[key]
		regions, err := p.regions(m)
		if err != nil {
			return nil, fmt.Errorf("%s: metadata %q: %w", src.Path(file), key, err)
		}
		of[m.View] = append(of[m.View], regions...)
	}
	var entries []viaEntry
	for _, id := range slices.Sorted(maps.Keys(p.Views)) {
		files := p.Views[id].Files
		if len(files) != 1 {
			return nil, fmt.Errorf("%s: view %q shows %d files: allowed is one", src.Path(file), id, len(files))
		}
		photo := p.Files[string(files[0])].Name
		from := fmt.Sprintf("%s: image %q", src.Path(file), photo)
		if photo == "" {
			return nil, fmt.Errorf("%s: view %q shows a file without a name", src.Path(file), id)
		}
		entries = append(entries, viaEntry{photo, file, from, of[name(id)]})
	}
	return entries, nil
}

// regions are one region as version 2 writes it, or none of what is of the whole
// photo.
func (p *via3Project) regions(m via3Region) ([]viaRegion, error) {
	if len(m.Time) == 0 && len(m.XY) == 0 {
		return nil, nil
	}
	shape, err := m.shape()
	if err != nil {
		return nil, err
	}
	return []viaRegion{{Shape: shape, Class: p.values(m)}}, nil
}

// values are the attributes of a region by their names, options by their texts.
func (p *via3Project) values(m via3Region) map[string]any {
	values := map[string]any{}
	for id, v := range m.Values {
		a, text := p.Attributes[id], string(v)
		if first, _, _ := strings.Cut(text, ","); a.Options[first] != "" {
			text = string(a.Options[first])
		}
		values[cmp.Or(a.Name, id)] = text
	}
	return values
}

// shape is the region as version 2 writes it.
func (m *via3Region) shape() (s viaShape, err error) {
	if len(m.Time) > 0 {
		return s, errors.New("a region of a video: mark photos")
	}
	v := m.XY[1:]
	points := func() {
		for i := 0; i+1 < len(v); i += 2 {
			s.XS, s.YS = append(s.XS, v[i]), append(s.YS, v[i+1])
		}
	}
	kinds := map[float64]struct {
		name    string
		numbers int // 0: any
	}{
		1: {"point", 2}, 2: {"rect", 4}, 3: {"circle", 3}, 4: {"ellipse", 4}, 5: {"polyline", 4}, 6: {"polyline", 0}, 7: {"polygon", 0}, 8: {"extremes", 8},
	}
	kind, known := kinds[m.XY[0]]
	switch {
	case !known:
		return s, fmt.Errorf("shape %v: allowed are point (1), rectangle (2), circle (3), ellipse (4), line (5), polyline (6), polygon (7) and extreme rectangle (8)", m.XY[0])
	case kind.numbers > 0 && len(v) != kind.numbers || len(v)%2 != 0 && kind.numbers == 0:
		return s, fmt.Errorf("%s of %d numbers", kind.name, len(v))
	}
	switch s.Name = kind.name; s.Name {
	case "point":
		s.CX, s.CY = v[0], v[1]
	case "rect":
		s.X, s.Y, s.Width, s.Height = v[0], v[1], v[2], v[3]
	case "circle":
		s.CX, s.CY, s.R = v[0], v[1], v[2]
	case "ellipse":
		s.CX, s.CY, s.RX, s.RY = v[0], v[1], v[2], v[3]
	case "extremes": // the uppermost, lowest, … points of a box
		points()
		s.Name, s.X, s.Y = "rect", slices.Min(s.XS), slices.Min(s.YS)
		s.Width, s.Height = slices.Max(s.XS)-s.X, slices.Max(s.YS)-s.Y
	default:
		points()
	}
	return s, nil
}
