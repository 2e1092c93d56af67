package onnxopt

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
)

// TestGathers: rows by constant numbers are gathered as they are, where no bound
// changes them.
func TestGathers(t *testing.T) {
	node := func(op, out string, in ...string) *protos.NodeProto {
		return &protos.NodeProto{OpType: op, Input: in, Output: []string{out}}
	}
	constant := func(name string, kind protos.TensorProto_DataType, dims []int64, v ...int64) *protos.TensorProto {
		c := &protos.TensorProto{Name: name, DataType: int32(kind), Dims: dims}
		for _, v := range v {
			if kind == protos.TensorProto_INT32 {
				c.RawData = binary.LittleEndian.AppendUint32(c.RawData, uint32(v))
			} else {
				c.RawData = binary.LittleEndian.AppendUint64(c.RawData, uint64(v))
			}
		}
		return c
	}
	for _, c := range []struct {
		name    string
		high    int64
		index   *protos.TensorProto
		want    []string
		numbers []string // constants that are left
	}{
		{"within", 4, constant("index", protos.TensorProto_INT32, []int64{3, 1}, 0, 4, 2), []string{"y=Gather[in index_rows]"}, []string{"index_rows[3]"}},
		{"beyond", 3, constant("index", protos.TensorProto_INT32, []int64{3, 1}, 0, 4, 2),
			[]string{"wide=Cast[index]", "at=Clip[wide zero high]", "y=GatherND[in at]"}, []string{"index[3 1]", "zero[]", "high[]"}},
		{"before", 4, constant("index", protos.TensorProto_INT32, []int64{3, 1}, 0, -1, 2),
			[]string{"wide=Cast[index]", "at=Clip[wide zero high]", "y=GatherND[in at]"}, []string{"index[3 1]", "zero[]", "high[]"}},
		{"two axes", 4, constant("index", protos.TensorProto_INT32, []int64{1, 2}, 0, 4),
			[]string{"wide=Cast[index]", "at=Clip[wide zero high]", "y=GatherND[in at]"}, []string{"index[1 2]", "zero[]", "high[]"}},
	} {
		g := &protos.GraphProto{Input: []*protos.ValueInfoProto{{Name: "in"}}, Output: []*protos.ValueInfoProto{{Name: "y"}},
			Node: []*protos.NodeProto{node("Cast", "wide", "index"), node("Max", "low", "wide", "zero"), node("Min", "at", "low", "high"), node("GatherND", "y", "in", "at")},
			Initializer: []*protos.TensorProto{c.index,
				constant("zero", protos.TensorProto_INT64, nil, 0), constant("high", protos.TensorProto_INT64, nil, c.high)}}
		Rewrite(g)
		var got, left []string
		for _, n := range g.Node {
			got = append(got, fmt.Sprintf("%s=%s%v", n.Output[0], n.OpType, n.Input))
		}
		for _, i := range g.Initializer {
			left = append(left, fmt.Sprint(i.Name, i.Dims))
		}
		if !slices.Equal(got, c.want) || !slices.Equal(left, c.numbers) {
			t.Errorf("%s: %v of %v, want %v of %v", c.name, got, left, c.want, c.numbers)
		}
	}
}
