package sam

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/models/foundation"
)

// The made-up model of testdata/gen_fixtures.py in the signatures of the real
// exports. Its embedding is the prepared square averaged down to the size of
// the logits; a mask is the region whose colour is close to the first
// foreground point's, or to the middle of the box.
const (
	fakeSide = 64
	fakeLow  = 32
)

type fakeEncoder struct {
	in   foundation.Port
	out  []string
	low  int // side of the embedding; 0 = fakeLow
	runs int
}

func (f *fakeEncoder) Inputs() []foundation.Port { return []foundation.Port{f.in} }

func (f *fakeEncoder) Outputs() []foundation.Port {
	var ports []foundation.Port
	for _, n := range f.out {
		ports = append(ports, foundation.Port{Name: n, DType: dtypes.Float32, Dims: []int{1, 3, cmp.Or(f.low, fakeLow), cmp.Or(f.low, fakeLow)}})
	}
	return ports
}

func (f *fakeEncoder) Run(_ context.Context, in map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	f.runs++
	t := in[f.in.Name]
	if got := t.Shape().Dimensions; len(got) != len(f.in.Dims) {
		return nil, fmt.Errorf("image %v for an input %v", got, f.in.Dims)
	}
	pix := tensors.MustCopyFlatData[float32](t)
	dims := t.Shape().Dimensions
	at := func(c, y, x int) float64 { return float64(pix[(c*fakeSide+y)*fakeSide+x]) }
	if dims[len(dims)-1] == 3 { // raw pixels: normalised and padded inside
		mean, std := []float64{123.675, 116.28, 103.53}, []float64{58.395, 57.12, 57.375}
		h, w := dims[len(dims)-3], dims[len(dims)-2]
		at = func(c, y, x int) float64 {
			if y >= h || x >= w {
				return 0
			}
			return (float64(pix[(y*w+x)*3+c]) - mean[c]) / std[c]
		}
	}
	const k = fakeSide / fakeLow
	emb := make([]float32, 0, 3*fakeLow*fakeLow)
	for c := range 3 {
		for y := range fakeLow {
			for x := range fakeLow {
				sum := 0.0
				for i := range k * k {
					sum += at(c, y*k+i/k, x*k+i%k)
				}
				emb = append(emb, float32(sum/(k*k)))
			}
		}
	}
	out := map[string]*tensors.Tensor{}
	for _, n := range want {
		out[n] = tensors.FromFlatDataAndDimensions(slices.Clone(emb), 1, 3, fakeLow, fakeLow)
	}
	return out, nil
}

type fakeDecoder struct {
	ports  []foundation.Port
	masks  []int // tokens that it returns
	out    []string
	rank   int
	coords string
	labels string
	scale  float64 // of the coordinates to the square's
	calls  int
	seen   []map[string][]int // shapes of the inputs of each call
	hadIn  []float32          // has_mask_input of each call
}

func (f *fakeDecoder) Inputs() []foundation.Port { return f.ports }

func (f *fakeDecoder) Outputs() []foundation.Port {
	return []foundation.Port{{Name: f.out[0]}, {Name: f.out[1]}}
}

func (f *fakeDecoder) Run(_ context.Context, in map[string]*tensors.Tensor, _ ...string) (map[string]*tensors.Tensor, error) {
	f.calls++
	shapes := map[string][]int{}
	for _, p := range f.ports {
		t := in[p.Name]
		if t == nil || t.DType() != p.DType || t.Rank() != len(p.Dims) {
			return nil, fmt.Errorf("input %s is %v, wanted %v %v", p.Name, t, p.DType, p.Dims)
		}
		shapes[p.Name] = t.Shape().Dimensions
	}
	f.seen = append(f.seen, shapes)
	if has := in["has_mask_input"]; has != nil {
		f.hadIn = append(f.hadIn, tensors.MustCopyFlatData[float32](has)[0])
	}
	emb := tensors.MustCopyFlatData[float32](in["image_embeddings"])
	coords := tensors.MustCopyFlatData[float32](in[f.coords])
	labels := floats(in[f.labels])
	cdims := in[f.coords].Shape().Dimensions
	k, n := cdims[len(cdims)-3], cdims[len(cdims)-2]
	var low, iou []float32
	for p := range k {
		x, y := seed(coords[2*p*n:2*(p+1)*n], labels[p*n:(p+1)*n])
		l, s := f.one(emb, x*f.scale, y*f.scale)
		low, iou = append(low, l...), append(iou, s...)
	}
	mdims, sdims := []int{k, len(f.masks), fakeLow, fakeLow}, []int{k, len(f.masks)}
	if f.rank == 5 {
		mdims, sdims = append([]int{1}, mdims...), append([]int{1}, sdims...)
	}
	return map[string]*tensors.Tensor{
		f.out[0]: tensors.FromFlatDataAndDimensions(low, mdims...),
		f.out[1]: tensors.FromFlatDataAndDimensions(iou, sdims...),
	}, nil
}

func floats(t *tensors.Tensor) []float32 {
	if t.DType() == dtypes.Float32 {
		return tensors.MustCopyFlatData[float32](t)
	}
	var out []float32
	for _, v := range tensors.MustCopyFlatData[int64](t) {
		out = append(out, float32(v))
	}
	return out
}

// seed is the last foreground point, or the middle of the box.
func seed(coords, labels []float32) (x, y float64) {
	for i, l := range labels {
		switch l {
		case labelForeground:
			x, y = float64(coords[2*i]), float64(coords[2*i+1])
		case labelBoxStart:
			return float64(coords[2*i]+coords[2*i+2]) / 2, float64(coords[2*i+1]+coords[2*i+3]) / 2
		}
	}
	return x, y
}

func (f *fakeDecoder) one(emb []float32, x, y float64) (low, iou []float32) {
	const plane = fakeLow * fakeLow
	cx, cy := min(int(x*fakeLow/fakeSide), fakeLow-1), min(int(y*fakeLow/fakeSide), fakeLow-1)
	for _, t := range f.masks {
		for i := range plane {
			d := float32(0)
			for c := range 3 {
				d += float32(math.Abs(float64(emb[c*plane+i] - emb[c*plane+cy*fakeLow+cx])))
			}
			low = append(low, ([]float32{0.9, 0.3, 0.55, 1.4}[t]-d)*12)
		}
		iou = append(iou, float32(80+(cx*7+cy*13+t*5)%19)/100)
	}
	return low, iou
}

func port(name string, t dtypes.DType, dims ...int) foundation.Port {
	return foundation.Port{Name: name, DType: t, Dims: dims}
}

const f32, i64 = dtypes.Float32, dtypes.Int64

func fakeMeta(t testing.TB, batched bool) *Model {
	t.Helper()
	b := 1
	if batched {
		b = -1
	}
	dec := &fakeDecoder{masks: []int{0, 1, 2, 3}, out: []string{"low_res_masks", "iou_predictions"}, rank: 4, scale: 1,
		coords: "point_coords", labels: "point_labels", ports: []foundation.Port{
			port("image_embeddings", f32, 1, 3, fakeLow, fakeLow), port("point_coords", f32, b, -1, 2), port("point_labels", f32, b, -1),
			port("mask_input", f32, b, 1, fakeLow, fakeLow), port("has_mask_input", f32, 1), port("orig_im_size", f32, 2)}}
	enc := &fakeEncoder{in: port("input_image", f32, 1, 3, fakeSide, fakeSide), out: []string{"embeddings"}}
	return build(t, enc, dec)
}

func fakeHF(t testing.TB) *Model {
	dec := &fakeDecoder{masks: []int{1, 2, 3}, out: []string{"pred_masks", "iou_scores"}, rank: 5, scale: 1,
		coords: "input_points", labels: "input_labels", ports: []foundation.Port{
			port("image_embeddings", f32, -1, 3, fakeLow, fakeLow), port("image_positional_embeddings", f32, -1, 3, fakeLow, fakeLow),
			port("input_points", f32, -1, -1, -1, 2), port("input_labels", i64, -1, -1, -1)}}
	enc := &fakeEncoder{in: port("pixel_values", f32, -1, 3, fakeSide, fakeSide), out: []string{"image_embeddings", "image_positional_embeddings"}}
	return build(t, enc, dec)
}

// fakeEfficient takes coordinates in the frame of its orig_im_size, a quarter
// of the square.
func fakeEfficient(t testing.TB) *Model {
	dec := &fakeDecoder{masks: []int{1, 2, 3}, out: []string{"output_masks", "iou_predictions"}, rank: 5, scale: 4,
		coords: "batched_point_coords", labels: "batched_point_labels", ports: []foundation.Port{
			port("image_embeddings", f32, -1, 3, fakeLow, fakeLow), port("batched_point_coords", f32, 1, -1, -1, 2),
			port("batched_point_labels", f32, 1, -1, -1), port("orig_im_size", i64, 2)}}
	enc := &fakeEncoder{in: port("batched_images", f32, -1, 3, fakeSide, fakeSide), out: []string{"image_embeddings"}}
	return build(t, enc, dec)
}

func fakeRaw(t testing.TB) *Model {
	m := fakeMeta(t, false)
	m = build(t, &fakeEncoder{in: port("input_image", f32, -1, -1, 3), out: []string{"image_embeddings"}}, m.dec)
	if m.sig.side != patch*fakeLow {
		t.Errorf("side %d where only the embedding's size is known, want %d", m.sig.side, patch*fakeLow)
	}
	m.sig.side = fakeSide // the made-up model has smaller cells than real ones
	return m
}

func build(t testing.TB, enc, dec foundation.Session) *Model {
	t.Helper()
	m, err := New(enc, dec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var box = &data.Box{X0: 24, Y0: 20, X1: 45, Y1: 37}
