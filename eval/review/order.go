package review

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/gen"
)

// Evidence is what the order of images is computed from. All but IDs may be
// missing.
type Evidence struct {
	Dataset   *corrections.Dataset
	IDs       []string
	LabelsDir string // label maps and sidecars
	// Predictions are a network's label maps of the same images.
	Predictions string
	// ClassIoU is a network's IoU per class on other images; NaN = not known.
	ClassIoU []float64
}

// least keeps a factor of the gain from hiding the others.
const least = 0.05

// clue is what is known of one image.
type clue struct {
	there   bool // it has a label
	doubt   float64
	why     string
	wrong   float64 // where a network sees the image otherwise; NaN = not known
	classes [256]bool
	judged  bool
}

// Order lists images by expected gain: how doubtful the label is × how much of
// it the network gets wrong × how rare its classes are. Images that were judged
// come last, equal ones in their own order.
func Order(ctx context.Context, e Evidence) ([]Item, error) {
	clues := make([]clue, len(e.IDs))
	err := data.Parallel(ctx, len(e.IDs), nil, func(i int) (err error) {
		clues[i], err = e.clue(e.IDs[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	var count [256]int
	for _, c := range clues {
		for v, has := range c.classes {
			if has && v > 0 && v != data.Ignore {
				count[v]++
			}
		}
	}
	items := make([]Item, len(clues))
	for i := range clues {
		items[i] = e.item(e.IDs[i], &clues[i], &count)
	}
	place := make([]int, len(items))
	for i := range place {
		place[i] = i
	}
	slices.SortStableFunc(place, func(a, b int) int {
		if clues[a].judged != clues[b].judged {
			if clues[a].judged {
				return 1
			}
			return -1
		}
		return cmp.Compare(items[b].Gain, items[a].Gain)
	})
	out := make([]Item, len(items))
	for i, at := range place {
		out[i] = items[at]
	}
	return out, nil
}

// item is an image with its gain and what it comes from.
func (e *Evidence) item(id string, c *clue, count *[256]int) Item {
	rarity, rarest := 0.0, 0
	errs, n := 0.0, 0
	for v, has := range c.classes {
		if !has || v == 0 || v == data.Ignore {
			continue
		}
		if r := 1 / math.Sqrt(float64(count[v])); r > rarity {
			rarity, rarest = r, v
		}
		if v < len(e.ClassIoU) && !math.IsNaN(e.ClassIoU[v]) {
			errs, n = errs+1-e.ClassIoU[v], n+1
		}
	}
	if rarest == 0 {
		rarity = 1
	}
	wrong := c.wrong
	if math.IsNaN(wrong) {
		if wrong = 1; n > 0 {
			wrong = errs / float64(n)
		}
	}
	var why []string
	switch {
	case !c.there:
		why = append(why, "no label yet")
	case c.why != "":
		why = append(why, c.why)
	}
	if !math.IsNaN(c.wrong) && c.wrong > 0.3 {
		why = append(why, fmt.Sprintf("the network sees %.0f %% otherwise", 100*c.wrong))
	} else if math.IsNaN(c.wrong) && n > 0 && wrong > 0.5 {
		why = append(why, fmt.Sprintf("the network is weak at its classes (IoU %.0f %%)", 100*(1-wrong)))
	}
	if rarest > 0 && count[rarest] <= 3 {
		why = append(why, fmt.Sprintf("%s is rare: in %d of the images", e.Dataset.Classes().Name(rarest), count[rarest]))
	}
	return Item{ID: id, Gain: max(c.doubt, least) * max(wrong, least) * max(rarity, least), Why: strings.Join(why, "; ")}
}

// clue reads what is known of an image.
func (e *Evidence) clue(id string) (c clue, err error) {
	c.doubt, c.wrong = 1, math.NaN()
	corrected, _, err := e.Dataset.Folder.Read(id)
	if err != nil {
		return c, err
	}
	c.judged = corrected != nil && corrected.Verdict != corrections.Open
	label, err := readMap(e.LabelsDir, id)
	if err != nil {
		return c, err
	}
	if label == nil {
		s, err := e.Dataset.Load(id, data.WantWeak)
		if err != nil {
			return c, err
		}
		for _, v := range s.Weak.Tags {
			c.classes[uint8(v)] = true
		}
		return c, nil
	}
	c.there, c.classes = true, label.Present()
	path, err := files.Join(e.LabelsDir, id+".json")
	if err != nil {
		return c, err
	}
	if side, err := gen.ReadSidecar(path); err == nil && side.Quality != nil {
		c.doubt, c.why = 1-side.Quality[gen.SignScore], side.Quality.Doubt()
	}
	seen, err := readMap(e.Predictions, id)
	if err != nil || seen == nil || seen.Size() != label.Size() {
		return c, err
	}
	c.wrong = 1 - gen.LabelAgreement(label, seen)
	return c, nil
}

// readMap reads a label map, nil where there is none.
func readMap(dir, id string) (*data.LabelMap, error) {
	if dir == "" {
		return nil, nil
	}
	path, err := files.Join(dir, id+".png")
	if err != nil {
		return nil, err
	}
	m, err := data.ReadLabelMap(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return m, err
}
