package weak

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"wsss/data"
)

// ReadPoints reads a What's-the-Point file (docs/sources.md §9): a JSON object from
// image id to a list of clicks {x, y, cls, rank}, zero-based pixels, cls from
// 1. numClasses, background included, bounds cls. Clicks may lie outside the
// image: see PointsInside.
func ReadPoints(path string, numClasses int) (map[string][]data.Point, error) {
	return parseFile(path, maxText, func(r io.Reader) (map[string][]data.Point, error) { return ParsePoints(r, numClasses) })
}

// ParsePoints is ReadPoints on a stream.
func ParsePoints(r io.Reader, numClasses int) (map[string][]data.Point, error) {
	dec := json.NewDecoder(r)
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("not a JSON object from image id to points")
	}
	points := map[string][]data.Point{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, jsonError(dec, err)
		}
		id := nameOf(token.(string)) // keys of objects are strings
		if _, dup := points[id]; dup {
			return nil, fmt.Errorf("image %s occurs twice", id)
		}
		var clicks []struct {
			X, Y, Cls *float64
			Rank      float64
		}
		if err := dec.Decode(&clicks); err != nil {
			return nil, fmt.Errorf("image %s: %w", id, err)
		}
		list := make([]data.Point, len(clicks))
		for i, c := range clicks {
			if c.X == nil || c.Y == nil || c.Cls == nil {
				return nil, fmt.Errorf("image %s: point %d lacks x, y or cls", id, i+1)
			}
			class := int(min(max(*c.Cls, -1), data.MaxClasses))
			if float64(class) != *c.Cls || class < 1 || class >= numClasses {
				return nil, fmt.Errorf("image %s: point %d has class %v: allowed are 1..%d", id, i+1, *c.Cls, numClasses-1)
			}
			list[i] = data.Point{X: pixel(*c.X), Y: pixel(*c.Y), Class: class, Rank: pixel(c.Rank)}
		}
		points[id] = list
	}
	if _, err := dec.Token(); err != nil {
		return nil, jsonError(dec, err)
	}
	return points, nil
}

func jsonError(dec *json.Decoder, err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("byte %d: %w", dec.InputOffset(), err)
}

// PointsInside returns the points inside an image of w×h, never nil, and how
// many lie outside: the published clicks hold some, which every loader skips.
func PointsInside(points []data.Point, w, h int) (inside []data.Point, outside int) {
	inside = make([]data.Point, 0, len(points))
	for _, p := range points {
		if p.X >= 0 && p.Y >= 0 && p.X < w && p.Y < h {
			inside = append(inside, p)
		}
	}
	return inside, len(points) - len(inside)
}
