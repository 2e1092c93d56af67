package foundation

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Together is a session that answers calls of several goroutines, each for one
// item, in one run of size items: while one runs, those that come meanwhile gather
// for the next. A run with fewer repeats its last, so that always the same graph
// computes, and an item's results do not depend on those beside it. It is for
// devices that one item does not fill. What has no free first axis, or is not of
// floats, goes to s as it is.
func Together(s Session, size int) Session {
	for _, p := range append(slices.Clone(s.Inputs()), s.Outputs()...) {
		if p.DType != dtypes.Float32 || len(p.Dims) == 0 || p.Dims[0] >= 0 {
			return s
		}
	}
	return &together{Session: s, size: size}
}

type together struct {
	Session
	size int

	turn    sync.Mutex // held by who runs
	mu      sync.Mutex // guards waiting
	waiting []*item
}

// item is a call that waits.
type item struct {
	key  string // what it can run beside
	in   map[string]*tensors.Tensor
	out  map[string]*tensors.Tensor
	err  error
	done bool
}

// Run is Session's.
func (t *together) Run(ctx context.Context, in map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	key := fmt.Sprintf("%q", want)
	for _, p := range t.Inputs() {
		x := in[p.Name]
		if x == nil || x.Rank() == 0 || x.Shape().Dim(0) != 1 {
			return t.Session.Run(ctx, in, want...)
		}
		key += fmt.Sprint(x.Shape())
	}
	own := &item{key: key, in: in}
	t.mu.Lock()
	t.waiting = append(t.waiting, own)
	t.mu.Unlock()

	t.turn.Lock()
	defer t.turn.Unlock()
	if !own.done {
		t.run(ctx, t.gather(own), want)
	}
	return own.out, own.err
}

// gather takes an item and others that can run beside it, the longest waiting first.
func (t *together) gather(own *item) []*item {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := []*item{own}
	t.waiting = slices.DeleteFunc(t.waiting, func(i *item) bool {
		if i != own && i.key == own.key && len(list) < t.size {
			list = append(list, i)
			return true
		}
		return i == own
	})
	return list
}

// run answers items. An error is that of all of them; the caller's context, which
// may end, is not.
func (t *together) run(ctx context.Context, list []*item, want []string) {
	rows, err := t.rows(context.WithoutCancel(ctx), list, want)
	for i, one := range list {
		if one.done, one.err = true, err; err == nil {
			one.out = rows[i]
		}
	}
}

func (t *together) rows(ctx context.Context, list []*item, want []string) ([]map[string]*tensors.Tensor, error) {
	in := map[string]*tensors.Tensor{}
	defer func() { Free(in) }()
	for _, p := range t.Inputs() {
		dims := slices.Clone(list[0].in[p.Name].Shape().Dimensions)
		var all []float32
		for i := range t.size {
			values, err := tensors.CopyFlatData[float32](list[min(i, len(list)-1)].in[p.Name])
			if err != nil {
				return nil, err
			}
			all = append(all, values...)
		}
		dims[0] = t.size
		in[p.Name] = tensors.FromFlatDataAndDimensions(all, dims...)
	}
	out, err := t.Session.Run(ctx, in, want...)
	if err != nil {
		return nil, err
	}
	defer Free(out)
	rows := make([]map[string]*tensors.Tensor, len(list))
	for i := range rows {
		rows[i] = map[string]*tensors.Tensor{}
	}
	for name, x := range out {
		dims := slices.Clone(x.Shape().Dimensions)
		if x.DType() != dtypes.Float32 || len(dims) == 0 || dims[0] != t.size {
			return nil, fmt.Errorf("output %q is %s for %d items", name, x.Shape(), t.size)
		}
		values, err := tensors.CopyFlatData[float32](x)
		if err != nil {
			return nil, err
		}
		dims[0] = 1
		n := len(values) / t.size
		for i := range rows {
			rows[i][name] = tensors.FromFlatDataAndDimensions(slices.Clone(values[i*n:(i+1)*n]), dims...)
		}
	}
	return rows, nil
}
