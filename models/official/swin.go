package official

import (
	"fmt"
	"math"

	"github.com/gomlx/compute-onnx/support/protos"
)

// swin is a Swin Transformer at prefix, on one image of any size.
type swin struct {
	*net
	prefix string
	side   int // of the square image that it is bound to; 0 = none
}

// dim is the length of an axis, int64 [1].
func (n *net) dim(x value, axis int) value {
	return n.slice(n.Op("Shape", list(x)), 0, axis, axis+1)
}

// shaped is reshape with dimensions that the graph computes: each an int or a
// value.
func (n *net) shaped(x value, dims ...any) value {
	var parts []value
	var run []int
	flush := func() {
		if len(run) > 0 {
			parts, run = append(parts, n.Ints(run...)), nil
		}
	}
	for _, d := range dims {
		switch d := d.(type) {
		case int:
			run = append(run, d)
		case value:
			flush()
			parts = append(parts, d)
		default:
			panic(fmt.Sprintf("dimension of type %T", d))
		}
	}
	flush()
	return n.Op("Reshape", list(x, n.concat(0, parts...)))
}

// padTo pads rows and columns of [1, height, width, channels] with zeros, below
// and on the right, to multiples of step.
func (n *net) padTo(x value, step int) value {
	missing := func(axis int) value {
		d := n.dim(x, axis)
		over := n.Op("Mod", list(d, n.Ints(step)))
		return n.Op("Mod", list(n.Op("Sub", list(n.Ints(step), over)), n.Ints(step)))
	}
	pads := n.concat(0, n.Ints(0, 0, 0, 0, 0), missing(1), missing(2), n.Ints(0))
	return n.Op("Pad", list(x, pads))
}

// roll moves rows and columns up and left by shift, around the edge.
func (n *net) roll(x value, shift int) value {
	for axis := 1; axis <= 2; axis++ {
		x = n.concat(axis, n.slice(x, axis, shift, math.MaxInt32), n.slice(x, axis, 0, shift))
	}
	return x
}

// rollBack is the way back.
func (n *net) rollBack(x value, shift int) value {
	for axis := 1; axis <= 2; axis++ {
		x = n.concat(axis, n.slice(x, axis, -shift, math.MaxInt32), n.slice(x, axis, 0, -shift))
	}
	return x
}

// patches is the first layer: [1, 3, height, width] to [1, h, w, width].
func (s swin) patches(x value) value {
	patch := s.shape(s.prefix+"patch_embed.proj.weight", 4)[2]
	x = s.transpose(s.padTo(s.transpose(x, 0, 2, 3, 1), patch), 0, 3, 1, 2)
	x = s.transpose(s.conv(x, s.prefix+"patch_embed.proj", patch, 0), 0, 2, 3, 1)
	return s.layerNorm(x, s.prefix+"patch_embed.norm", torchEps)
}

// stages are the outputs of all stages, [1, h, w, channels], before the
// merging of patches behind each.
func (s swin) stages(x value) []value {
	var out []value
	x = s.patches(x)
	side := s.side
	if side > 0 {
		side /= s.shape(s.prefix+"patch_embed.proj.weight", 4)[2]
	}
	for i := range s.count(s.prefix+"layers", "blocks.0.norm1.weight") {
		name := sub(s.prefix+"layers", i)
		for k := range s.count(name+".blocks", "norm1.weight") {
			x = s.block(x, sub(name+".blocks", k), k%2 == 1, side)
		}
		out = append(out, x)
		if s.has(name + ".downsample.reduction.weight") {
			x = s.merge(x, name+".downsample")
			side /= 2
		}
	}
	return out
}

// merge halves height and width.
func (s swin) merge(x value, name string) value {
	x = s.padTo(x, 2)
	every := func(row, column int) value {
		return s.Op("Slice", list(x, s.Ints(row, column), s.Ints(math.MaxInt32, math.MaxInt32), s.Ints(1, 2), s.Ints(2, 2)))
	}
	x = s.concat(3, every(0, 0), every(1, 0), every(0, 1), every(1, 1))
	return s.linear(s.layerNorm(x, name+".norm", torchEps), name+".reduction")
}

// block is attention in windows, which are shifted in every second block. In
// a network bound to a size, a window as large as the map is not.
func (s swin) block(x value, name string, shifted bool, side int) value {
	table := s.shape(name+".attn.relative_position_bias_table", 2) // [(2·window − 1)², heads]
	width := s.shape(name+".norm1.weight", 1)[0]
	if s.err != nil {
		return x
	}
	window := (int(math.Round(math.Sqrt(float64(table[0])))) + 1) / 2
	shift := 0
	if shifted && (side == 0 || side > window) {
		shift = window / 2
	}
	height, length := s.dim(x, 1), s.dim(x, 2)
	y := s.padTo(s.layerNorm(x, name+".norm1", torchEps), window)
	across := s.dim(y, 2)
	mask := value("")
	if shift > 0 {
		mask = s.apart(s.dim(y, 1), across, window, shift)
		y = s.roll(y, shift)
	}
	y = s.windows(y, across, window, width)
	y = s.attention(y, name+".attn", mask, window, width, table[1])
	y = s.shaped(y, -1, s.Op("Div", list(across, s.Ints(window))), window, window, width)
	y = s.shaped(s.transpose(y, 0, 2, 1, 3, 4), 1, -1, across, width)
	if shift > 0 {
		y = s.rollBack(y, shift)
	}
	y = s.Op("Slice", list(y, s.Ints(0, 0), s.concat(0, height, length), s.Ints(1, 2)))
	x = s.add(x, y)
	y = s.linear(s.layerNorm(x, name+".norm2", torchEps), name+".mlp.fc1")
	return s.add(x, s.linear(s.gelu(y), name+".mlp.fc2"))
}

// windows cuts [1, height, across, width] into [windows, window², width].
func (s swin) windows(x, across value, window, width int) value {
	x = s.shaped(x, -1, window, s.Op("Div", list(across, s.Ints(window))), window, width)
	return s.reshape(s.transpose(x, 0, 2, 1, 3, 4), -1, window*window, width)
}

// apart is −100 between places of a window that only the shift has brought
// together, [windows, 1, window², window²].
func (s swin) apart(height, across value, window, shift int) value {
	region := func(length value) value { // 0, 1 or 2 along one axis
		one := s.reshape(length, 1)
		at := s.Op("Range", list(s.IntTable([]int{0}), s.Op("Squeeze", list(one)), s.IntTable([]int{1})))
		from := func(back int) value {
			inside := s.Op("Less", list(at, s.Op("Sub", list(one, s.Ints(back)))))
			return s.Op("Cast", list(s.Op("Not", list(inside))), attr("to", int(protos.TensorProto_FLOAT)))
		}
		return s.add(from(window), from(shift))
	}
	rows := s.reshape(region(height), 1, -1, 1, 1)
	columns := s.reshape(region(across), 1, 1, -1, 1)
	regions := s.windows(s.add(s.mul(rows, s.Float(3)), columns), across, window, 1)
	regions = s.reshape(regions, -1, 1, window*window)
	same := s.Op("Equal", list(regions, s.transpose(regions, 0, 2, 1)))
	other := s.Op("Cast", list(s.Op("Not", list(same))), attr("to", int(protos.TensorProto_FLOAT)))
	return s.unsqueeze(s.mul(other, s.Float(-100)), 1)
}

// attention is that of all windows.
func (s swin) attention(x value, name string, mask value, window, width, heads int) value {
	places := window * window
	qkv := s.transpose(s.reshape(s.linear(x, name+".qkv"), -1, places, 3, heads, width/heads), 2, 0, 3, 1, 4)
	at := make([]int, 0, places*places)
	for q := range places {
		for k := range places {
			dy, dx := q/window-k/window+window-1, q%window-k%window+window-1
			at = append(at, dy*(2*window-1)+dx)
		}
	}
	bias := s.transpose(s.Op("Gather", list(s.w(name+".relative_position_bias_table"), s.IntTable(at, places, places))), 2, 0, 1)
	bias = s.unsqueeze(bias, 0)
	if mask != "" {
		bias = s.add(bias, mask)
	}
	y := s.attend(s.pick(qkv, 0, 0), s.pick(qkv, 0, 1), s.pick(qkv, 0, 2), width/heads, bias)
	return s.linear(s.joined(y), name+".proj")
}
