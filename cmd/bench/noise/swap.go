package noise

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/gen"
)

// swap copies label maps and sidecars, and gives a share of the masks the class
// of another mask of their image, chosen evenly among those classes. Images of
// one class stay as they are.
func swap(labels, out string, share float64) error {
	paths, err := filepath.Glob(filepath.Join(labels, "*.png"))
	if err != nil {
		return err
	}
	if out == "" || len(paths) == 0 {
		return fmt.Errorf("-labels %s, -out %s: want a folder of label maps, and one to make", labels, out)
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 1))
	masks, swapped := 0, 0
	for _, path := range paths {
		m, err := data.ReadLabelMap(path)
		if err != nil {
			return err
		}
		id := strings.TrimSuffix(filepath.Base(path), ".png")
		side, err := gen.ReadSidecar(filepath.Join(labels, id+".json"))
		if err != nil {
			return err
		}
		swapped += swapOne(m, side, share, rng)
		masks += len(side.Masks)
		err = errors.Join(data.WriteLabelMap(filepath.Join(out, id+".png"), m), files.WriteJSON(filepath.Join(out, id+".json"), side))
		if err != nil {
			return err
		}
	}
	fmt.Printf("%d of %d masks have a wrong class\n", swapped, masks)
	return nil
}

// swapOne does so for one image, and counts the masks that it changes.
func swapOne(m *data.LabelMap, side *gen.Sidecar, share float64, rng *rand.Rand) (swapped int) {
	var classes []int
	for _, mask := range side.Masks {
		if !slices.Contains(classes, mask.Class) {
			classes = append(classes, mask.Class)
		}
	}
	old := slices.Clone(m.Pix)
	for i := range side.Masks {
		mask := &side.Masks[i]
		if len(classes) < 2 || rng.Float64() >= share {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(classes), func(c int) bool { return c == mask.Class })
		wrong := others[rng.IntN(len(others))]
		mask.Bits.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				if k := y*m.W + x; int(old[k]) == mask.Class {
					m.Pix[k] = uint8(wrong)
				}
			}
		})
		mask.Class = wrong
		swapped++
	}
	return swapped
}
