package features

import (
	"context"
	"errors"
	"fmt"
	"image"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/vector"
	"wsss/models/foundation"
	"wsss/models/foundation/load"
	"wsss/models/imagenet"
	"wsss/models/onnximport/onnxfile"
	"wsss/models/onnximport/vit"
)

func init() { register(openONNX) }

// openONNX takes the value that the options name, else the first output that
// can be a map; a transformer that gives one embedding is cut before it, and a
// classifier before its pooling.
func openONNX(b compute.Backend, path string, o Options) (engine, error) {
	if !strings.HasSuffix(path, ".onnx") {
		return nil, errOther
	}
	file, err := onnxfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	dense := o.Output
	if dense == "" {
		dense = denseOutput(file.Proto.Graph)
	}
	if dense == "" {
		if e, err := openTower(b, path, file, o); err == nil || !errors.Is(err, errOther) {
			return e, err
		}
		net, err := imagenet.OpenBackbone(b, path, imagenet.Options{Shapes: o.MaxShapes})
		if err != nil {
			return nil, fmt.Errorf("output is missing: no output is a map or tokens, it is no transformer that can be cut, and as a classifier: %w", err)
		}
		return network{net, cnnStep}, nil
	}
	s, err := load.Open(b, path, load.Options{MaxShapes: o.MaxShapes})
	if err != nil {
		return nil, err
	}
	e := &onnxNet{session: s, output: dense, opts: o, patch: o.Patch}
	if e.patch == 0 {
		e.patch = vit.PatchOf(file.Proto.Graph)
	}
	if e.in, err = foundation.ImageInputOf(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return e, nil
}

// denseOutput is the first output of three or four axes, "" where there is none.
func denseOutput(g *protos.GraphProto) string {
	for _, o := range g.Output {
		shape := o.GetType().GetTensorType().GetShape()
		if n := len(shape.GetDim()); n == 3 || n == 4 {
			return o.Name
		}
	}
	return ""
}

// onnxNet runs an ONNX file up to a value.
type onnxNet struct {
	session *load.Session
	in      foundation.ImageInput
	output  string
	opts    Options
	patch   int
}

func (e *onnxNet) Close() error       { return e.session.Close() }
func (e *onnxNet) alone() bool        { return e.in.Single }
func (e *onnxNet) fixed() image.Point { return e.in.Size }
func (e *onnxNet) step() int {
	if e.patch > 0 {
		return e.patch
	}
	return cnnStep
}

func (e *onnxNet) run(ctx context.Context, pixels []float32, n, w, h int) (values [][]float32, gridW, gridH int, err error) {
	each := n
	if e.in.Single {
		each = 1
	}
	area := 3 * w * h
	for i := 0; i < n; i += each {
		some, gw, gh, err := e.once(ctx, pixels[i*area:(i+each)*area], each, w, h)
		if err != nil {
			return nil, 0, 0, err
		}
		values, gridW, gridH = append(values, some...), gw, gh
	}
	return values, gridW, gridH, nil
}

func (e *onnxNet) once(ctx context.Context, pixels []float32, n, w, h int) ([][]float32, int, int, error) {
	in := tensors.FromFlatDataAndDimensions(pixels, n, h, w, 3)
	if !e.in.Last {
		in = tensors.FromFlatDataAndDimensions(foundation.Planar(pixels, n, w*h), n, 3, h, w)
	}
	given := map[string]*tensors.Tensor{e.in.Name: in}
	defer foundation.Free(given)
	out, err := e.session.Run(ctx, given, e.output)
	if err != nil {
		return nil, 0, 0, err
	}
	t := out[e.output]
	if t == nil {
		return nil, 0, 0, fmt.Errorf("the network gave no value %q", e.output)
	}
	flat, dims, err := foundation.Floats(out, e.output, t.Shape().Rank())
	if err != nil {
		return nil, 0, 0, err
	}
	values, gw, gh, err := e.arrange(flat, dims, n, w, h)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("output %q: %w", e.output, err)
	}
	return values, gw, gh, nil
}

// arrange turns a value into features [gridH, gridW, channels] of each photo.
func (e *onnxNet) arrange(flat []float32, d []int, n, w, h int) (values [][]float32, gw, gh int, err error) {
	layout := e.opts.Layout
	if layout == "" {
		if layout = LayoutTokens; len(d) == 4 {
			layout = LayoutMaps
		}
	}
	want := 4
	if layout == LayoutTokens {
		want = 3
	}
	if len(d) != want || d[0] != n {
		return nil, 0, 0, fmt.Errorf("shape %v of %d photos: wanted are %d axes for layout %s", d, n, want, layout)
	}
	size := len(flat) / n
	switch layout {
	case LayoutMaps:
		for i := range n {
			values = append(values, vector.Transpose(flat[i*size:(i+1)*size], d[1], d[2]*d[3]))
		}
		return values, d[3], d[2], nil
	case LayoutLast:
		for i := range n {
			values = append(values, flat[i*size:(i+1)*size])
		}
		return values, d[2], d[1], nil
	}
	if e.patch == 0 {
		return nil, 0, 0, errors.New("patch is missing: nothing tells how many pixels a token stands for")
	}
	gw, gh = w/e.patch, h/e.patch
	prefix := d[1] - gw*gh
	if e.opts.Prefix != 0 && prefix != max(e.opts.Prefix, 0) || prefix < 0 || prefix > maxPrefix {
		return nil, 0, 0, fmt.Errorf("%d tokens, of which %d×%d are patches of %d pixels, leave %d before them: see patch and prefix", d[1], gw, gh, e.patch, prefix)
	}
	for i := range n {
		values = append(values, flat[i*size+prefix*d[2]:(i+1)*size])
	}
	return values, gw, gh, nil
}

// maxPrefix bounds the tokens that are taken for no patches: models have one for
// the class and up to eight registers.
const maxPrefix = 16
