package swin

import (
	"fmt"
	"math"

	"wsss/models"
	"wsss/models/onnxwrite"
)

// epsilon is added to the variance by normalisations.
const epsilon = 1e-5

// Writer writes a Swin transformer as ONNX, its layout told by the names and
// shapes of its weights.
type Writer struct {
	*onnxwrite.Net
	Prefix string // of the names
	Side   int    // of the square images that it is bound to; 0 = any size
}

// ONNX is models.ONNXBackbone's.
func (c Config) ONNX(b *onnxwrite.Builder, prefix string, images onnxwrite.Value) (out [models.Stages]onnxwrite.Value) {
	n := onnxwrite.NewNet(b)
	for i, x := range (Writer{n, prefix, 0}).Stages(images) {
		out[i] = n.Transpose(n.LayerNorm(x, fmt.Sprintf("%snorm%d", prefix, i), epsilon), 0, 3, 1, 2)
	}
	return out
}

// values is a short way to write a node's inputs.
func values(v ...onnxwrite.Value) []onnxwrite.Value { return v }

// patches is the first layer: [batch, 3, height, width] to [batch, h, w, width].
func (s Writer) patches(x onnxwrite.Value) onnxwrite.Value {
	patch := s.WeightShape(s.Prefix+"patch_embed.proj.weight", 4)[2]
	x = s.Transpose(s.PadTo(s.Transpose(x, 0, 2, 3, 1), patch), 0, 3, 1, 2)
	x = s.Transpose(s.Convolve(x, s.Prefix+"patch_embed.proj", patch, 0), 0, 2, 3, 1)
	return s.LayerNorm(x, s.Prefix+"patch_embed.norm", epsilon)
}

// Stages are the outputs of all stages for images [batch, 3, height, width],
// normalised: [batch, h, w, channels], before the
// merging of patches behind each.
func (s Writer) Stages(x onnxwrite.Value) []onnxwrite.Value {
	var out []onnxwrite.Value
	x = s.patches(x)
	side := s.Side
	if side > 0 {
		side /= s.WeightShape(s.Prefix+"patch_embed.proj.weight", 4)[2]
	}
	for i := range s.Count(s.Prefix+"layers", "blocks.0.norm1.weight") {
		name := onnxwrite.Sub(s.Prefix+"layers", i)
		for k := range s.Count(name+".blocks", "norm1.weight") {
			x = s.block(x, onnxwrite.Sub(name+".blocks", k), k%2 == 1, side)
		}
		out = append(out, x)
		if s.HasWeight(name + ".downsample.reduction.weight") {
			x = s.merge(x, name+".downsample")
			side /= 2
		}
	}
	return out
}

// merge halves height and width.
func (s Writer) merge(x onnxwrite.Value, name string) onnxwrite.Value {
	x = s.PadTo(x, 2)
	every := func(row, column int) onnxwrite.Value {
		return s.Op("Slice", values(x, s.Ints(row, column), s.Ints(math.MaxInt32, math.MaxInt32), s.Ints(1, 2), s.Ints(2, 2)))
	}
	x = s.Concat(3, every(0, 0), every(1, 0), every(0, 1), every(1, 1))
	return s.Linear(s.LayerNorm(x, name+".norm", epsilon), name+".reduction")
}

// block is attention in windows, which are shifted in every second block. In
// a network bound to a size, a window as large as the map is not.
func (s Writer) block(x onnxwrite.Value, name string, shifted bool, side int) onnxwrite.Value {
	table := s.WeightShape(name+".attn.relative_position_bias_table", 2) // [(2·window − 1)², heads]
	width := s.WeightShape(name+".norm1.weight", 1)[0]
	if s.Err() != nil {
		return x
	}
	window := (int(math.Round(math.Sqrt(float64(table[0])))) + 1) / 2
	shift := 0
	if shifted && (side == 0 || side > window) {
		shift = window / 2
	}
	height, length := s.Dim(x, 1), s.Dim(x, 2)
	y := s.PadTo(s.LayerNorm(x, name+".norm1", epsilon), window)
	across := s.Dim(y, 2)
	mask := onnxwrite.Value("")
	if shift > 0 {
		mask = s.apart(s.Dim(y, 1), across, window, shift)
		y = s.Roll(y, shift)
	}
	y = s.windows(y, across, window, width)
	y = s.attention(y, name+".attn", s.Dim(x, 0), mask, window, width, table[1])
	y = s.Shaped(y, -1, s.Op("Div", values(across, s.Ints(window))), window, window, width)
	y = s.Shaped(s.Transpose(y, 0, 2, 1, 3, 4), s.Dim(x, 0), -1, across, width)
	if shift > 0 {
		y = s.Roll(y, -shift)
	}
	y = s.Op("Slice", values(y, s.Ints(0, 0), s.Concat(0, height, length), s.Ints(1, 2)))
	x = s.Add(x, y)
	y = s.Linear(s.LayerNorm(x, name+".norm2", epsilon), name+".mlp.fc1")
	return s.Add(x, s.Linear(s.GELU(y), name+".mlp.fc2"))
}

// windows cuts [batch, height, across, width] into [windows, window², width].
func (s Writer) windows(x, across onnxwrite.Value, window, width int) onnxwrite.Value {
	x = s.Shaped(x, -1, window, s.Op("Div", values(across, s.Ints(window))), window, width)
	return s.Reshape(s.Transpose(x, 0, 2, 1, 3, 4), -1, window*window, width)
}

// apart is −100 between places of a window that only the shift has brought
// together, [windows, 1, window², window²].
func (s Writer) apart(height, across onnxwrite.Value, window, shift int) onnxwrite.Value {
	region := func(length onnxwrite.Value) onnxwrite.Value { // 0, 1 or 2 along one axis
		one := s.Reshape(length, 1)
		at := s.Op("Range", values(s.IntTable([]int{0}), s.Op("Squeeze", values(one)), s.IntTable([]int{1})))
		from := func(back int) onnxwrite.Value {
			inside := s.Op("Less", values(at, s.Op("Sub", values(one, s.Ints(back)))))
			return s.AsFloat(s.Op("Not", values(inside)))
		}
		return s.Add(from(window), from(shift))
	}
	rows := s.Reshape(region(height), 1, -1, 1, 1)
	columns := s.Reshape(region(across), 1, 1, -1, 1)
	regions := s.windows(s.Add(s.Mul(rows, s.Float(3)), columns), across, window, 1)
	regions = s.Reshape(regions, -1, 1, window*window)
	same := s.Op("Equal", values(regions, s.Transpose(regions, 0, 2, 1)))
	other := s.AsFloat(s.Op("Not", values(same)))
	return s.Unsqueeze(s.Mul(other, s.Float(-100)), 1)
}

// attention is that of all windows.
func (s Writer) attention(x onnxwrite.Value, name string, batch, mask onnxwrite.Value, window, width, heads int) onnxwrite.Value {
	places := window * window
	qkv := s.Transpose(s.Reshape(s.Linear(x, name+".qkv"), -1, places, 3, heads, width/heads), 2, 0, 3, 1, 4)
	at := make([]int, 0, places*places)
	for q := range places {
		for k := range places {
			dy, dx := q/window-k/window+window-1, q%window-k%window+window-1
			at = append(at, dy*(2*window-1)+dx)
		}
	}
	bias := s.Transpose(s.Op("Gather", values(s.Weight(name+".relative_position_bias_table"), s.IntTable(at, places, places))), 2, 0, 1)
	bias = s.Unsqueeze(bias, 0)
	if mask != "" {
		bias = s.Op("Tile", values(s.Add(bias, mask), s.Concat(0, batch, s.Ints(1, 1, 1)))) // image by image
	}
	y := s.Attend(s.Pick(qkv, 0, 0), s.Pick(qkv, 0, 1), s.Pick(qkv, 0, 2), width/heads, bias)
	return s.Linear(s.Joined(y), name+".proj")
}
