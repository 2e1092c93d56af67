// Package together lets goroutines that ask for one item each share the runs of
// a network. It is for devices that one item leaves idle.
package together

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"wsss/data/crash"
)

// Runs answers items. While a run is under way, those that are asked for
// meanwhile gather for the next. A run is always of the same number of items,
// the last one repeated where there are fewer: the same graph computes, and what
// an item gets does not depend on those beside it; see Single for when that ends. It is
// safe for concurrent use.
type Runs[Key comparable, In, Out any] struct {
	// Size is how many items that have a key, which they must share, a run takes.
	// Items of a size of 1 are not gathered, and run at the same time.
	Size func(Key) int
	// Run computes Size(key) items, or one, and gives as many results, those of
	// repeated items too.
	Run func(ctx context.Context, key Key, items []In) ([]Out, error)
	// Free gives back at once what the result of a repeated item holds; nil leaves it
	// to the collector.
	Free func(Out)

	single  atomic.Bool // see Single
	turn    sync.Mutex  // held by who runs
	mu      sync.Mutex  // guards waiting
	waiting []*item[Key, In, Out]
}

// item is one that waits, and then its answer.
type item[Key comparable, In, Out any] struct {
	key  Key
	in   In
	out  Out
	err  error
	done bool
}

// Single tells whether items are computed one at a time from now on: a run of several
// has failed, and one of them could be computed in a run of one. Some files declare any
// number of items and take one, and memory may be short.
func (r *Runs[Key, In, Out]) Single() bool { return r.single.Load() }

func (r *Runs[Key, In, Out]) size(key Key) int {
	if r.Single() {
		return 1
	}
	return max(r.Size(key), 1)
}

// Do answers one item. An error is its own: where a run of several fails, each
// is computed again without the others.
func (r *Runs[Key, In, Out]) Do(ctx context.Context, key Key, in In) (out Out, err error) {
	if err := ctx.Err(); err != nil {
		return out, err
	}
	if r.size(key) == 1 {
		return first(r.run(ctx, key, []In{in}, 1))
	}
	own := &item[Key, In, Out]{key: key, in: in}
	r.mu.Lock()
	r.waiting = append(r.waiting, own)
	r.mu.Unlock()

	r.turn.Lock()
	defer r.turn.Unlock()
	if own.done {
		return own.out, own.err
	}
	if err := ctx.Err(); err != nil {
		r.leave(own)
		return out, err
	}
	// What it computes for others does not end with this caller's context.
	r.answer(context.WithoutCancel(ctx), r.gather(own))
	return own.out, own.err
}

// All answers several items of one caller in a run of just so many, whatever Size says;
// one by one where that fails and a run of one does not (Single).
func (r *Runs[Key, In, Out]) All(ctx context.Context, key Key, items []In) (out []Out, err error) {
	if !r.Single() || len(items) == 1 {
		out, err = r.run(ctx, key, items, len(items))
		if err == nil || len(items) == 1 || ctx.Err() != nil {
			return out, err
		}
		if _, single := r.run(ctx, key, items[:1], 1); single != nil {
			return nil, err
		}
		r.single.Store(true)
	}
	out = make([]Out, len(items))
	for i := range items {
		if out[i], err = first(r.run(ctx, key, items[i:i+1], 1)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// leave takes an item that nobody wants any more off the list.
func (r *Runs[Key, In, Out]) leave(own *item[Key, In, Out]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = slices.DeleteFunc(r.waiting, func(i *item[Key, In, Out]) bool { return i == own })
}

// gather takes an item and others that can run beside it, the longest waiting
// first.
func (r *Runs[Key, In, Out]) gather(own *item[Key, In, Out]) []*item[Key, In, Out] {
	size := r.size(own.key)
	r.mu.Lock()
	defer r.mu.Unlock()
	list := []*item[Key, In, Out]{own}
	r.waiting = slices.DeleteFunc(r.waiting, func(i *item[Key, In, Out]) bool {
		if i != own && i.key == own.key && len(list) < size {
			list = append(list, i)
			return true
		}
		return i == own
	})
	return list
}

// answer runs items together, and if that fails one by one.
func (r *Runs[Key, In, Out]) answer(ctx context.Context, list []*item[Key, In, Out]) {
	in := make([]In, len(list))
	for i, one := range list {
		in[i] = one.in
	}
	all, err := r.run(ctx, list[0].key, in, r.size(list[0].key))
	for i, one := range list {
		one.done = true
		if err == nil {
			one.out = all[i]
		} else {
			one.out, one.err = r.again(ctx, one, len(list) > 1, err)
		}
	}
}

// again computes an item whose run, with others beside it or not, ended with an error:
// as before without the others, then in a run of one.
func (r *Runs[Key, In, Out]) again(ctx context.Context, one *item[Key, In, Out], beside bool, err error) (out Out, _ error) {
	in := []In{one.in}
	size := r.size(one.key)
	if beside {
		if out, err = first(r.run(ctx, one.key, in, size)); err == nil {
			return out, nil
		}
	}
	if size > 1 {
		if out, single := first(r.run(ctx, one.key, in, 1)); single == nil {
			r.single.Store(true)
			return out, nil
		}
	}
	return out, err
}

func first[Out any](all []Out, err error) (out Out, _ error) {
	if err == nil {
		out = all[0]
	}
	return out, err
}

// run fills the items up to the size of a run.
func (r *Runs[Key, In, Out]) run(ctx context.Context, key Key, in []In, size int) (out []Out, err error) {
	asked := len(in)
	for len(in) < size {
		in = append(in, in[len(in)-1])
	}
	err = crash.Do(func() (err error) {
		out, err = r.Run(ctx, key, in)
		return err
	})
	if err == nil && len(out) != size {
		err = fmt.Errorf("%d results for %d items", len(out), size)
	}
	if err != nil || r.Free == nil {
		return out, err
	}
	for _, nobodys := range out[asked:] {
		r.Free(nobodys)
	}
	return out[:asked], nil
}

// Join puts the values of all items one behind the other; those of one item stay
// where they are.
func Join(items [][]float32) []float32 {
	if len(items) == 1 {
		return items[0]
	}
	return slices.Concat(items...)
}
