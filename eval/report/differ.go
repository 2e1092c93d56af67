package report

import (
	"context"
	"slices"
	"sort"

	"wsss/eval"
)

// maxDiffer bounds the pairs that are compared pixel by pixel: each reads all
// label maps again.
const maxDiffer = 3

// differView shows where one of two rows over the same images is right and the
// other is not.
type differView struct {
	A, B    string
	Split   string
	Better  []differImage // B above A
	Worse   []differImage
	Classes []differClass // by true class; empty without label maps
}

type differImage struct {
	ID   string
	A, B eval.Value
}

// differClass holds shares of the class's pixels.
type differClass struct {
	Name                     string
	Both, OnlyA, OnlyB, None float64
}

// differences compares each pseudo-label row with every trained network and
// zero-shot method over the same images.
func differences(ctx context.Context, r *Report) ([]differView, error) {
	var out []differView
	for _, a := range r.Rows {
		for _, b := range r.Rows {
			if len(out) == maxDiffer || a.Kind != eval.KindPseudo || b.Kind != eval.KindNetwork && b.Kind != eval.KindZeroShot || !sameImages(a.Result, b.Result) {
				continue
			}
			d := differView{A: a.Name, B: b.Name, Split: a.Split}
			d.images(a.Result, b.Result)
			if r.Dataset != nil && a.Labels != "" && b.Labels != "" && a.Dataset == r.Dataset.Name() {
				pixels, err := eval.Disagree(ctx, r.Dataset, a.IDs(), a.Labels, b.Labels, r.Workers, nil)
				if err != nil {
					return nil, err
				}
				d.classes(pixels, a.Result)
			}
			out = append(out, d)
		}
	}
	return out, nil
}

func (d *differView) images(a, b *eval.Result) {
	for i, im := range a.PerImage {
		o := b.PerImage[i]
		if im.MIoU.Valid() && o.MIoU.Valid() && im.MIoU != o.MIoU {
			d.Better = append(d.Better, differImage{im.ID, im.MIoU, o.MIoU})
		}
	}
	d.Worse = slices.Clone(d.Better)
	d.Better = mostBy(d.Better, func(x differImage) eval.Value { return x.B - x.A })
	d.Worse = mostBy(d.Worse, func(x differImage) eval.Value { return x.A - x.B })
}

func mostBy(list []differImage, gain func(differImage) eval.Value) []differImage {
	sort.SliceStable(list, func(i, j int) bool { return gain(list[i]) > gain(list[j]) })
	n := 0
	for n < min(len(list), 10) && gain(list[n]) > 0 {
		n++
	}
	return list[:n]
}

func (d *differView) classes(pixels *eval.Disagreement, a *eval.Result) {
	for c, k := range pixels.Classes {
		n := float64(k.Total())
		if n == 0 {
			continue
		}
		d.Classes = append(d.Classes, differClass{className(a.Classes, c), float64(k.Both) / n, float64(k.OnlyA) / n, float64(k.OnlyB) / n, float64(k.None) / n})
	}
}
