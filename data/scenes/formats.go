package scenes

import (
	"slices"

	"wsss/data"
	"wsss/data/weak"
)

// annotation is a picture's file of VOC's Annotations.
func annotation(id string, s *scene, boxes []data.Box) weak.VOCFile {
	a := weak.VOCFile{Folder: "scenes", Filename: id + ".jpg", Size: weak.Size{Width: s.truth.W, Height: s.truth.H, Depth: 3}, Segmented: 1}
	numbers := s.numbers()
	for k, b := range boxes {
		n := numbers[k]
		o := weak.NewVOCObject(b, className(b.Class))
		o.Truncated, o.Occluded = flag(s.truncated[n-1]), flag(s.occluded[n-1])
		a.Objects = append(a.Objects, o)
	}
	return a
}

// numbers lists the instances that have a pixel off the void, ascending: the
// order of derived boxes.
func (s *scene) numbers() []int {
	var out []int
	for i, n := range s.instances.Pix {
		if n > 0 && s.truth.Pix[i] != data.Ignore && !slices.Contains(out, int(n)) {
			out = append(out, int(n))
		}
	}
	slices.Sort(out)
	return out
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
