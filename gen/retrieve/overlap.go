package retrieve

import (
	"cmp"
	"slices"

	"wsss/data"
	"wsss/gen"
)

// best are the named proposals, the best first, without those of a class that
// overlap a better one too much.
func (m *method) best(bits []data.RLE, named []verdict) []gen.Mask {
	order := make([]int, len(bits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(named[b].score, named[a].score) })
	var out []gen.Mask
	kept := map[int][]overlap{}
	for _, i := range order {
		v := named[i]
		if v.class == 0 {
			continue
		}
		o := newOverlap(bits[i])
		if m.opts.NMS < 1 && slices.ContainsFunc(kept[v.class], func(other overlap) bool { return o.iou(other) > m.opts.NMS }) {
			continue
		}
		kept[v.class] = append(kept[v.class], o)
		out = append(out, gen.Mask{Class: v.class, Bits: bits[i], Score: min(max(v.score, 0), 1), VouchedBy: v.vouchers,
			From: gen.Prompt{Class: v.class, Source: "retrieve", Score: v.share}})
	}
	return out
}

// overlap is a mask unpacked, to be compared with others.
type overlap struct {
	bits []uint8
	area int
}

func newOverlap(mask data.RLE) overlap { return overlap{mask.Decode(), mask.Area()} }

func (o overlap) iou(p overlap) float64 {
	both := 0
	for i, v := range o.bits {
		if v != 0 && p.bits[i] != 0 {
			both++
		}
	}
	if union := o.area + p.area - both; union > 0 {
		return float64(both) / float64(union)
	}
	return 0
}

// bandPixels bounds the pixels whose votes are in memory at a time.
const bandPixels = 1 << 20

// cast lets proposals vote for each pixel that they cover. Each has one vote, for
// all classes of its neighbours by their shares and spread evenly over its pixels:
// a small mask says more of what it covers than one that covers much. A pixel is of
// the class with the most votes. Connected pixels of a class are a mask, those of
// fewer than area with the largest; it is vouched for by what the proposal that says
// most of it was.
func (b *bank) cast(area int, bits []data.RLE, named []verdict) []gen.Mask {
	if len(bits) == 0 {
		return nil
	}
	won := elect(bits, named, bits[0].W, bits[0].H)
	var out []gen.Mask
	for class, present := range won.Present() {
		if present && class > 0 {
			out = append(out, b.pieces(class, area, pixelsOf(won, class), bits, named)...)
		}
	}
	slices.SortStableFunc(out, func(x, y gen.Mask) int { return cmp.Compare(y.Score, x.Score) })
	return out
}

// elect gives each pixel the class with the most votes, the lowest of equal ones,
// background where nothing covers it. Votes are counted in bands of columns.
func elect(bits []data.RLE, named []verdict, w, h int) *data.LabelMap {
	var classes []int // that have any vote
	for _, v := range named {
		for c := range v.shares {
			if !slices.Contains(classes, c) {
				classes = append(classes, c)
			}
		}
	}
	slices.Sort(classes)
	k := len(classes)
	won := data.NewLabelMap(w, h)
	band := max(1, bandPixels/h)
	votes := make([]float32, min(band, w)*h*k)
	for from := 0; from < w; from += band {
		to := min(from+band, w)
		clear(votes)
		for i, mask := range bits {
			each := make([]float32, k)
			for j, c := range classes {
				each[j] = named[i].shares[c] / float32(mask.Area())
			}
			mask.Each(func(x, y0, y1 int) {
				if x < from || x >= to {
					return
				}
				for y := y0; y < y1; y++ {
					at := votes[((x-from)*h+y)*k:][:k]
					for j, v := range each {
						at[j] += v
					}
				}
			})
		}
		for x := from; x < to; x++ {
			for y := range h {
				at, top := votes[((x-from)*h+y)*k:][:k], float32(0)
				for j, v := range at {
					if v > top {
						top, won.Pix[y*w+x] = v, uint8(classes[j])
					}
				}
			}
		}
	}
	return won
}

// pieces are the connected pixels of a class, some at least, as masks.
func (b *bank) pieces(class, area int, one []uint8, bits []data.RLE, named []verdict) []gen.Mask {
	w, h := bits[0].W, bits[0].H
	list := data.Parts(one, w, h)
	n := 1
	for n < len(list) && len(list[n]) >= area {
		n++
	}
	for _, crumb := range list[n:] {
		list[0] = append(list[0], crumb...)
	}
	of := make([]int32, w*h) // piece of each pixel, from 1
	for k, part := range list[:n] {
		for _, p := range part {
			of[p] = int32(k + 1)
		}
	}
	best, says := make([]int, n), make([]float32, n)
	for i, mask := range bits {
		share := named[i].shares[class]
		if share == 0 {
			continue
		}
		pixels := make([]int, n+1)
		mask.Each(func(x, y0, y1 int) {
			for y := y0; y < y1; y++ {
				pixels[of[y*w+x]]++
			}
		})
		for k := range n {
			if s := share * float32(pixels[k+1]) / float32(mask.Area()); s > says[k] {
				best[k], says[k] = i, s
			}
		}
	}
	out := make([]gen.Mask, n)
	for k, part := range list[:n] {
		v := named[best[k]]
		score, vouchers := b.vouch(v.near, class)
		out[k] = gen.Mask{Class: class, Bits: maskOf(part, w, h), Score: min(max(score, 0), 1), VouchedBy: vouchers,
			From: gen.Prompt{Class: class, Source: "retrieve", Score: v.shares[class]}}
	}
	return out
}
