package onnxfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"
)

func node(name string, in, out []string, subs ...*protos.GraphProto) *protos.NodeProto {
	n := &protos.NodeProto{Name: name, OpType: "Op", Input: in, Output: out}
	for _, g := range subs {
		n.Attribute = append(n.Attribute, &protos.AttributeProto{Name: "body", G: g})
	}
	return n
}

// TestOrder: nodes come after what they use, whatever the file's order; a graph
// in order stays as it is.
func TestOrder(t *testing.T) {
	body := func() *protos.GraphProto { // reads b of the graph around it; its own nodes are out of order
		return &protos.GraphProto{
			Node:   []*protos.NodeProto{node("s2", []string{"t"}, []string{"u"}), node("s1", []string{"b"}, []string{"t"})},
			Output: []*protos.ValueInfoProto{{Name: "u"}},
		}
	}
	shadow := &protos.GraphProto{ // makes a b of its own
		Node:   []*protos.NodeProto{node("s1", nil, []string{"b"})},
		Output: []*protos.ValueInfoProto{{Name: "b"}},
	}
	for name, c := range map[string]struct {
		nodes []*protos.NodeProto
		want  string
	}{
		"in order":      {[]*protos.NodeProto{node("1", []string{"x"}, []string{"a"}), node("2", []string{"a"}, []string{"b"})}, "1 2"},
		"appended cast": {[]*protos.NodeProto{node("1", []string{"c"}, []string{"a"}), node("2", []string{"a"}, []string{"b"}), node("cast", []string{"x"}, []string{"c"})}, "cast 1 2"},
		"reversed":      {[]*protos.NodeProto{node("3", []string{"b"}, []string{"y"}), node("2", []string{"a"}, []string{"b"}), node("1", []string{"x"}, []string{"a"})}, "1 2 3"},
		"body's use":    {[]*protos.NodeProto{node("if", []string{"x"}, []string{"y"}, body()), node("1", []string{"x"}, []string{"b"})}, "1 if"},
		"body's own":    {[]*protos.NodeProto{node("if", []string{"x"}, []string{"b"}, shadow), node("1", []string{"b"}, []string{"y"})}, "if 1"},
		"diamond":       {[]*protos.NodeProto{node("4", []string{"b", "c"}, []string{"y"}), node("2", []string{"a"}, []string{"b"}), node("3", []string{"a"}, []string{"c"}), node("1", []string{"x"}, []string{"a"})}, "1 2 3 4"},
	} {
		g := &protos.GraphProto{Node: c.nodes}
		if err := order(g, 0); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, n := range g.Node {
			got = append(got, n.Name)
			for _, sub := range graphsOf(n) {
				if slices.ContainsFunc(sub.Node, func(m *protos.NodeProto) bool { return m.Name == "s2" }) && sub.Node[0].Name != "s1" {
					t.Errorf("%s: the body is not in order", name)
				}
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: order %s, want %s", name, s, c.want)
		}
	}
}

// TestCycle: a node that waits for itself is named, from the file on.
func TestCycle(t *testing.T) {
	m := &protos.ModelProto{Graph: &protos.GraphProto{
		Node:   []*protos.NodeProto{node("first", []string{"b"}, []string{"a"}), node("second", []string{"a"}, []string{"b"})},
		Output: []*protos.ValueInfoProto{{Name: "b"}},
	}}
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cycle.onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err == nil {
		f.Close()
		t.Fatal("a cycle is no model")
	}
	for _, want := range []string{"cycle.onnx", "second", "needs its own output"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}
