package rules

import (
	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"Pad": pad}) }

// pad keeps constant padding by amounts that are not negative, in the form
// with one amount per axis; all else becomes slices and gathers.
func pad(b *builder, n *node) []*value {
	x := arg(n, 0)
	if amounts := n.Ints("pads"); amounts != nil && n.Arg(1) == nil { // operator set 10 and before
		fill := b.Scalar(x.DType, n.Float("value", 0))
		return one(b.Op("Pad", attrs{"mode": n.Str("mode", "constant")}, x, b.List(amounts...), fill))
	}
	pads := append([]int(nil), legalise.PadsOf(b, n)...)
	rank := x.Rank()
	mode := n.Str("mode", "constant")
	for i := range rank {
		if pads[i] < 0 || pads[rank+i] < 0 {
			x = b.Slice(x, i, max(0, -pads[i]), x.Dims[i]-max(0, -pads[rank+i]))
			pads[i], pads[rank+i] = max(0, pads[i]), max(0, pads[rank+i])
		}
	}
	if prodMax(pads) == 0 {
		return one(x)
	}
	if mode == "constant" {
		fill := n.Arg(2)
		if fill == nil || fill.Len() == 0 {
			fill = b.Scalar(x.DType, 0)
		}
		n.In = []*value{x, b.List(pads...), b.Reshape(fill)}
		n.Attrs = nil
		return nil
	}
	for i := range rank {
		if pads[i]+pads[rank+i] > 0 {
			index := padIndex(mode, x.Dims[i], pads[i], pads[rank+i])
			x = b.Op("Gather", attrs{"axis": int64(i)}, x, b.List(index...))
		}
	}
	return one(x)
}

func prodMax(v []int) int {
	m := 0
	for _, x := range v {
		m = max(m, x)
	}
	return m
}

// padIndex gives the element that each padded position repeats.
func padIndex(mode string, d, before, after int) []int {
	index := table[int](before + d + after)
	for k := range index {
		i := k - before
		switch mode {
		case "edge":
			i = min(max(i, 0), d-1)
		case "wrap":
			i = ((i % d) + d) % d
		case "reflect":
			if d == 1 {
				i = 0
				break
			}
			period := 2 * (d - 1)
			if i = ((i % period) + period) % period; i >= d {
				i = period - i
			}
		default:
			legalise.Failf("mode %q", mode)
		}
		index[k] = i
	}
	return index
}
