package train

import (
	"fmt"
	"math/rand/v2"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/gen"
)

// paste puts objects of another image over a crop, with a probability of
// copyPaste: masks of a score of at least pasteMin, each or not by chance, and one
// at least. The other image is augmented as any is.
func (l *loader) paste(pixels []float32, labels []uint8, index int, rng *rand.Rand) error {
	if l.copyPaste == 0 || rng.Float64() >= l.copyPaste {
		return nil
	}
	id := l.ids[l.order.Beside(rng, index)]
	defer data.Hold(l.ds, id, 8)()
	s, err := l.sample(id)
	if err != nil {
		return err
	}
	objects, err := l.objects(s)
	if err != nil || len(objects) == 0 {
		return err
	}
	layer, sure := data.NewLabelMap(s.Truth.W, s.Truth.H), rng.IntN(len(objects))
	for i := range layer.Pix {
		layer.Pix[i] = data.Ignore
	}
	for k, o := range objects {
		if keep := rng.IntN(2) == 1; !keep && k != sure {
			continue
		}
		for _, i := range o {
			layer.Pix[i] = s.Truth.Pix[i]
		}
	}
	over, mask := make([]float32, len(pixels)), make([]uint8, len(labels))
	at := l.aug.Draw(rng, s.Image.Rect.Dx(), s.Image.Rect.Dy())
	if err := l.aug.Apply(over, mask, s.Image, layer, at); err != nil {
		return fmt.Errorf("%s: %w", s.ID, err)
	}
	for i, v := range mask {
		if v != data.Ignore && v != 0 { // 0 is padding
			labels[i] = v
			copy(pixels[3*i:3*i+3], over[3*i:3*i+3])
		}
	}
	return nil
}

// objects lists the pixels of what may be pasted elsewhere: the masks of the
// sidecar, where their class is the label; of true masks, all that is of one
// class.
func (l *loader) objects(s *data.Sample) (objects [][]int, err error) {
	if l.labelsDir == "" {
		at := map[uint8]int{}
		for i, v := range s.Truth.Pix {
			if v == 0 || v == data.Ignore {
				continue
			}
			if _, ok := at[v]; !ok {
				at[v], objects = len(objects), append(objects, nil)
			}
			objects[at[v]] = append(objects[at[v]], i)
		}
		return objects, nil
	}
	path, err := files.Join(l.scoresDir, s.ID+".json")
	if err != nil {
		return nil, err
	}
	side, err := gen.ReadSidecar(path)
	if err != nil {
		return nil, fmt.Errorf("train.augment.copy_paste reads the masks and scores that gen writes beside its label maps: %w", err)
	}
	if side.Width != s.Truth.W || side.Height != s.Truth.H {
		return nil, fmt.Errorf("%s: for a label map of %d×%d pixels, that of %s has %d×%d", path, side.Width, side.Height, s.ID, s.Truth.W, s.Truth.H)
	}
	for _, m := range side.Masks {
		if m.Class == 0 || float64(m.Score) < l.pasteMin {
			continue
		}
		var pixels []int
		m.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				if i := y*s.Truth.W + x; int(s.Truth.Pix[i]) == m.Class {
					pixels = append(pixels, i)
				}
			}
		})
		if len(pixels) > 0 {
			objects = append(objects, pixels)
		}
	}
	return objects, nil
}
