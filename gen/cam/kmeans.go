package cam

import (
	"math/rand/v2"

	"wsss/data/vector"
)

// Where k-means ends: the square of the summed moves of the centres, LPCAM's
// tolerance, and a bound for features that never settle.
const (
	kmeansTolerance = 5
	kmeansRounds    = 300
)

// kmeans divides vectors into k clusters by cosine distance, starting from the
// vectors of the given places, and returns the means of the clusters, as
// kmeans_pytorch does for LPCAM (docs/sources.md §11.5). A cluster without
// members starts again from a vector that rng chooses.
func kmeans(vectors [][]float32, start []int, tolerance float64, rng *rand.Rand) [][]float32 {
	centres := make([][]float32, len(start))
	for c, at := range start {
		centres[c] = append([]float32(nil), vectors[at]...)
	}
	for range kmeansRounds {
		if moved := recentre(vectors, centres, rng); moved*moved < tolerance {
			break
		}
	}
	return centres
}

// recentre moves each centre to the mean of the vectors nearest to it, and
// returns the sum of the lengths of the moves.
func recentre(vectors, centres [][]float32, rng *rand.Rand) (moved float64) {
	inverse := make([]float64, len(centres))
	for c, v := range centres {
		inverse[c] = 1 / max(vector.Length(v), tiny)
	}
	sums, count := make([][]float64, len(centres)), make([]int, len(centres))
	for c := range sums {
		sums[c] = make([]float64, len(centres[c]))
	}
	for _, v := range vectors {
		best, most := 0, 0.0
		for c, centre := range centres {
			// The vector's own length is common to all centres.
			if like := float64(vector.Dot(v, centre)) * inverse[c]; c == 0 || like > most {
				best, most = c, like
			}
		}
		count[best]++
		for i, x := range v {
			sums[best][i] += float64(x)
		}
	}
	for c := range centres {
		next := make([]float32, len(centres[c]))
		if count[c] == 0 {
			copy(next, vectors[rng.IntN(len(vectors))])
		}
		for i, s := range sums[c] {
			if count[c] > 0 {
				next[i] = float32(s / float64(count[c]))
			}
			centres[c][i] -= next[i]
		}
		moved += vector.Length(centres[c])
		centres[c] = next
	}
	return moved
}

// tiny bounds the lengths that are divided by.
const tiny = 1e-12

// distinct are k different places below n, or all of them.
func distinct(n, k int, rng *rand.Rand) []int {
	return rng.Perm(n)[:min(n, k)]
}

// reservoir keeps a fair sample of the vectors that it is shown.
type reservoir struct {
	limit int
	rng   *rand.Rand
	seen  int
	kept  [][]float32
}

// add shows a vector, which is copied if it is kept.
func (r *reservoir) add(v []float32) {
	r.seen++
	if len(r.kept) < r.limit {
		r.kept = append(r.kept, append([]float32(nil), v...))
		return
	}
	if at := r.rng.IntN(r.seen); at < r.limit {
		copy(r.kept[at], v)
	}
}
