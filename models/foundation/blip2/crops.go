package blip2

import (
	"context"
	"fmt"
	"image"
	"math"

	"wsss/data"
	"wsss/data/imageproc"
)

// Scorer says how well each text fits an image: larger is better.
type Scorer interface {
	Scores(ctx context.Context, img *imageproc.RGB, texts []string) ([]float32, error)
}

// CropOptions say what of the image a mask is judged by. Jiang & Yang 2023 does not
// tell; these are choices (docs/sources.md §5.2).
type CropOptions struct {
	Margin float64 `toml:"crop_margin"` // of the box's sides, added on every side
	Grey   bool    `toml:"crop_grey"`   // what is outside the mask becomes the models' mean colour
}

// mean is the colour that CLIP's normalisation maps to about 0.
var mean = [3]uint8{122, 116, 104}

// Crop cuts the mask's box, with a margin, out of the image. The mask must not
// be empty and be of the image's size.
func Crop(img *imageproc.RGB, mask data.RLE, o CropOptions) *imageproc.RGB {
	box := mask.Bounds()
	dx, dy := int(o.Margin*float64(box.Dx())+0.5), int(o.Margin*float64(box.Dy())+0.5)
	box = image.Rect(box.Min.X-dx, box.Min.Y-dy, box.Max.X+dx, box.Max.Y+dy).Intersect(image.Rect(0, 0, img.W, img.H))
	out := img.Crop(box)
	if !o.Grey {
		return out
	}
	inside := mask.Decode()
	for y := range out.H {
		for x := range out.W {
			if inside[(box.Min.Y+y)*img.W+box.Min.X+x] == 0 {
				copy(out.Pix[3*(y*out.W+x):], mean[:])
			}
		}
	}
	return out
}

// Candidate is a text that a mask may be given, and the class it stands for:
// 0 for background. A class may have several.
type Candidate struct {
	Class int
	Text  string
}

// Classify returns the class of the candidate that fits the mask best, the
// first of equals, and the share of that class in the softmax over all
// candidates, its texts taken together.
func Classify(ctx context.Context, s Scorer, img *imageproc.RGB, mask data.RLE, list []Candidate, o CropOptions) (class int, share float32, err error) {
	if len(list) == 0 {
		return 0, 0, fmt.Errorf("no texts to classify a mask with")
	}
	if mask.W != img.W || mask.H != img.H || mask.Area() == 0 {
		return 0, 0, fmt.Errorf("a mask of %d×%d with %d pixels for an image of %d×%d", mask.W, mask.H, mask.Area(), img.W, img.H)
	}
	texts := make([]string, len(list))
	for i, c := range list {
		texts[i] = c.Text
	}
	scores, err := s.Scores(ctx, Crop(img, mask, o), texts)
	if err != nil {
		return 0, 0, err
	}
	best := 0
	for i, v := range scores {
		if v > scores[best] {
			best = i
		}
	}
	var own, sum float64
	for i, v := range scores {
		e := math.Exp(float64(v - scores[best]))
		sum += e
		if list[i].Class == list[best].Class {
			own += e
		}
	}
	return list[best].Class, float32(own / sum), nil
}
