package exemplars

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/gomlx/compute"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/vector"
	"wsss/models/foundation/features"
	"wsss/models/nearest"
)

// alikeFinder compares places of photos with those of the exemplars and with
// those around them, by the features of a frozen network.
type alikeFinder struct {
	net   *features.Network
	opts  alikeOptions
	seen  []place
	index *nearest.Index
	of    []int    // exemplar of each row, -1 for background
	rows  [][2]int // of each class in the index; the first is background
	class []int    // of each of rows
}

// place is a cell of an exemplar's photo.
type place struct {
	class, of int
	features  []float32
}

func openAlike(b compute.Backend, o options) (*alikeFinder, error) {
	net, err := o.Features.Open(b, "gen.options.features")
	return &alikeFinder{net: net, opts: o.Alike}, err
}

func (f *alikeFinder) files() map[string]string { return f.net.Files() }
func (f *alikeFinder) masked() bool             { return true }

func (f *alikeFinder) begin() {
	f.seen, f.index, f.of, f.rows, f.class = nil, nil, nil, nil, nil
}

// cells are the sides of the part of a map that a photo of w×h covers.
func cells(m *features.Map, w, h int) (cw, ch int) {
	return min(m.W, max(1, int(float64(w)*m.ScaleX+0.5))), min(m.H, max(1, int(float64(h)*m.ScaleY+0.5)))
}

func (f *alikeFinder) study(ctx context.Context, img *imageproc.RGB, boxes []data.Box, masks []data.RLE, first int) ([]bool, error) {
	maps, err := f.net.Maps(ctx, img)
	if err != nil {
		return nil, err
	}
	m := maps[0]
	at := func(i int) []float32 { return m.Values[i*m.C : (i+1)*m.C] }
	free := make([]bool, m.W*m.H) // cells that no box touches
	cw, ch := cells(m, img.W, img.H)
	for y := range ch {
		for x := range cw {
			free[y*m.W+x] = true
		}
	}
	learnt := make([]bool, len(boxes))
	for k, b := range boxes {
		mask := masks[k]
		if mask.Area() == 0 {
			mask = full(b, img.W, img.H)
		}
		inside := most(m.Weights(mask))
		for _, i := range inside {
			f.seen = append(f.seen, place{b.Class, first + k, slices.Clone(at(i))})
		}
		learnt[k] = len(inside) > 0
		for i, w := range m.Weights(full(b, img.W, img.H)) {
			free[i] = free[i] && w == 0
		}
	}
	var outside []int
	for i, is := range free {
		if is && m.Norms[i] > 0 {
			outside = append(outside, i)
		}
	}
	for _, i := range f.unlike(outside, at, first, first+len(boxes)) {
		f.seen = append(f.seen, place{0, -1, slices.Clone(at(i))})
	}
	f.thin()
	return learnt, nil
}

// mostSeen bounds the places in memory: 200 MB of 768 features.
const mostSeen = 1 << 16

// thin leaves out every second place of each class where there are too many.
func (f *alikeFinder) thin() {
	if len(f.seen) <= mostSeen {
		return
	}
	n := map[int]int{}
	f.seen = slices.DeleteFunc(f.seen, func(p place) bool {
		n[p.class]++
		return n[p.class]%2 == 0
	})
}

// full is all of a box as a mask.
func full(b data.Box, w, h int) data.RLE {
	bits, r := make([]uint8, w*h), b.Rect()
	for y := max(r.Min.Y, 0); y < min(r.Max.Y, h); y++ {
		for x := max(r.Min.X, 0); x < min(r.Max.X, w); x++ {
			bits[y*w+x] = 1
		}
	}
	return data.EncodeRLE(bits, w, h)
}

// most are the cells that a mask covers by more than half, or the one that it
// covers most.
func most(weights []float32) (list []int) {
	best := 0
	for i, w := range weights {
		if w > 0.5 {
			list = append(list, i)
		}
		if w > weights[best] {
			best = i
		}
	}
	if len(list) == 0 && weights[best] > 0 {
		list = []int{best}
	}
	return list
}

// unlike are the cells that no object of exemplars from..to is the mean of: a
// photo may show more objects of a class than have boxes, and what they look
// like is not background.
func (f *alikeFinder) unlike(list []int, at func(int) []float32, from, to int) []int {
	for e := from; e < to; e++ {
		var own [][]float32
		for _, p := range f.seen {
			if p.of == e {
				own = append(own, p.features)
			}
		}
		if len(own) == 0 {
			continue
		}
		mean := make([]float32, len(own[0]))
		for _, v := range own {
			for c, x := range v {
				mean[c] += x
			}
		}
		vector.Normalise(mean)
		similar := make([]float32, len(own))
		for i, v := range own {
			similar[i] = vector.Dot(mean, v)
		}
		slices.Sort(similar)
		limit := similar[len(similar)/4]
		list = slices.DeleteFunc(slices.Clone(list), func(i int) bool { return vector.Dot(mean, at(i)) >= limit })
	}
	return list
}

// mostPlaces of a class are compared with, spread over all.
const mostPlaces = 8192

// ready makes the index, background first.
func (f *alikeFinder) ready() error {
	slices.SortStableFunc(f.seen, func(a, b place) int { return cmp.Compare(a.class, b.class) })
	f.index = nearest.New(len(f.seen[0].features))
	for from := 0; from < len(f.seen); {
		class, to := f.seen[from].class, from
		for to < len(f.seen) && f.seen[to].class == class {
			to++
		}
		at, n := f.index.Len(), min(to-from, mostPlaces)
		for i := range n {
			p := f.seen[from+i*(to-from)/n]
			f.index.Add(p.features)
			f.of = append(f.of, p.of)
		}
		f.rows, f.class = append(f.rows, [2]int{at, at + n}), append(f.class, class)
		from = to
	}
	if f.class[0] != 0 {
		return errors.New(`find = "features": the boxes cover their photos whole, and nothing shows what is background: add a photo with more around the object, or use find = "owlv2"`)
	}
	f.seen = nil
	return nil
}

// nearestOf are the similarity of each cell with the nearest place of a class,
// and its row.
func (f *alikeFinder) nearestOf(ctx context.Context, queries [][]float32, rows [2]int) ([]nearest.Neighbour, error) {
	list, err := f.index.Search(ctx, queries, 1, nearest.Among{Ranges: [][2]int{rows}})
	if err != nil {
		return nil, err
	}
	out := make([]nearest.Neighbour, len(list))
	for i, l := range list {
		out[i] = l[0]
	}
	return out, nil
}

// find lists connected cells that are more like the exemplars of a class than
// like those of another or the background.
func (f *alikeFinder) find(ctx context.Context, img *imageproc.RGB) ([]found, error) {
	maps, err := f.net.Maps(ctx, img)
	if err != nil {
		return nil, err
	}
	m := maps[0]
	cw, ch := cells(m, img.W, img.H)
	queries := make([][]float32, 0, cw*ch)
	for y := range ch {
		for x := range cw {
			queries = append(queries, m.Values[(y*m.W+x)*m.C:][:m.C])
		}
	}
	best, winner := make([]nearest.Neighbour, len(queries)), make([]int, len(queries))
	for k, rows := range f.rows {
		list, err := f.nearestOf(ctx, queries, rows)
		if err != nil {
			return nil, err
		}
		for i, n := range list {
			lead := n.Similarity
			if k == 0 { // background
				lead += float32(f.opts.Margin)
			}
			if k == 0 || lead > best[i].Similarity {
				best[i], winner[i] = nearest.Neighbour{Row: n.Row, Similarity: lead}, f.class[k]
			}
		}
	}
	var out []found
	for _, class := range f.class[1:] {
		bits := make([]uint8, len(queries))
		for i, w := range winner {
			if w == class {
				bits[i] = 1
			}
		}
		for _, part := range data.Parts(bits, cw, ch) {
			if float64(len(part)) < f.opts.MinArea*float64(cw*ch) {
				break // the largest come first
			}
			if o := f.object(m, class, part, best, cw, img); float64(o.score) >= f.opts.MinSimilarity {
				out = append(out, o)
			}
		}
	}
	return out, nil
}

// object is a part of the cells of a photo as a box.
func (f *alikeFinder) object(m *features.Map, class int, part []int32, best []nearest.Neighbour, cw int, img *imageproc.RGB) found {
	o := found{box: data.Box{X0: float32(img.W), Y0: float32(img.H), Class: class}}
	votes, sum := map[int]int{}, float32(0)
	for _, i := range part {
		x, y := float64(int(i)%cw), float64(int(i)/cw)
		b := &o.box
		b.X0, b.Y0 = min(b.X0, float32(x/m.ScaleX)), min(b.Y0, float32(y/m.ScaleY))
		b.X1, b.Y1 = max(b.X1, float32((x+1)/m.ScaleX)), max(b.Y1, float32((y+1)/m.ScaleY))
		sum += best[i].Similarity
		votes[f.of[best[i].Row]]++
	}
	o.box.X1, o.box.Y1 = min(o.box.X1, float32(img.W)), min(o.box.Y1, float32(img.H))
	o.score = max(0, min(1, sum/float32(len(part))))
	top := 0
	for e, n := range votes {
		if n > top || n == top && e < o.like {
			top, o.like = n, e
		}
	}
	return o
}
