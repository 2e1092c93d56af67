package train

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"

	"wsss/configs"
	"wsss/data"
	"wsss/models/backend"
)

// No backend here has two devices, so what is tested is the division of a batch.
func TestDevicesDivideTheBatch(t *testing.T) {
	d, err := planDevices(2, 4)
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.batch([]any{tensors.FromFlatDataAndDimensions([]float32{0, 1, 2, 3, 4, 5, 6, 7}, 4, 2)})
	if err != nil {
		t.Fatal(err)
	}
	divided := in[0].(*dtensor.Tensor).Shards()
	if in, err = d.scalars([]any{float32(7)}); err != nil {
		t.Fatal(err)
	}
	copied := in[0].(*dtensor.Tensor).Shards()
	for i, want := range [][]float32{{0, 1, 2, 3}, {4, 5, 6, 7}} {
		if got := tensors.MustCopyFlatData[float32](divided[i]); !slices.Equal(got, want) {
			t.Errorf("device %d gets %v, want %v", i, got, want)
		}
		if got := tensors.MustCopyFlatData[float32](copied[i]); !slices.Equal(got, []float32{7}) {
			t.Errorf("device %d gets scalar %v", i, got)
		}
	}
	in = []any{float32(1)}
	if got, err := (*devices)(nil).scalars(in); err != nil || !slices.Equal(got, in) {
		t.Errorf("one device: %v, %v", got, err)
	}
}

func TestDevicesErrors(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	c := configs.Default().Train
	if d, err := newDevices(b, c); d != nil || err != nil {
		t.Errorf("default: %v, %v", d, err)
	}
	c.Devices = 2
	if _, err := newDevices(b, c); err == nil || !strings.Contains(err.Error(), "train.devices = 2") {
		t.Errorf("two devices of the go backend: %v", err)
	}
	if _, err := planDevices(3, 5); err == nil || !strings.Contains(err.Error(), "multiple of 3") {
		t.Errorf("five images on three devices: %v", err)
	}
}

// The gradient of a batch is the sum of those of its parts, each weighted with
// its share of the labelled pixels: what devices must add up to.
func TestGradientIsTheSumOverParts(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	const images, side, classes = 4, 3, 5
	x := make([]float32, images*side*side*2)
	labels := make([]uint8, images*side*side)
	for i := range x {
		x[i] = float32(i*37%101)/50 - 1
	}
	for i := range labels {
		labels[i] = uint8(i * 7 % classes)
		if i%4 == 0 && i > 12 || i == 1 {
			labels[i] = data.Ignore
		}
	}
	w := make([]float32, 2*classes)
	for i := range w {
		w[i] = float32(i%3) - 0.7
	}
	exec := MustNewExec(b, func(x, labels, w *Node) *Node {
		n := x.Shape().Dim(0)
		logits := Reshape(Dot(Reshape(x, n*side*side, 2), w).Product(), n, side, side, classes)
		return Gradient(Loss{}.Mean(logits, labels, nil, nil), w)[0]
	})
	gradient := func(first, n int) (g []float32, labelled float64) {
		l := labels[first*side*side:][:n*side*side]
		for _, v := range l {
			if v != data.Ignore {
				labelled++
			}
		}
		return tensors.MustCopyFlatData[float32](exec.MustCall1(
			tensors.FromFlatDataAndDimensions(x[first*side*side*2:][:n*side*side*2], n, side, side, 2),
			tensors.FromFlatDataAndDimensions(l, n, side, side),
			tensors.FromFlatDataAndDimensions(w, 2, classes))), labelled
	}
	want, all := gradient(0, images)
	sum := make([]float64, len(want))
	for first := 0; first < images; first += 2 {
		g, n := gradient(first, 2)
		for i, v := range g {
			sum[i] += float64(v) * n / all
		}
	}
	for i := range want {
		if math.Abs(sum[i]-float64(want[i])) > 1e-6 {
			t.Fatalf("weight %d: parts give %v, the batch %v", i, sum[i], want[i])
		}
	}
}

// ahead keeps the order, prepares each batch before it is taken, and ends.
func TestAhead(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	next := func() (*batch, error) {
		made++
		if made == 4 {
			return nil, io.ErrUnexpectedEOF
		}
		return &batch{ids: []string{string(rune('a' + made - 1))}, images: tensors.FromFlatDataAndDimensions([]float32{1, 2}, 2)}, nil
	}
	take, stop := ahead(context.Background(), 9, next, upload(b))
	for _, want := range []string{"a", "b", "c"} {
		got, err := take()
		if err != nil || got.ids[0] != want || !got.images.IsOnDevice(0) {
			t.Fatalf("got %v, %v; want %s on the device", got, err, want)
		}
		got.free()
	}
	if _, err := take(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the last batch: %v", err)
	}
	stop()

	made = 0
	ctx, cancel := context.WithCancel(context.Background())
	take, stop = ahead(ctx, 9, next, upload(b))
	if _, err := take(); err != nil {
		t.Fatal(err)
	}
	cancel()
	stop()
	if _, err := take(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
