package foundation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/models/shapecache"
	"wsss/models/together"
)

// Together is a session whose calls for one item each share runs (together.Runs):
// size tells how many of so many input pixels, of three channels, a run takes.
// What has no free first axis goes to s as it is; so does everything from the
// first run on that fails, or does not give each item a row (together.Runs.Single).
func Together(s Session, size func(pixels int) int) Session {
	for _, p := range append(slices.Clone(s.Inputs()), s.Outputs()...) {
		if len(p.Dims) == 0 || p.Dims[0] >= 0 {
			return s
		}
	}
	t := &shared{Session: s, cuts: shapecache.Cache[string, *graph.Exec]{Limit: keptCuts, Free: (*graph.Exec).Finalize}}
	t.runs.Size = func(k call) int { return size(k.pixels) }
	t.runs.Run, t.runs.Free = t.rows, Free
	return t
}

// mostAsked bounds the items of one caller that wait at a time.
const mostAsked = 32

// AtOnce is how many items s is worth being asked for at a time: several where they
// can share runs, else one.
func AtOnce(s Session) int {
	if _, ok := s.(*shared); ok {
		return mostAsked
	}
	return 1
}

// Each calls f for 0..n-1, items that s is asked for: at the same time where they
// can share runs, else one after the other.
func Each(ctx context.Context, s Session, n int, f func(i int) error) error {
	return data.ParallelWorkers(ctx, n, AtOnce(s), nil, func(_, i int) error { return f(i) })
}

// A result of so many bytes an item is cut where it was computed, as another
// network reads it there: an embedding of SAM is 4 MB. A smaller one comes to the
// host, at once for all items.
const (
	staysFrom = 1 << 16
	keptCuts  = 16 // compiled, one for a shape
)

type shared struct {
	Session
	runs together.Runs[call, request, map[string]*tensors.Tensor]
	cuts shapecache.Cache[string, *graph.Exec] // of the run that has its turn
}

// Release frees what cuts results apart. Nobody may be running.
func (t *shared) Release() { t.cuts.Clear() }

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
	return t.runs.Do(ctx, key, request{in, want})
}

// rows is one run; the results are each item's.
func (t *shared) rows(ctx context.Context, _ call, list []request) ([]map[string]*tensors.Tensor, error) {
	if len(list) == 1 {
		out, err := t.Session.Run(ctx, list[0].in, list[0].want...)
		return []map[string]*tensors.Tensor{out}, err
	}
	in := map[string]*tensors.Tensor{}
	defer func() { Free(in) }()
	for _, p := range t.Inputs() {
		items := make([]*tensors.Tensor, len(list))
		for i, r := range list {
			items[i] = r.in[p.Name]
		}
		all, err := stack(items)
		if err != nil {
			return nil, err
		}
		in[p.Name] = all
	}
	run := t.Session.Run
	if b, ok := t.Session.(Batcher); ok {
		run = b.RunHere
	}
	out, err := run(ctx, in, list[0].want...)
	if err != nil {
		return nil, err
	}
	defer Free(out)
	rows := make([]map[string]*tensors.Tensor, len(list))
	for i := range rows {
		rows[i] = map[string]*tensors.Tensor{}
	}
	for name, x := range out {
		if x.Rank() == 0 || x.Shape().Dim(0) != len(list) {
			return nil, fmt.Errorf("output %q is %s for %d items", name, x.Shape(), len(list))
		}
		parts, err := t.cut(x, len(list))
		if err != nil {
			return nil, err
		}
		for i, part := range parts {
			rows[i][name] = part
		}
	}
	return rows, nil
}

// stack puts tensors of one shape, of one item each, one behind the other.
func stack(items []*tensors.Tensor) (*tensors.Tensor, error) {
	shape := items[0].Shape().Clone()
	shape.Dimensions[0] = len(items)
	all := tensors.FromShape(shape)
	var failed error
	err := all.MutableBytes(func(to []byte) {
		for _, item := range items {
			failed = errors.Join(failed, item.ConstBytes(func(from []byte) { to = to[copy(to, from):] }))
		}
	})
	return all, errors.Join(err, failed)
}

// cut divides a result among n items.
func (t *shared) cut(x *tensors.Tensor, n int) ([]*tensors.Tensor, error) {
	if b, err := x.Backend(); err == nil && x.ByteSize() >= int64(n)*staysFrom {
		exec, err := t.cuts.Get(x.Shape().String(), func() (*graph.Exec, error) { return graph.NewExec(b, apart) })
		if err != nil {
			return nil, err
		}
		return exec.Call(x)
	}
	own := x.Shape().Clone()
	own.Dimensions[0] = 1
	parts := make([]*tensors.Tensor, n)
	var failed error
	err := x.ConstBytes(func(from []byte) {
		for i := range parts {
			parts[i] = tensors.FromShape(own)
			failed = errors.Join(failed, parts[i].MutableBytes(func(to []byte) { from = from[copy(to, from):] }))
		}
	})
	return parts, errors.Join(err, failed)
}

// apart are the rows of x.
func apart(x *graph.Node) []*graph.Node {
	rows := make([]*graph.Node, x.Shape().Dim(0))
	for i := range rows {
		rows[i] = graph.SliceAxis(x, 0, graph.AxisRange(i, i+1))
	}
	return rows
}
