package parallel

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"

	"wsss/models/backend/backendtest"
)

func TestDivide(t *testing.T) {
	b := backendtest.One(t)
	d, err := plan("train", 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	batch := tensors.FromFlatDataAndDimensions([]float32{0, 1, 2, 3, 4, 5, 6, 7}, 4, 2)
	divided, err := dtensor.ShardTensor(d.perImage, batch)
	if err != nil {
		t.Fatal(err)
	}
	in, err := d.Scalars([]any{float32(7)})
	if err != nil {
		t.Fatal(err)
	}
	copied := in[0].(*dtensor.Tensor).Shards()
	for i, want := range [][]float32{{0, 1, 2, 3}, {4, 5, 6, 7}} {
		if got := tensors.MustCopyFlatData[float32](divided.Shards()[i]); !slices.Equal(got, want) {
			t.Errorf("device %d gets %v, want %v", i, got, want)
		}
		if got := tensors.MustCopyFlatData[float32](copied[i]); !slices.Equal(got, []float32{7}) {
			t.Errorf("device %d gets scalar %v", i, got)
		}
	}
	one, err := (*Devices)(nil).Upload(b, []*tensors.Tensor{batch})
	if err != nil || len(one.Args) != 1 || !batch.IsOnDevice(0) {
		t.Errorf("one device: %v, %v", one, err)
	}
	one.Free()
	if batch.Ok() {
		t.Error("the batch is not freed")
	}
	if got, err := (*Devices)(nil).Scalars([]any{float32(1)}); err != nil || !slices.Equal(got, []any{float32(1)}) {
		t.Errorf("one device: %v, %v", got, err)
	}
}

func TestErrors(t *testing.T) {
	b := backendtest.One(t)
	if d, err := New(b, "train", 0, 3); d != nil || err != nil {
		t.Errorf("default: %v, %v", d, err)
	}
	if _, err := New(b, "classifier", 2, 4); err == nil || !strings.Contains(err.Error(), "classifier.compute.devices = 2") {
		t.Errorf("two devices of the go backend: %v", err)
	}
	if _, err := plan("train", 3, 5); err == nil || !strings.Contains(err.Error(), "multiple of 3") {
		t.Errorf("five images on three devices: %v", err)
	}
}
