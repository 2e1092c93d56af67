package nearest

import (
	"cmp"
	"context"
	"slices"
)

// most is how many neighbours of a row are looked at for duplicates at a time;
// what is a duplicate of one of them is found by way of it.
const most = 32

// Duplicates groups the rows that are nearly the same: those with a product of
// at least similar with another of the group. Groups have two rows or more, and
// are in the order of their first ones, as their rows are.
func (x *Index) Duplicates(ctx context.Context, similar float32) ([][]int, error) {
	group := make([]int, x.Len())
	for i := range group {
		group[i] = i
	}
	root := func(i int) int {
		for group[i] != i {
			group[i] = group[group[i]]
			i = group[i]
		}
		return i
	}
	for from := 0; from < x.Len(); from += batch {
		queries := make([][]float32, 0, batch)
		for i := from; i < min(from+batch, x.Len()); i++ {
			queries = append(queries, x.Row(i))
		}
		found, err := x.Search(ctx, queries, most, Among{Skip: func(q, row int) bool { return row == from+q }})
		if err != nil {
			return nil, err
		}
		for q, list := range found {
			for _, n := range list {
				if n.Similarity >= similar {
					a, b := root(from+q), root(n.Row)
					group[max(a, b)] = min(a, b)
				}
			}
		}
	}
	members := map[int][]int{}
	for i := range group {
		members[root(i)] = append(members[root(i)], i)
	}
	var out [][]int
	for _, list := range members {
		if len(list) > 1 {
			out = append(out, list)
		}
	}
	slices.SortFunc(out, func(a, b []int) int { return cmp.Compare(a[0], b[0]) })
	return out, nil
}

// Spread chooses n of the rows for which allowed holds, each the farthest from
// all that are taken or chosen before it (k-centre, Gonzalez 1985), the lowest of
// equal ones. With none taken the first is the one nearest to the mean. It
// returns them in that order, with the largest product that each had with those
// before it.
func (x *Index) Spread(n int, taken []int, allowed func(row int) bool) (rows []int, similar []float32) {
	rest := make([]int, 0, x.Len())
	for i := range x.Len() {
		if allowed(i) && !slices.Contains(taken, i) {
			rest = append(rest, i)
		}
	}
	nearest := make([]float32, x.Len()) // the largest product with what is taken
	for i := range nearest {
		nearest[i] = lowest
	}
	product := func(i int, with []float32) (sum float32) {
		for j, v := range x.Row(i) {
			sum += v * with[j]
		}
		return sum
	}
	take := func(row int) {
		with := x.Row(row)
		for _, i := range rest {
			nearest[i] = max(nearest[i], product(i, with))
		}
	}
	for _, t := range taken {
		take(t)
	}
	for len(rows) < n && len(rest) > 0 {
		best := 0
		if len(rows)+len(taken) == 0 {
			mean := x.mean(rest)
			top := product(rest[0], mean)
			for k, i := range rest[1:] {
				if p := product(i, mean); p > top {
					best, top = k+1, p
				}
			}
		} else {
			for k, i := range rest {
				if nearest[i] < nearest[rest[best]] {
					best = k
				}
			}
		}
		row := rest[best]
		rows, similar = append(rows, row), append(similar, max(nearest[row], -1))
		rest = slices.Delete(rest, best, best+1)
		take(row)
	}
	return rows, similar
}

func (x *Index) mean(rows []int) []float32 {
	mean := make([]float32, x.dim)
	for _, i := range rows {
		for j, v := range x.Row(i) {
			mean[j] += v / float32(len(rows))
		}
	}
	return mean
}
