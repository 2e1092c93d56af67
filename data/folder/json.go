package folder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"strings"

	"wsss/data"
	"wsss/data/text"
)

// imageJSON are the labels of one image in a JSON label file. A form that is
// left out is not available, an empty list says that the image holds nothing.
type imageJSON struct {
	Tags      []classJSON    `json:"tags,omitzero"`
	Points    []pointJSON    `json:"points,omitzero"`
	Scribbles []scribbleJSON `json:"scribbles,omitzero"`
	Boxes     []boxJSON      `json:"boxes,omitzero"`
}

type pointJSON struct {
	Class classJSON `json:"class"`
	X     *float64  `json:"x"`
	Y     *float64  `json:"y"`
	Rank  int       `json:"rank,omitempty"`
}

type scribbleJSON struct {
	Class  classJSON   `json:"class"`
	Points [][]float64 `json:"points"`
}

type boxJSON struct {
	Class     classJSON `json:"class"`
	X0        *float64  `json:"x0"`
	Y0        *float64  `json:"y0"`
	X1        *float64  `json:"x1"`
	Y1        *float64  `json:"y1"`
	Difficult bool      `json:"difficult,omitempty"`
	Crowd     bool      `json:"crowd,omitempty"`
}

// classJSON is a class name or, as a number, a label value.
type classJSON string

func (c *classJSON) UnmarshalJSON(raw []byte) error {
	name, ok := text.FromJSON(raw)
	if !ok {
		return fmt.Errorf("class %.40s: allowed is a name or a number", raw)
	}
	*c = classJSON(name)
	return nil
}

// ParseJSON reads labels from one JSON object: image path → {"tags": […],
// "points": [{"class", "x", "y", "rank"}], "scribbles": [{"class", "points":
// [[x, y], …]}], "boxes": [{"class", "x0", "y0", "x1", "y1", "difficult",
// "crowd"}]}. Names, values and limits are those of ParseCSV. Errors name the
// line of the image's entry, the key, its value and what is allowed.
func ParseJSON(r io.Reader, classes data.Classes, known func(id string) bool) (map[string]*data.WeakLabels, error) {
	return collect(parseJSON, r, classes, known)
}

// parseJSON is ParseJSON into a sink; errors begin with the line's number.
func parseJSON(r io.Reader, s sink) error {
	plain, err := text.Reader(r, s.encoding)
	if err != nil {
		return fmt.Errorf("1: %w", err)
	}
	raw, err := io.ReadAll(plain)
	if err != nil {
		return fmt.Errorf("1: %w", err)
	}
	var whole json.RawMessage
	if err := json.Unmarshal(raw, &whole); err != nil {
		at := int64(0)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = syntax.Offset - 1 // the offset counts the bad byte
		}
		return fmt.Errorf("%d: not JSON: %w", lineOf(raw, at), err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	at := int64(0) // where the present entry begins
	fail := func(err error) error { return fmt.Errorf("%d: %w", lineOf(raw, at), err) }
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return fail(errors.New("allowed is a JSON object from image path to labels"))
	}
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return fail(err)
		}
		at = dec.InputOffset()
		name := token.(string) // keys of objects are strings
		if seen[sampleID(name)] {
			return fail(fmt.Errorf("image %q occurs twice", name))
		}
		seen[sampleID(name)] = true
		var entry imageJSON
		if err := dec.Decode(&entry); err != nil {
			return fail(fmt.Errorf("image %q: %w", name, keyError(err)))
		}
		w, err := s.image(name)
		if err != nil {
			return fail(err)
		}
		if w == nil {
			continue
		}
		if err := entry.into(name, w, s); err != nil {
			return fail(fmt.Errorf("image %q: %w", name, err))
		}
	}
	return nil
}

// keyError is data.KeyError, which says what is allowed in the place of an unknown key.
func keyError(err error) error {
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("unknown field %s: allowed are tags, points, scribbles and boxes, and in these class, x, y, rank, points, x0, y0, x1, y1, difficult and crowd", key)
	}
	return data.KeyError(err)
}

// lineOf is the 1-based line of a byte offset.
func lineOf(raw []byte, offset int64) int {
	return 1 + bytes.Count(raw[:min(max(offset, 0), int64(len(raw)))], []byte{'\n'})
}

// into adds the entry to an image's labels.
func (e *imageJSON) into(name string, w *data.WeakLabels, s sink) error {
	if e.Tags != nil {
		needNonNil(&w.Tags)
	}
	for i, t := range e.Tags {
		c, err := s.class(string(t), 1)
		if err != nil {
			return fmt.Errorf("tags[%d] = %w", i, err)
		}
		w.Tags = append(w.Tags, c)
	}
	if e.Points != nil {
		needNonNil(&w.Points)
	}
	for i, p := range e.Points {
		q, err := p.point(s)
		if err != nil {
			return fmt.Errorf("points[%d]: %w", i, err)
		}
		w.Points = append(w.Points, q)
	}
	if e.Scribbles != nil {
		needNonNil(&w.Scribbles)
	}
	for i, line := range e.Scribbles {
		q, err := line.scribble(s)
		if err != nil {
			return fmt.Errorf("scribbles[%d]: %w", i, err)
		}
		w.Scribbles = append(w.Scribbles, q)
	}
	if e.Boxes != nil {
		needNonNil(&w.Boxes)
	}
	for i, b := range e.Boxes {
		c, err := s.class(string(b.Class), 1)
		if err != nil {
			return fmt.Errorf("boxes[%d]: class = %w", i, err)
		}
		if b.X0 == nil || b.Y0 == nil || b.X1 == nil || b.Y1 == nil {
			return fmt.Errorf("boxes[%d]: needed are class, x0, y0, x1 and y1", i)
		}
		q, err := newBox(*b.X0, *b.Y0, *b.X1, *b.Y1, c, b.Difficult, b.Crowd)
		if err != nil {
			if err = s.leave(fmt.Sprintf(" image %q: boxes[%d]: ", name, i), err); err != nil {
				return fmt.Errorf("boxes[%d]: %w", i, err)
			}
			continue
		}
		w.Boxes = append(w.Boxes, q)
	}
	return nil
}

func (p pointJSON) point(s sink) (data.Point, error) {
	c, err := s.class(string(p.Class), 0)
	if err != nil {
		return data.Point{}, fmt.Errorf("class = %w", err)
	}
	if p.X == nil || p.Y == nil {
		return data.Point{}, errors.New("needed are class, x and y")
	}
	x, err := pixel(*p.X)
	if err != nil {
		return data.Point{}, fmt.Errorf("x = %w", err)
	}
	y, err := pixel(*p.Y)
	if err != nil {
		return data.Point{}, fmt.Errorf("y = %w", err)
	}
	if p.Rank < 0 || p.Rank > math.MaxInt32 {
		return data.Point{}, fmt.Errorf("rank = %d: allowed is the number of the click, 1 for the first, or 0", p.Rank)
	}
	return data.Point{X: x, Y: y, Class: c, Rank: p.Rank}, nil
}

func (l scribbleJSON) scribble(s sink) (data.Scribble, error) {
	c, err := s.class(string(l.Class), 0)
	if err != nil {
		return data.Scribble{}, fmt.Errorf("class = %w", err)
	}
	points := make([]image.Point, len(l.Points))
	for i, p := range l.Points {
		if len(p) != 2 {
			return data.Scribble{}, fmt.Errorf("points[%d] has %d numbers: allowed is [x, y]", i, len(p))
		}
		x, err := pixel(p[0])
		if err != nil {
			return data.Scribble{}, fmt.Errorf("points[%d]: x = %w", i, err)
		}
		y, err := pixel(p[1])
		if err != nil {
			return data.Scribble{}, fmt.Errorf("points[%d]: y = %w", i, err)
		}
		points[i] = image.Pt(x, y)
	}
	return newScribble(c, points)
}
