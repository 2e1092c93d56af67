package crf

import (
	"fmt"
	"slices"
)

// packing writes the d coordinates of a lattice vertex into 64 bits.
type packing struct {
	d     int
	bits  uint
	limit int32 // coordinates lie in -limit..limit-1, neighbours' too
}

func newPacking(d int) (packing, error) {
	if d < 1 || d > maxDims {
		return packing{}, fmt.Errorf("crf: %d feature dimensions: allowed are 1..%d", d, maxDims)
	}
	bits := uint(64 / d)
	return packing{d: d, bits: bits, limit: int32(1) << (min(bits, 31) - 1)}, nil
}

func (p packing) pack(key []int32) (packed uint64, ok bool) {
	reach := p.limit - int32(p.d) - 1
	for _, k := range key {
		if k < -reach || k >= reach {
			return 0, false
		}
		packed = packed<<p.bits | uint64(k+p.limit)
	}
	return packed, true
}

// step is what leads from a packed vertex to its neighbour along axis j: +1 in
// every coordinate, but -d in coordinate j. Coordinates of packed vertices keep
// so far from their limit that nothing is carried.
func (p packing) step(j int) uint64 {
	var s uint64
	for i := range p.d {
		v := int64(1)
		if i == j {
			v = int64(-p.d)
		}
		s = s<<p.bits + uint64(v)
	}
	return s
}

// table numbers packed keys in the order in which they first come: open
// addressing.
type table struct {
	slots []int32 // number+1, 0 = empty
	keys  []uint64
}

func newTable(entries int) *table {
	t := &table{}
	t.grow(max(1024, entries))
	return t
}

func (t *table) slot(packed uint64) uint64 {
	h := packed * 0x9E3779B97F4A7C15
	return (h ^ h>>29) & uint64(len(t.slots)-1)
}

// add returns the number of a key, a new one if it is new.
func (t *table) add(packed uint64) int32 {
	s := t.slot(packed)
	for ; t.slots[s] != 0; s = (s + 1) & uint64(len(t.slots)-1) {
		if v := t.slots[s]; t.keys[v-1] == packed {
			return v - 1
		}
	}
	t.keys = append(t.keys, packed)
	t.slots[s] = int32(len(t.keys))
	if 2*len(t.keys) > len(t.slots) {
		t.grow(len(t.slots))
	}
	return int32(len(t.keys) - 1)
}

// grow rebuilds the slots for more than entries keys.
func (t *table) grow(entries int) {
	size := 1
	for size < 2*entries {
		size *= 2
	}
	t.slots = make([]int32, size)
	for v, packed := range t.keys {
		s := t.slot(packed)
		for t.slots[s] != 0 {
			s = (s + 1) & uint64(size-1)
		}
		t.slots[s] = int32(v + 1)
	}
}

// vertices are packed keys, and the vertex of each.
type vertices struct {
	keys []uint64
	of   []int32
}

// sorted numbers keys as they come, and sorts them, ascending: a radix sort,
// 16 bits at a time.
func sorted(keys []uint64) vertices {
	in := vertices{slices.Clone(keys), make([]int32, len(keys))}
	out := vertices{make([]uint64, len(keys)), make([]int32, len(keys))}
	for v := range in.of {
		in.of[v] = int32(v)
	}
	at := make([]int32, 1<<16+1)
	for shift := 0; shift < 64; shift += 16 {
		clear(at)
		for _, k := range in.keys {
			at[int(uint16(k>>shift))+1]++
		}
		for i := range 1 << 16 {
			at[i+1] += at[i]
		}
		for i, k := range in.keys {
			place := &at[uint16(k>>shift)]
			out.keys[*place], out.of[*place] = k, in.of[i]
			*place++
		}
		in, out = out, in
	}
	return in
}

// chains lists the vertices that have neighbours along an axis, each with the
// next in its line behind it; the first of a line is there as its complement.
// Vertices without neighbours, which the blur leaves as they are, are not there.
// The keys ascend.
func (s vertices) chains(step uint64) []int32 {
	next, follows := make([]int32, len(s.keys)), make([]bool, len(s.keys))
	ahead, count := 0, 0
	for i, v := range s.of {
		// Keys ascend, and so do those of the neighbours that are looked for.
		want := s.keys[i] + step
		for ahead < len(s.keys) && s.keys[ahead] < want {
			ahead++
		}
		next[v] = -1
		if ahead < len(s.keys) && s.keys[ahead] == want {
			next[v], follows[s.of[ahead]] = s.of[ahead], true
			count++
		}
	}
	chain := make([]int32, 0, 2*count)
	for v := range next {
		if follows[v] || next[v] < 0 {
			continue
		}
		chain = append(chain, ^int32(v))
		for u := next[v]; u >= 0; u = next[u] {
			chain = append(chain, u)
		}
	}
	return chain
}
