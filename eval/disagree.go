package eval

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"wsss/checkpoints/files"
	"wsss/data"
)

// Rightness counts pixels by which of two label maps is right.
type Rightness struct {
	Both  uint64 `json:"both"`
	OnlyA uint64 `json:"only_a"`
	OnlyB uint64 `json:"only_b"`
	None  uint64 `json:"none"`
}

// Total is the number of scored pixels.
func (r Rightness) Total() uint64 { return r.Both + r.OnlyA + r.OnlyB + r.None }

func (r *Rightness) add(o Rightness) {
	r.Both += o.Both
	r.OnlyA += o.OnlyA
	r.OnlyB += o.OnlyB
	r.None += o.None
}

// count sorts one pixel in.
func (r *Rightness) count(a, b bool, n uint64) {
	switch {
	case a && b:
		r.Both += n
	case a:
		r.OnlyA += n
	case b:
		r.OnlyB += n
	default:
		r.None += n
	}
}

// ImageRightness is one image's share of a Disagreement.
type ImageRightness struct {
	ID string `json:"id"`
	Rightness
}

// Disagreement tells where one of two sets of label maps is right and the
// other wrong, pixel by pixel.
type Disagreement struct {
	Classes []Rightness      `json:"classes"` // by true class
	Images  []ImageRightness `json:"images"`  // in the dataset's order
}

// Disagree compares dirA/<id>.png and dirB/<id>.png with the truth of some
// images: pixels of void truth are left out, predictions of void count as
// background. Images without truth or without one of the maps are skipped.
// Errors name the file.
func Disagree(ctx context.Context, ds data.Dataset, ids []string, dirA, dirB string, workers int, progress Progress) (*Disagreement, error) {
	workers = Options{Workers: workers}.withDefaults().Workers
	images := make([]*ImageRightness, len(ids))
	sums := make([][]Rightness, workers)
	for w := range sums {
		sums[w] = make([]Rightness, ds.Classes().Len())
	}
	read := func(dir, id string, like *data.LabelMap) (*data.LabelMap, error) {
		path, err := files.Join(dir, id+".png")
		if err != nil {
			return nil, err
		}
		m, err := data.ReadLabelMap(path)
		if err == nil && m.Size() != like.Size() {
			err = fmt.Errorf("%s is %d×%d but the truth of %s is %d×%d", path, m.W, m.H, id, like.W, like.H)
		}
		return m, err
	}
	err := data.ParallelWorkers(ctx, len(ids), workers, progress, func(w, i int) error {
		s, err := ds.Load(ids[i], data.WantTruth)
		if errors.Is(err, data.ErrNoTruth) {
			return nil
		}
		if err != nil {
			return err
		}
		a, err := read(dirA, ids[i], s.Truth)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := read(dirB, ids[i], s.Truth)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		im := &ImageRightness{ID: ids[i]}
		for c, r := range compareMaps(s.Truth, a, b, ds.Classes().Len()) {
			sums[w][c].add(r)
			im.add(r)
		}
		images[i] = im
		return nil
	})
	if err != nil {
		return nil, err
	}
	d := &Disagreement{Classes: sums[0]}
	for _, s := range sums[1:] {
		for c := range s {
			d.Classes[c].add(s[c])
		}
	}
	for _, im := range images {
		if im != nil {
			d.Images = append(d.Images, *im)
		}
	}
	return d, nil
}

// compareMaps counts by true class.
func compareMaps(truth, a, b *data.LabelMap, classes int) []Rightness {
	out := make([]Rightness, classes)
	for i, t := range truth.Pix {
		if int(t) >= classes {
			continue
		}
		pa, pb := a.Pix[i], b.Pix[i]
		if int(pa) >= classes {
			pa = 0
		}
		if int(pb) >= classes {
			pb = 0
		}
		out[t].count(pa == t, pb == t, 1)
	}
	return out
}

// Top lists up to n images where B is right and A wrong on the largest share
// of pixels, or with reverse the other way round.
func (d *Disagreement) Top(n int, reverse bool) []ImageRightness {
	share := func(r ImageRightness) float64 {
		k := r.OnlyB
		if reverse {
			k = r.OnlyA
		}
		return float64(k) / float64(max(r.Total(), 1))
	}
	list := slices.Clone(d.Images)
	slices.SortStableFunc(list, func(x, y ImageRightness) int {
		switch sx, sy := share(x), share(y); {
		case sx > sy:
			return -1
		case sx < sy:
			return 1
		}
		return 0
	})
	list = list[:min(n, len(list))]
	for i, im := range list {
		if share(im) == 0 {
			return list[:i]
		}
	}
	return list
}
