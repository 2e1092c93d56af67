package weights

import (
	"reflect"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
)

var _ Source = (*safetensors.Reader)(nil)

func TestFloat32(t *testing.T) {
	half := tensors.FromShape(shapes.Make(dtypes.Float16, 3))
	_ = half.MutableBytes(func(b []byte) { copy(b, []byte{0, 0x3c, 0, 0xc0, 0, 0x38}) }) // 1, -2, 0.5
	for _, c := range []struct {
		name string
		in   *tensors.Tensor
		want []float32
	}{
		{"f16", half, []float32{1, -2, 0.5}},
		{"f32", tensors.FromFlatDataAndDimensions([]float32{1, -2, 3, 4, 5, 6}, 2, 3), []float32{1, -2, 3, 4, 5, 6}},
		{"f64", tensors.FromFlatDataAndDimensions([]float64{0.1}, 1), []float32{0.1}},
		{"u8", tensors.FromFlatDataAndDimensions([]uint8{1, 2, 255}, 3), []float32{1, 2, 255}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Float32(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if v := tensors.MustCopyFlatData[float32](got); !reflect.DeepEqual(v, c.want) {
				t.Fatalf("%v, want %v", v, c.want)
			}
		})
	}
	if _, err := Float32(tensors.FromFlatDataAndDimensions([]bool{true, false, true}, 3)); err == nil {
		t.Fatal("bool became a number")
	}
}
