package gen

import (
	"wsss/data"
)

// Objects are the boxes around single objects: none of the background, and none
// around a group.
func Objects(boxes []data.Box) (list []data.Box) {
	for _, b := range boxes {
		if b.Class != 0 && !b.Crowd {
			list = append(list, b)
		}
	}
	return list
}

// LabelMasks turns a label map into masks that any Fuser turns back into it:
// one per class that occurs, ascending, the undecided pixels (data.Ignore)
// last. A mask's score is the mean of confidence (0..1, one value a pixel)
// over its pixels, or 1 where confidence is nil.
func LabelMasks(label *data.LabelMap, confidence []float32, source string) []Mask {
	var masks []Mask
	bits := make([]uint8, len(label.Pix))
	for class, present := range label.Present() {
		if !present || class == 0 {
			continue
		}
		var sum float64
		n := 0
		for i, v := range label.Pix {
			bits[i] = 0
			if int(v) == class {
				bits[i] = 1
				n++
				if confidence != nil {
					sum += float64(confidence[i])
				}
			}
		}
		score := float32(1)
		if confidence != nil {
			score = float32(sum / float64(n))
		}
		masks = append(masks, Mask{
			Class: class, Bits: data.EncodeRLE(bits, label.W, label.H), Score: score,
			From: Prompt{Class: class, Source: source, Score: 1},
		})
	}
	return masks
}
