package retrieve

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	"wsss/gen"
	"wsss/models/nearest"
)

// bank is regions of photos with their classes and features, by class.
type bank struct {
	index   *nearest.Index
	rows    []row // by class, then photo
	photos  []photo
	names   []string // of the classes
	network string   // features.Network.Key
	starts  []int    // of each class in rows, and the end

	files  map[string]bool  // SHA-256 of the photos' files
	pixels map[string][]int // photos by the hash of their pixels, and by id
	ids    map[string][]int
	keys   map[string]int

	tallied sync.Once
	counts  []int         // regions of each class that are in the bank
	rowsOf  map[int][]int // of a photo, those that are in the bank
}

// row is a region.
type row struct {
	class, photo int
	area         int
	confirmed    bool // of a label that a person drew or accepted
	excluded     bool // cleaning took it out of the bank: its neighbours are of other classes
}

// photo is one that regions are of. Key identifies all that they depend on.
type photo struct {
	ID     string `json:"id"`
	File   string `json:"file,omitempty"` // SHA-256 of its file
	Pixels string `json:"pixels"`         // features.PhotoHash
	Key    string `json:"key"`
}

// finish sets what follows from rows and photos.
func (b *bank) finish() {
	b.starts = make([]int, len(b.names)+1)
	for c := range b.starts {
		b.starts[c], _ = slices.BinarySearchFunc(b.rows, c, func(r row, c int) int { return cmp.Compare(r.class, c) })
	}
	b.files, b.pixels, b.ids, b.keys = map[string]bool{}, map[string][]int{}, map[string][]int{}, map[string]int{}
	for i, p := range b.photos {
		if p.File != "" {
			b.files[p.File] = true
		}
		b.pixels[p.Pixels] = append(b.pixels[p.Pixels], i)
		b.ids[p.ID] = append(b.ids[p.ID], i)
		b.keys[p.Key] = i
	}
}

// own are the photos of the bank that are a given one.
func (b *bank) own(id, pixels string) []int {
	return slices.Concat(b.ids[id], b.pixels[pixels])
}

// lacks lists the classes without a region, background not counted; of wanted
// ones, unless that is nil.
func (b *bank) lacks(wanted map[int]bool) (list []int) {
	for c := 1; c < len(b.names); c++ {
		if b.count(c) == 0 && (wanted == nil || wanted[c]) {
			list = append(list, c)
		}
	}
	return list
}

// count is the number of regions of a class that are in the bank.
func (b *bank) count(class int) (n int) {
	for _, r := range b.rows[b.starts[class]:b.starts[class+1]] {
		if !r.excluded {
			n++
		}
	}
	return n
}

func names(classes []string, list []int) string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = classes[c]
	}
	return strings.Join(out, ", ")
}

// ranges are the rows of the background and of some classes; nil means all.
func (b *bank) ranges(classes []int) [][2]int {
	if classes == nil {
		return nil
	}
	var out [][2]int
	for _, c := range append([]int{0}, classes...) {
		if b.starts[c] < b.starts[c+1] {
			out = append(out, [2]int{b.starts[c], b.starts[c+1]})
		}
	}
	if out == nil {
		out = [][2]int{}
	}
	return out
}

// verdict is what the bank says of a proposal.
type verdict struct {
	class    int
	score    float32 // mean similarity of the regions that vouch for it
	share    float32 // of the votes
	vouchers []gen.Voucher

	shares map[int]float32 // of the votes for each class; background alone where nothing vouches well enough
	near   []nearest.Neighbour
}

// name asks the bank for the classes of proposals with these features. allowed
// are the classes besides background, nil for all; own the bank's photos that
// are the one at hand.
func (b *bank) name(ctx context.Context, o options, queries [][]float32, allowed, own []int) ([]verdict, error) {
	if !o.LeaveOneOut {
		own = nil
	}
	found, err := b.index.Search(ctx, queries, o.K, nearest.Among{Ranges: b.ranges(allowed), Skip: func(_, i int) bool {
		return b.rows[i].excluded || slices.Contains(own, b.rows[i].photo)
	}})
	if err != nil {
		return nil, err
	}
	voters := b.votersBut(own)
	out := make([]verdict, len(queries))
	for i, list := range found {
		out[i] = b.vote(o, list, voters)
	}
	return out, nil
}

// votersBut are the numbers of regions of each class that may vote, without those of
// some photos. The bank must not change afterwards.
func (b *bank) votersBut(own []int) []int {
	b.tallied.Do(func() {
		b.counts, b.rowsOf = make([]int, len(b.names)), map[int][]int{}
		for i, r := range b.rows {
			if !r.excluded {
				b.counts[r.class]++
				b.rowsOf[r.photo] = append(b.rowsOf[r.photo], i)
			}
		}
	})
	out, seen := slices.Clone(b.counts), map[int]bool{}
	for _, p := range own {
		if !seen[p] {
			for _, i := range b.rowsOf[p] {
				out[b.rows[i].class]--
			}
		}
		seen[p] = true
	}
	return out
}

// vote counts the neighbours, the nearest first. voters are the regions of each class
// that were asked: where the options balance votes, those of a class with fewer than k
// count for as much as k would. A proposal that nothing vouches for well enough is
// background.
func (b *bank) vote(o options, list []nearest.Neighbour, voters []int) verdict {
	votes, sums, n := map[int]float32{}, map[int]float32{}, map[int]int{}
	total := float32(0)
	for _, v := range list {
		class, weight := b.rows[v.Row].class, o.weight(v.Similarity, list[0].Similarity)
		if few := voters[class]; o.Balance && few > 0 && few < o.K {
			weight *= float32(o.K) / float32(few)
		}
		votes[class] += weight
		sums[class] += v.Similarity
		n[class]++
		total += weight
	}
	nothing := verdict{shares: map[int]float32{0: 1}, near: list}
	best := -1
	for class := range b.names {
		if n[class] > 0 && (best < 0 || votes[class] > votes[best] || votes[class] == votes[best] && sums[class] > sums[best]) {
			best = class
		}
	}
	if best < 0 || total == 0 {
		return nothing
	}
	v := verdict{class: best, share: votes[best] / total, shares: votes, near: list}
	for class := range votes {
		votes[class] /= total
	}
	if best == 0 {
		return v
	}
	v.score, v.vouchers = b.vouch(list, best)
	if float64(v.vouchers[0].Similarity) < o.MinSimilarity || float64(v.share) < o.MinShare {
		return nothing
	}
	return v
}

// vouch is the mean similarity of the neighbours of a class, and who they are.
func (b *bank) vouch(list []nearest.Neighbour, class int) (mean float32, who []gen.Voucher) {
	for _, one := range list {
		if r := b.rows[one.Row]; r.class == class {
			mean += one.Similarity
			who = append(who, gen.Voucher{Photo: b.photos[r.photo].ID, Area: r.area, Similarity: one.Similarity, Corrected: r.confirmed})
		}
	}
	return mean / float32(max(1, len(who))), who
}

// weight is that of a neighbour's vote; top is the nearest one's similarity.
func (o options) weight(similarity, top float32) float32 {
	switch {
	case o.Vote == voteCount:
		return 1
	case o.Temperature == 0:
		return max(similarity, 0)
	}
	return float32(math.Exp(float64(similarity-top) / o.Temperature))
}

// clean marks the regions that leave the bank, by what their nearest regions of
// other photos are. allowed are the classes besides background that the labels of a
// photo allow, by its id, nil for all: others do not vote on it. A class of few regions is
// asked about fewer neighbours, so that it can agree at all; a region that a person
// drew stays, and a class that would lose all its regions keeps them.
func (b *bank) clean(ctx context.Context, o options, allowed map[string][]int) error {
	for i := range b.rows {
		b.rows[i].excluded = false
	}
	var err error
	switch o.Clean {
	case cleanNeighbours:
		err = b.cleanByNeighbours(ctx, o, b.voters(allowed))
	case cleanCentre:
		b.cleanByCentre(o.Drop)
	}
	for c := range b.names {
		if some := b.rows[b.starts[c]:b.starts[c+1]]; b.count(c) == 0 {
			for i := range some {
				some[i].excluded = false
			}
		}
	}
	return err
}

// voters are the classes that vote on the regions of each photo, background among
// them; nil for all.
func (b *bank) voters(allowed map[string][]int) [][]bool {
	out := make([][]bool, len(b.photos))
	for i, p := range b.photos {
		if list := allowed[p.ID]; list != nil {
			out[i] = make([]bool, len(b.names))
			out[i][0] = true
			for _, c := range list {
				out[i][c] = true
			}
		}
	}
	return out
}

// cleaned is how many regions are asked about their neighbours at a time.
const cleaned = 4096

func (b *bank) cleanByNeighbours(ctx context.Context, o options, voters [][]bool) error {
	excluded := make([]bool, len(b.rows))
	photosOf := make([]int, len(b.names)) // regions of a class are counted by photos
	for c := range b.names {
		last := -1
		for _, r := range b.rows[b.starts[c]:b.starts[c+1]] {
			if r.photo != last {
				photosOf[c], last = photosOf[c]+1, r.photo
			}
		}
	}
	for from := 0; from < len(b.rows); from += cleaned {
		to := min(from+cleaned, len(b.rows))
		queries := make([][]float32, 0, to-from)
		for i := from; i < to; i++ {
			queries = append(queries, b.index.Row(i))
		}
		found, err := b.index.Search(ctx, queries, o.K, nearest.Among{Skip: func(q, i int) bool {
			own := b.rows[from+q].photo
			return b.rows[i].photo == own || voters[own] != nil && !voters[own][b.rows[i].class]
		}})
		if err != nil {
			return err
		}
		for q, list := range found {
			r := b.rows[from+q]
			others := photosOf[r.class] - 1
			if r.confirmed || others < 1 {
				continue
			}
			list = list[:min(len(list), 2*others-1)]
			own, total := float32(0), float32(0)
			for _, n := range list {
				w := o.weight(n.Similarity, list[0].Similarity)
				total += w
				if b.rows[n.Row].class == r.class {
					own += w
				}
			}
			excluded[from+q] = float64(own) < o.Agree*float64(total)
		}
	}
	for i, e := range excluded {
		b.rows[i].excluded = e
	}
	return nil
}

// cleanByCentre drops a share of each class but the background: the regions
// farthest from the mean of all, as ModuSeg does.
func (b *bank) cleanByCentre(share float64) {
	for c := 1; c < len(b.names); c++ {
		from, n := b.starts[c], b.starts[c+1]-b.starts[c]
		mean := make([]float64, b.index.Dim())
		for i := range n {
			for j, v := range b.index.Row(from + i) {
				mean[j] += float64(v) / float64(n)
			}
		}
		far, order := make([]float64, n), make([]int, n)
		for i := range n {
			order[i] = i
			for j, v := range b.index.Row(from + i) {
				far[i] += (float64(v) - mean[j]) * (float64(v) - mean[j])
			}
		}
		slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(far[y], far[x]) })
		for _, i := range order[:int(float64(n)*share)] {
			b.rows[from+i].excluded = !b.rows[from+i].confirmed
		}
	}
}
