package coco

import (
	"encoding/json"
	"errors"
	"fmt"

	"wsss/data"
)

// outlines reads a segmentation's JSON: a list of polygons, whose union is the
// object, or one run-length mask, plain or compressed. It returns no mask for
// a segmentation that is absent or empty.
func outlines(raw []byte, w, h int) ([]data.RLE, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] == '{' {
		mask, err := runLengths(raw, w, h)
		return []data.RLE{mask}, err
	}
	var polygons [][]float64
	if err := json.Unmarshal(raw, &polygons); err != nil {
		return nil, errors.New("segmentation is neither a list of polygons nor a run-length mask")
	}
	masks := make([]data.RLE, len(polygons))
	for i, xy := range polygons {
		var err error
		if masks[i], err = fillPolygon(xy, w, h); err != nil {
			return nil, err
		}
	}
	return masks, nil
}

func runLengths(raw []byte, w, h int) (data.RLE, error) {
	var v struct {
		Size   []int           `json:"size"` // height, width
		Counts json.RawMessage `json:"counts"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return data.RLE{}, fmt.Errorf("run-length mask: %w", err)
	}
	if len(v.Size) != 2 || v.Size[0] != h || v.Size[1] != w {
		return data.RLE{}, fmt.Errorf("run-length mask has size %v: the image's is [%d %d] (height, width)", v.Size, h, w)
	}
	var text string
	if json.Unmarshal(v.Counts, &text) == nil {
		return data.ParseCOCOString(text, w, h)
	}
	r := data.RLE{W: w, H: h}
	if err := json.Unmarshal(v.Counts, &r.Counts); err != nil {
		return data.RLE{}, errors.New("run-length mask: counts are neither a text nor a list of run lengths")
	}
	return r, r.Validate()
}

// Crowd says what a crowd region (iscrowd, a group that nobody took apart)
// becomes in the masks.
type Crowd string

// What crowds become.
const (
	CrowdSkip Crowd = "skip" // nothing, as in the masks of the WSSS literature
	CrowdVoid Crowd = "void" // Ignore where no object covers it
)

// rasterise paints a photo's objects in file order, later ones over earlier
// ones (docs/sources.md §9); pixels without object are background. instances numbers
// the objects from 1 and is nil where there are more than 254.
func (x *index) rasterise(photo int32, crowd Crowd) (truth, instances *data.LabelMap, err error) {
	p := x.photos[photo]
	if int64(p.w)*int64(p.h) > data.MaxPixels {
		return nil, nil, fmt.Errorf("%s: image %d of %d×%d pixels: at most %d are allowed", x.path, p.id, p.w, p.h, data.MaxPixels)
	}
	objects := x.of(photo)
	truth = data.NewLabelMap(int(p.w), int(p.h))
	if len(objects) < data.Ignore {
		instances = data.NewLabelMap(truth.W, truth.H)
	}
	for _, crowds := range []bool{true, false} {
		if crowds && crowd != CrowdVoid {
			continue
		}
		for i, a := range objects {
			if a.crowd != crowds {
				continue
			}
			class, number := a.class, uint8(i+1)
			if crowds {
				class, number = data.Ignore, 0
			}
			if err := x.paint(a, truth, class, instances, number); err != nil {
				return nil, nil, fmt.Errorf("%s: annotation %d (image %d): %w", x.path, a.ordinal, p.id, err)
			}
		}
	}
	return truth, instances, nil
}

func (x *index) paint(a annotation, truth *data.LabelMap, class uint8, instances *data.LabelMap, number uint8) error {
	raw, err := x.segmentation(a)
	if err != nil {
		return err
	}
	masks, err := outlines(raw, truth.W, truth.H)
	if err != nil {
		return err
	}
	for _, mask := range masks {
		mask.Each(func(column, y0, y1 int) {
			for y := y0; y < y1; y++ {
				truth.Set(column, y, class)
				if instances != nil {
					instances.Set(column, y, number)
				}
			}
		})
	}
	return nil
}
