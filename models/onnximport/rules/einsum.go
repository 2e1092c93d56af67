package rules

import (
	"strings"

	"wsss/models/onnximport/legalise"
)

func init() { register(map[string]legalise.Rule{"Einsum": einsum}) }

// term is an operand whose axes are named by letters.
type term struct {
	v       *value
	letters string
}

// einsum multiplies operands pair by pair, each pair as one matrix product
// with axes grouped into batch, rows, sum and columns.
func einsum(b *builder, n *node) []*value {
	equation := strings.ReplaceAll(n.Str("equation", ""), " ", "")
	lhs, out, explicit := strings.Cut(equation, "->")
	names := strings.Split(lhs, ",")
	if len(names) != len(n.In) {
		legalise.Failf("equation %q for %d operands", equation, len(n.In))
	}
	names, out = spellEllipsis(n, names, out)
	if !explicit {
		out = implicitOutput(names)
	}
	acc := term{arg(n, 0), names[0]}
	checkLetters(acc)
	for i := 1; i < len(names); i++ {
		next := term{arg(n, i), names[i]}
		checkLetters(next)
		acc = contract(b, acc, next, out+strings.Join(names[i+1:], ""))
	}
	acc = dropAxes(b, acc, out)
	if len(acc.letters) != len(out) {
		legalise.Failf("equation %q", equation)
	}
	return one(reorder(b, acc, out).v)
}

func checkLetters(t term) {
	if len(t.letters) != t.v.Rank() {
		legalise.Failf("axes %q of %v", t.letters, t.v.Dims)
	}
	for i, l := range t.letters {
		if strings.ContainsRune(t.letters[:i], l) {
			legalise.Failf("axis %q twice in an operand", l)
		}
	}
}

// spellEllipsis names the axes that "..." stands for by digits, right-aligned.
func spellEllipsis(n *node, names []string, out string) ([]string, string) {
	longest := 0
	spelt := append([]string(nil), names...)
	for i, name := range names {
		if !strings.Contains(name, "...") {
			continue
		}
		k := arg(n, i).Rank() - (len(name) - 3)
		if k < 0 || k > 9 {
			legalise.Failf("axes %q of %v", name, n.In[i].Dims)
		}
		longest = max(longest, k)
		spelt[i] = strings.Replace(name, "...", "0123456789"[9-k:9], 1)
	}
	return spelt, strings.Replace(out, "...", "0123456789"[9-longest:9], 1)
}

// implicitOutput lists the letters that occur once, in order.
func implicitOutput(names []string) string {
	all := strings.Join(names, "")
	var out strings.Builder
	for l := rune('0'); l <= 'z'; l++ {
		if k := strings.Count(all, string(l)); k == 1 || k > 1 && l <= '9' {
			out.WriteRune(l)
		}
	}
	return out.String()
}

// dropAxes sums over the axes that keep does not name.
func dropAxes(b *builder, t term, keep string) term {
	var axes []int
	letters := ""
	for i, l := range t.letters {
		if strings.ContainsRune(keep, l) {
			letters += string(l)
		} else {
			axes = append(axes, i)
		}
	}
	if len(axes) == 0 {
		return t
	}
	return term{b.Reduce("ReduceSum", t.v, false, axes...), letters}
}

func reorder(b *builder, t term, order string) term {
	perm := make([]int, len(order))
	for i, l := range order {
		perm[i] = strings.IndexRune(t.letters, l)
		if perm[i] < 0 {
			legalise.Failf("axis %q of the result is in no operand", l)
		}
	}
	return term{b.Transpose(t.v, perm...), order}
}

// contract multiplies x and y, summing over shared axes that later does not
// need.
func contract(b *builder, x, y term, later string) term {
	x, y = dropAxes(b, x, later+y.letters), dropAxes(b, y, later+x.letters)
	var batch, shared, rows, cols string
	size := map[rune]int{}
	for i, l := range x.letters {
		size[l] = x.v.Dims[i]
		switch in := strings.ContainsRune(y.letters, l); {
		case in && strings.ContainsRune(later, l):
			batch += string(l)
		case in:
			shared += string(l)
		default:
			rows += string(l)
		}
	}
	for i, l := range y.letters {
		if d, ok := size[l]; ok && d != y.v.Dims[i] {
			legalise.Failf("axis %q is %d and %d", l, d, y.v.Dims[i])
		} else if !ok {
			cols += string(l)
		}
		size[l] = y.v.Dims[i]
	}
	dims := func(letters string) []int {
		var out []int
		for _, l := range letters {
			out = append(out, size[l])
		}
		return out
	}
	bd, rd, sd, cd := dims(batch), dims(rows), dims(shared), dims(cols)
	left := b.Reshape(reorder(b, x, batch+rows+shared).v, append(append([]int(nil), bd...), prod(rd), prod(sd))...)
	right := b.Reshape(reorder(b, y, batch+shared+cols).v, append(append([]int(nil), bd...), prod(sd), prod(cd))...)
	z := b.Op("MatMul", nil, left, right)
	return term{b.Reshape(z, append(append(bd, rd...), cd...)...), batch + rows + cols}
}
