package coco

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"

	"wsss/data"
)

// outline is an object's segmentation: polygons, whose union is the object, or
// a run-length mask. The zero value is none.
type outline struct {
	polygons [][]float64
	runs     *runLengths
	notes    []string // what was left out
}

// runLengths is a run-length mask as the file has it.
type runLengths struct {
	h, w   float64
	counts []float64
	text   string // in place of counts
}

// parseOutline reads a segmentation's JSON: a list of polygons, one polygon, or
// a run-length mask, plain or compressed. Polygons of fewer than three corners,
// which tools leave behind, are left out, and so is the last number of an odd
// count, as pycocotools does.
func parseOutline(raw []byte) (outline, error) {
	var o outline
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return o, nil
	}
	if raw[0] == '{' {
		return o, o.parseRuns(raw)
	}
	if bytes.Contains(raw, []byte("null")) {
		return o, errors.New("segmentation has null for a number")
	}
	polygons, err := parsePolygons(raw)
	if err != nil {
		return o, err
	}
	for i, xy := range polygons {
		switch {
		case len(xy) == 0:
			continue
		case len(xy) < 6:
			o.notes = append(o.notes, fmt.Sprintf("polygon %d of %d numbers is left out: three corners are six", i+1, len(xy)))
			continue
		case len(xy)%2 != 0:
			o.notes = append(o.notes, fmt.Sprintf("polygon %d has an odd count of %d numbers: the last is left out", i+1, len(xy)))
			xy = xy[:len(xy)-1]
		}
		for _, v := range xy {
			if !(math.Abs(v) <= 1<<20) {
				return o, fmt.Errorf("polygon coordinate %v: allowed are ±%d", v, 1<<20)
			}
		}
		o.polygons = append(o.polygons, xy)
	}
	return o, nil
}

// parsePolygons reads [[x, y, …], …], and the forms [x, y, …] and
// [[[x, y], …], …] that some converters write.
func parsePolygons(raw []byte) ([][]float64, error) {
	var polygons [][]float64
	if json.Unmarshal(raw, &polygons) == nil {
		return polygons, nil
	}
	var one []float64
	if json.Unmarshal(raw, &one) == nil {
		return [][]float64{one}, nil
	}
	var pairs [][][]float64
	if json.Unmarshal(raw, &pairs) != nil {
		return nil, errors.New("segmentation is neither a list of polygons nor a run-length mask")
	}
	polygons = nil
	for _, corners := range pairs {
		var xy []float64
		for _, c := range corners {
			if len(c) != 2 {
				return nil, fmt.Errorf("segmentation has a corner of %d numbers", len(c))
			}
			xy = append(xy, c...)
		}
		polygons = append(polygons, xy)
	}
	return polygons, nil
}

func (o *outline) parseRuns(raw []byte) error {
	var v struct {
		Size   []float64       `json:"size"` // height, width
		Counts json.RawMessage `json:"counts"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("run-length mask: %w", err)
	}
	if len(v.Counts) == 0 && v.Size == nil {
		return nil // an empty object
	}
	r := &runLengths{}
	if len(v.Size) != 2 {
		return fmt.Errorf("run-length mask has size %v: allowed is [height, width]", v.Size)
	}
	r.h, r.w = v.Size[0], v.Size[1]
	if json.Unmarshal(v.Counts, &r.text) != nil && json.Unmarshal(v.Counts, &r.counts) != nil {
		return errors.New("run-length mask: counts are neither a text nor a list of run lengths")
	}
	o.runs = r
	return nil
}

// mask decodes run lengths for an image.
func (r *runLengths) mask(w, h int) (data.RLE, error) {
	if r.h != float64(h) || r.w != float64(w) {
		return data.RLE{}, fmt.Errorf("run-length mask has size [%v %v]: the image's is [%d %d] (height, width)", r.h, r.w, h, w)
	}
	if r.counts == nil {
		if r.text == "" {
			return data.RLE{}, nil
		}
		return data.ParseCOCOString(r.text, w, h)
	}
	m := data.RLE{W: w, H: h, Counts: make([]uint32, len(r.counts))}
	for i, c := range r.counts {
		if !(c >= 0 && c <= data.MaxPixels) || c != math.Trunc(c) {
			return data.RLE{}, fmt.Errorf("run-length mask has a run of %v pixels: allowed are whole numbers up to %d", c, data.MaxPixels)
		}
		m.Counts[i] = uint32(c)
	}
	if len(m.Counts) == 0 {
		return data.RLE{}, nil
	}
	return m, m.Validate()
}

// masks are the regions of an image of w×h that the outline covers; none where
// there is no outline, or one of no pixel as run lengths. A polygon so small
// that it covers no pixel's centre is a mask of no pixel.
func (o outline) masks(w, h int) ([]data.RLE, error) {
	if o.runs != nil {
		m, err := o.runs.mask(w, h)
		if err != nil || m.Area() == 0 {
			return nil, err
		}
		return []data.RLE{m}, nil
	}
	masks := make([]data.RLE, len(o.polygons))
	for i, xy := range o.polygons {
		var err error
		if masks[i], err = fillPolygon(xy, w, h); err != nil {
			return nil, err
		}
	}
	return masks, nil
}

// extent is the smallest x and y and the largest of the outline.
func (o outline) extent(size image.Point) (e [4]float64, found bool, err error) {
	if o.runs != nil {
		m, err := o.runs.mask(size.X, size.Y)
		if err != nil || m.Area() == 0 {
			return e, false, err
		}
		b := m.Bounds()
		return [4]float64{float64(b.Min.X), float64(b.Min.Y), float64(b.Max.X), float64(b.Max.Y)}, true, nil
	}
	e = [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for _, xy := range o.polygons {
		for i, v := range xy {
			e[i%2] = min(e[i%2], v)
			e[2+i%2] = max(e[2+i%2], v)
		}
	}
	return e, len(o.polygons) > 0, nil
}
