package foundation

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/models/together"
)

// Together is a session whose calls for one item each share runs (together.Runs):
// size tells how many of so many input pixels, of three channels, a run takes.
// What has no free first axis, or is not of floats, goes to s as it is; so does
// everything from the first run on that does not give each item a row.
func Together(s Session, size func(pixels int) int) Session {
	for _, p := range append(slices.Clone(s.Inputs()), s.Outputs()...) {
		if p.DType != dtypes.Float32 || len(p.Dims) == 0 || p.Dims[0] >= 0 {
			return s
		}
	}
	t := &shared{Session: s}
	t.runs.Size = func(k call) int { return size(k.pixels) }
	t.runs.Run = t.rows
	return t
}

// mostAsked bounds the items of one caller that wait at a time.
const mostAsked = 32

// Each calls f for 0..n-1, items that s is asked for: at the same time where they
// can share runs, else one after the other.
func Each(ctx context.Context, s Session, n int, f func(i int) error) error {
	workers := 1
	if _, ok := s.(*shared); ok {
		workers = mostAsked
	}
	return data.ParallelWorkers(ctx, n, workers, nil, func(_, i int) error { return f(i) })
}

type shared struct {
	Session
	runs  together.Runs[call, request, map[string]*tensors.Tensor]
	alone atomic.Bool // an item is no row of the results
}

// call is what requests of a run have in common.
type call struct {
	pixels int
	about  string // shapes and wanted outputs
}

type request struct {
	in   map[string]*tensors.Tensor
	want []string
}

// Run is Session's.
func (t *shared) Run(ctx context.Context, in map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	key := call{about: fmt.Sprintf("%q", want)}
	for _, p := range t.Inputs() {
		x := in[p.Name]
		if x == nil || x.Rank() == 0 || x.Shape().Dim(0) != 1 {
			return t.Session.Run(ctx, in, want...)
		}
		key.about += fmt.Sprint(x.Shape())
		key.pixels += x.Shape().Size() / 3
	}
	if t.alone.Load() || t.runs.Size(key) <= 1 {
		return t.Session.Run(ctx, in, want...)
	}
	out, err := t.runs.Do(ctx, key, request{in, want})
	if err != nil && t.alone.Load() {
		return t.Session.Run(ctx, in, want...)
	}
	return out, err
}

// rows is one run; the results are each item's.
func (t *shared) rows(ctx context.Context, _ call, list []request) ([]map[string]*tensors.Tensor, error) {
	in := map[string]*tensors.Tensor{}
	defer func() { Free(in) }()
	for _, p := range t.Inputs() {
		dims := slices.Clone(list[0].in[p.Name].Shape().Dimensions)
		var all [][]float32
		for _, r := range list {
			values, err := tensors.CopyFlatData[float32](r.in[p.Name])
			if err != nil {
				return nil, err
			}
			all = append(all, values)
		}
		dims[0] = len(list)
		in[p.Name] = tensors.FromFlatDataAndDimensions(together.Join(all), dims...)
	}
	out, err := t.Session.Run(ctx, in, list[0].want...)
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
		if x.DType() != dtypes.Float32 || len(dims) == 0 || dims[0] != len(list) {
			t.alone.Store(true)
			return nil, fmt.Errorf("output %q is %s for %d items", name, x.Shape(), len(list))
		}
		values, err := tensors.CopyFlatData[float32](x)
		if err != nil {
			return nil, err
		}
		dims[0] = 1
		n := len(values) / len(list)
		for i := range rows {
			rows[i][name] = tensors.FromFlatDataAndDimensions(slices.Clone(values[i*n:(i+1)*n]), dims...)
		}
	}
	return rows, nil
}
