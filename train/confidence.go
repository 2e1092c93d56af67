package train

import (
	"fmt"
	"math"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/gen"
)

// regions is a label map whose pixels can differ in weight too: every value of
// m stands for a label and a weight, so that one augmentation moves both.
type regions struct {
	m      *data.LabelMap
	label  [256]uint8
	weight [256]float32
}

// plainRegions gives every pixel the weight 1.
func plainRegions(m *data.LabelMap) *regions {
	r := &regions{m: m}
	for i := range r.label {
		r.label[i], r.weight[i] = uint8(i), 1
	}
	return r
}

// weightLevels bounds the distinct weights of a label.
const weightLevels = 64

// weighted gives every pixel its confidence as weight, in as many steps as
// 254 values allow for the labels at hand: 64 for up to three, 12 for VOC's 21.
func weighted(m *data.LabelMap, confidence []float32) *regions {
	present := m.Present()
	n, first := 0, [256]int{}
	for v := range data.Ignore {
		if present[v] {
			first[v] = n
			n++
		}
	}
	steps := min(weightLevels, data.Ignore/max(n, 1))
	r := plainRegions(data.NewLabelMap(m.W, m.H))
	for v := range data.Ignore {
		if !present[v] {
			continue
		}
		first[v] *= steps
		for k := range steps {
			r.label[first[v]+k] = uint8(v)
			r.weight[first[v]+k] = float32(k) / float32(max(steps-1, 1))
		}
	}
	for i, v := range m.Pix {
		if v == data.Ignore {
			r.m.Pix[i] = data.Ignore
			continue
		}
		level := math.Round(float64(confidence[i]) * float64(steps-1))
		r.m.Pix[i] = uint8(first[v] + int(min(max(level, 0), float64(steps-1))))
	}
	return r
}

// Confidence is the score of the mask that a pixel's label comes from, by the
// sidecar dir/<id>.json, row by row: the highest of the masks of its class that
// cover it. Background, and pixels that no mask explains, count as sure (1).
func Confidence(dir, id string, m *data.LabelMap) ([]float32, error) {
	path, err := files.Join(dir, id+".json")
	if err != nil {
		return nil, err
	}
	side, err := gen.ReadSidecar(path)
	if err != nil {
		return nil, fmt.Errorf("train.noise.confidence reads the scores that gen writes beside its label maps: %w", err)
	}
	if side.Width != m.W || side.Height != m.H {
		return nil, fmt.Errorf("%s: for a label map of %d×%d pixels, %s.png has %d×%d", path, side.Width, side.Height, id, m.W, m.H)
	}
	conf := make([]float32, len(m.Pix))
	for i := range conf {
		conf[i] = -1
	}
	for _, mask := range side.Masks {
		mask.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				if i := y*m.W + x; int(m.Pix[i]) == mask.Class && mask.Class > 0 {
					conf[i] = max(conf[i], mask.Score)
				}
			}
		})
	}
	for i, c := range conf {
		if c < 0 {
			conf[i] = 1
		}
	}
	return conf, nil
}
