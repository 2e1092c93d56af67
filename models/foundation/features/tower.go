package features

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/foundation"
	"wsss/models/foundation/positions"
	"wsss/models/onnximport"
	"wsss/models/onnximport/onnxfile"
	"wsss/models/onnximport/vit"
)

// tower is a vision transformer whose file gives one embedding, as CLIP's: it
// is cut after the last block, and takes photos of any size.
type tower struct {
	net    *vit.Tower
	model  *onnximport.Model
	runner *onnximport.Runner
	single bool // the export fixes the batch: photos run one by one

	mu        sync.Mutex
	positions *positions.Embedding
	sized     map[image.Point]*tensors.Tensor
}

// openTower returns errOther for a graph that is no such transformer.
func openTower(b compute.Backend, path string, file *onnxfile.File, o Options) (engine, error) {
	t := &tower{sized: map[image.Point]*tensors.Tensor{}}
	for _, out := range file.Proto.Graph.Output {
		if net, err := vit.Find(file.Proto.Graph, out.Name); err == nil && net.Tokens != "" {
			t.net = net
			break
		}
	}
	if t.net == nil {
		return nil, errOther
	}
	var err error
	if t.positions, err = positions.Read(b, path, t.net); err != nil {
		return nil, err
	}
	resize := func(f *onnxfile.File) error { return t.net.Resize(f, t.positions.Tokens()) }
	if t.model, err = onnximport.Open(path, onnximport.Options{Edit: resize, Outputs: []string{t.net.Tokens}}); err != nil {
		return nil, err
	}
	for _, in := range t.model.Inputs() {
		if in.Name == t.net.Input && len(in.Dims) > 0 && in.Dims[0] >= 0 {
			t.single = true
		}
	}
	if t.runner, err = onnximport.NewRunner(b, t.model, onnximport.RunnerOptions{MaxShapes: o.MaxShapes, NoORT: true}); err != nil {
		return nil, errors.Join(err, t.model.Close())
	}
	return t, nil
}

func (t *tower) step() int          { return t.net.Patch }
func (t *tower) fixed() image.Point { return image.Point{} }
func (t *tower) alone() bool        { return t.single }

func (t *tower) Close() error {
	t.runner.Close()
	return t.model.Close()
}

// run takes photos together, or one by one where the export fixes the batch. It is
// an error where an export does not give each photo its own tokens.
func (t *tower) run(ctx context.Context, pixels []float32, n, w, h int) (values [][]float32, gw, gh int, err error) {
	gw, gh = w/t.net.Patch, h/t.net.Patch
	if !t.single {
		values, err = t.some(foundation.Planar(pixels, n, w*h), n, w, h, gw, gh)
		return values, gw, gh, err
	}
	for i := range n {
		if err := ctx.Err(); err != nil {
			return nil, 0, 0, err
		}
		v, err := t.some(foundation.Planar(pixels[3*i*w*h:3*(i+1)*w*h], 1, w*h), 1, w, h, gw, gh)
		if err != nil {
			return nil, 0, 0, err
		}
		values = append(values, v...)
	}
	return values, gw, gh, nil
}

// some runs n photos.
func (t *tower) some(pixels []float32, n, w, h, gw, gh int) ([][]float32, error) {
	in := tensors.FromFlatDataAndDimensions(pixels, n, 3, h, w)
	defer in.FinalizeAll() //nolint:errcheck // memory only
	out, err := t.runner.Run(map[string]*tensors.Tensor{t.net.Input: in, vit.PositionsInput: t.sizedFor(gw, gh)})
	if err != nil {
		return nil, err
	}
	tokens := gw*gh + 1
	v := out[t.net.Tokens]
	if v == nil || v.Size()%(n*tokens) != 0 || n > 1 && (v.Rank() != 3 || v.Shape().Dim(0) != n || v.Shape().Dim(1) != tokens) {
		return nil, fmt.Errorf("the last block gives %v for %d×%d patches and a class token of %d photos", v, gw, gh, n)
	}
	flat, _, err := foundation.Floats(out, t.net.Tokens, v.Shape().Rank())
	if err != nil {
		return nil, err
	}
	values := make([][]float32, n)
	for i := range values {
		own := flat[i*len(flat)/n : (i+1)*len(flat)/n]
		values[i] = own[len(own)/tokens:]
	}
	return values, nil
}

// maxPositions bounds the sizes whose position embeddings are kept.
const maxPositions = 64

func (t *tower) sizedFor(w, h int) *tensors.Tensor {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := image.Pt(w, h)
	if t.sized[at] == nil {
		if len(t.sized) >= maxPositions {
			clear(t.sized)
		}
		t.sized[at] = t.positions.Resized(w, h)
	}
	return t.sized[at]
}
