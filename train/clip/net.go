package clip

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/data/augment"
	"wsss/models/backend"
	"wsss/models/foundation/clip"
	"wsss/models/onnximport"
)

// Names of variables: the encoder's as in its file, and the new layers'.
const (
	encoderScope = "encoder"
	headScope    = "head"
	normScale    = "norm_scale"
	normBias     = "norm_bias"
	weightName   = "weight"
	biasName     = "bias"
)

// normEpsilon is PyTorch's default for LayerNorm.
const normEpsilon = 1e-5

// defaultSize is CLIP's, where the file leaves it open.
const defaultSize = 224

// network is the encoder with the new layers on it.
type network struct {
	cfg     configs.FineTuneCLIP
	backend compute.Backend
	encoder *onnximport.Model
	input   string // of the encoder
	output  string
	size    int
	classes int // background not counted
	store   *model.Store
	depths  *depths  // nil where nothing depends on them
	cuts    []string // values that the backward pass starts from again; nil = it keeps all
}

// newNetwork opens the encoder of a config. classes counts without background;
// seed is that of the new layers' weights.
// With text, one embedding of length 1 per class, the linear layer starts as
// CLIP's own classifier.
func newNetwork(b compute.Backend, cfg configs.FineTuneCLIP, classes int, seed int64, text [][]float32) (*network, error) {
	if err := backend.CheckPrecision(b, cfg.Precision); err != nil {
		return nil, fmt.Errorf("finetune_clip.compute.precision = %w", err)
	}
	input, output, size, err := ports(cfg)
	if err != nil {
		return nil, err
	}
	n := &network{cfg: cfg, backend: b, input: input, output: output, size: size, classes: classes, store: model.NewStore()}
	if cfg.LayerDecay != 1 || cfg.Freeze > 0 {
		if n.depths, err = readDepths(cfg.Encoder, output); err != nil {
			return nil, err
		}
		if cfg.Freeze > n.depths.blocks {
			return nil, fmt.Errorf("finetune_clip.network.freeze = %d: the encoder has %d blocks; -1 freezes all of it", cfg.Freeze, n.depths.blocks)
		}
	}
	if cfg.Recompute > 0 {
		stream, err := readStream(cfg.Encoder, output)
		if err != nil {
			return nil, err
		}
		for i := 0; i < len(stream)-1; i += cfg.Recompute {
			n.cuts = append(n.cuts, stream[i])
		}
		n.cuts = append(n.cuts, stream[len(stream)-1])
	}
	if n.encoder, err = onnximport.Open(cfg.Encoder, onnximport.Options{Outputs: []string{output}}); err != nil {
		return nil, err
	}
	width, err := n.probe()
	if err != nil {
		n.Close()
		return nil, err
	}
	return n, n.makeHead(width, seed, text)
}

// ports finds input, output and image size of an encoder.
func ports(cfg configs.FineTuneCLIP) (input, output string, size int, err error) {
	m, err := onnximport.Open(cfg.Encoder, onnximport.Options{})
	if err != nil {
		return "", "", 0, err
	}
	defer m.Close()
	size = cfg.Size
	for _, p := range m.Inputs() {
		if len(p.Dims) == 4 && p.DType == dtypes.Float32 {
			input = p.Name
			if declared := p.Dims[3]; declared > 0 && size == 0 {
				size = declared
			}
		}
	}
	if input == "" {
		return "", "", 0, fmt.Errorf("%s: no image input: want floats [batch, 3, height, width]", cfg.Encoder)
	}
	if size == 0 {
		size = defaultSize
	}
	output = cfg.Output
	if output == "" {
		output = m.Outputs()[0].Name
		if slices.ContainsFunc(m.Outputs(), func(p onnximport.Port) bool { return p.Name == "image_embeds" }) {
			output = "image_embeds"
		}
	}
	return input, output, size, nil
}

// probe makes the encoder's variables and returns the width of its embedding,
// by building a graph that computes nothing.
func (n *network) probe() (width int, err error) {
	// On the backend of the training: weights are read into its memory.
	exec, err := model.NewExec(n.backend, n.store, func(scope *model.Scope, images *Node) *Node {
		out := n.embed(scope, images, false)
		if out.Rank() != 2 || out.Shape().Dim(0) != images.Shape().Dim(0) {
			panic(fmt.Errorf("%s: output %q is %s: want [batch, width]", n.encoder.Path(), n.output, out.Shape()))
		}
		width = out.Shape().Dim(1)
		return Const(images.Graph(), float32(0))
	})
	if err != nil {
		return 0, err
	}
	defer exec.Finalize()
	_, err = exec.Compile(shapes.Make(dtypes.Float32, 1, 3, n.size, n.size))
	return width, err
}

// makeHead makes the new layers: a neutral LayerNorm, and a linear layer of
// small random weights, drawn on the host so that every backend starts alike.
func (n *network) makeHead(width int, seed int64, text [][]float32) error {
	rng := augment.RNG(seed, -1, 0)
	weight := make([]float32, width*n.classes)
	for i := range weight {
		weight[i] = float32(rng.NormFloat64() * 0.02)
	}
	// A normalised embedding has length √width, not 1.
	scale := clip.LogitScale / float32(math.Sqrt(float64(width)))
	for c, row := range text {
		if len(text) != n.classes || len(row) != width {
			return fmt.Errorf("%s: %d text embeddings of width %d for %d classes and images of width %d", n.encoder.Path(), len(text), len(row), n.classes, width)
		}
		for i, x := range row {
			weight[i*n.classes+c] = scale * x
		}
	}
	ones := slices.Repeat([]float32{1}, width)
	scope := n.store.RootScope().At(headScope)
	for _, v := range []struct {
		name string
		t    *tensors.Tensor
	}{
		{normScale, tensors.FromFlatDataAndDimensions(ones, width)},
		{normBias, tensors.FromFlatDataAndDimensions(make([]float32, width), width)},
		{weightName, tensors.FromFlatDataAndDimensions(weight, width, n.classes)},
		{biasName, tensors.FromFlatDataAndDimensions(make([]float32, n.classes), n.classes)},
	} {
		if _, err := scope.CreateVariable(v.name, v.t); err != nil {
			return err
		}
	}
	return nil
}

// Precision is that of the update; it implements multilabel.Precise.
func (n *network) Precision() string { return n.cfg.Precision }

// Close is multilabel.Net's.
func (n *network) Close() { _ = n.encoder.Close() }

// embed is the encoder, images [batch, 3, size, size] → [batch, width].
func (n *network) embed(scope *model.Scope, images *Node, training bool) *Node {
	var way onnximport.Way
	if training {
		way = onnximport.Way{Half: n.cfg.Precision == "bf16", Cuts: n.cuts}
	}
	return n.encoder.GraphAs(way, scope.At(encoderScope), map[string]*Node{n.input: images}, nil)[0]
}

// logits are [batch, classes]. It panics on errors, like all graph code.
func (n *network) logits(scope *model.Scope, images *Node, training bool) *Node {
	x := n.embed(scope, images, training)
	value := func(name string) *Node {
		return n.store.GetVariable("/" + headScope + "/" + name).NodeValue(x.Graph())
	}
	x = Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	x = Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceMean, -1), normEpsilon)))
	x = Add(Mul(x, ExpandDims(value(normScale), 0)), ExpandDims(value(normBias), 0))
	return Add(MatMul(x, value(weightName)), ExpandDims(value(biasName), 0))
}

// rate is the learning rate of a variable relative to the base: 0 = frozen.
func (n *network) rate(path string) float64 {
	cfg := n.cfg
	name, inEncoder := strings.CutPrefix(path, "/"+encoderScope+"/")
	if !inEncoder {
		return cfg.HeadMult
	}
	// Constants of the graph are no parameters.
	if cfg.Freeze < 0 || strings.HasPrefix(name, "constant|") {
		return 0
	}
	if n.depths == nil {
		return 1
	}
	depth, ok := n.depths.of[name]
	if !ok {
		depth = 0
	}
	if cfg.Freeze > 0 && depth <= cfg.Freeze {
		return 0
	}
	return math.Pow(cfg.LayerDecay, float64(n.depths.blocks+1-depth))
}
