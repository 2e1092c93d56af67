package onnximport

import (
	"testing"

	"wsss/models/backend/backendtest"
	"wsss/models/onnximport/legalise"
)

// TestFusedNorms: spelled-out layer norms become the op, and
// products with weights are of rank 2 for ONNX Runtime. That the results are
// equal is TestExports' matter.
func TestFusedNorms(t *testing.T) {
	inputs := readInputs(t, "testdata/exports/clip_image.json")
	m, err := Open("testdata/exports/clip_image.onnx", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	shapes := map[string][]int{}
	for name, x := range inputs {
		shapes[name] = x.Shape().Dimensions
	}
	b := backendtest.One(t)
	count := func(change func(*legalise.Options)) (norms, roots, deep int) {
		opt := m.legaliseOptions(b, shapes)
		change(&opt)
		prog, err := m.legalised(opt)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range prog.Nodes {
			switch {
			case n.Op == "LayerNormalization":
				norms++
			case n.Op == "Sqrt":
				roots++
			case n.Op == "MatMul" && n.In[0].Rank() > 2 && n.In[1].Rank() == 2:
				deep++
			}
		}
		return norms, roots, deep
	}
	norms, roots, deep := count(func(o *legalise.Options) { o.FlatProducts = false })
	if norms == 0 || roots != 0 || deep == 0 {
		t.Errorf("%d norms, %d roots, %d products of batches", norms, roots, deep)
	}
	_, _, flat := count(func(o *legalise.Options) { o.FlatProducts = true })
	if flat != 0 {
		t.Errorf("%d products of batches where they are to be flat", flat)
	}
	trained, left, _ := count(func(o *legalise.Options) { o.Trainable = true })
	if trained != norms || left != 0 {
		t.Errorf("for training: %d norms, %d roots, want %d and 0", trained, left, norms)
	}
}

// TestAxisBias: on the go backend, relative positions are added inside the
// product of queries and keys.
func TestAxisBias(t *testing.T) {
	for path, input := range map[string]string{"testdata/exports/sam_encoder.onnx": "images", "../foundation/zoo/sam_encoder.onnx": "input_image"} {
		m, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		dims := append([]int{1}, m.Inputs()[0].Dims[1:]...)
		for _, fold := range []bool{false, true} {
			prog, err := m.legalised(legalise.Options{Shapes: map[string][]int{input: dims}, Values: map[string]*legalise.Const{}, BiasInProducts: fold})
			if err != nil {
				t.Fatal(err)
			}
			adds := 0
			for _, n := range prog.Nodes {
				if n.Op == "Add" && n.In[0].Rank() == 5 {
					adds++
				}
			}
			if fold != (adds == 0) {
				t.Errorf("%s: %d additions to scores, folded %v", path, adds, fold)
			}
		}
	}
}

// TestDeformableAttention: the tiny Grounding-DINO adds up the pixels of all
// places of a query and level at once.
func TestDeformableAttention(t *testing.T) {
	m, err := Open("../foundation/zoo/gdino.onnx", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	shapes := map[string][]int{"img": {1, 3, 128, 128}, "text_token_mask": {1, 4, 4}}
	for _, name := range []string{"input_ids", "attention_mask", "position_ids", "token_type_ids"} {
		shapes[name] = []int{1, 4}
	}
	samples, sums := 0, 0
	for _, n := range m.file.Proto.Graph.Node {
		if n.OpType == "GridSample" {
			samples++
		}
	}
	prog, err := m.legalised(legalise.Options{Shapes: shapes, Values: map[string]*legalise.Const{}})
	if err != nil {
		t.Fatal(err)
	}
	const points = 2
	for _, n := range prog.Nodes {
		if n.Op == "GatherSum" && n.In[1].Dims[1] == 4*points {
			sums++
		}
	}
	if samples == 0 || sums != samples {
		t.Errorf("%d GridSamples became %d sums over all points", samples, sums)
	}
}
