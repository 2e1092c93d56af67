package irn

import (
	"context"
	"fmt"
	"image"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/data/imageproc"
	"wsss/models"
	"wsss/models/backend"
	"wsss/models/layers"
	"wsss/models/pretrained"
	"wsss/models/shapecache"
	"wsss/models/together"
	"wsss/models/weights"
)

// Build makes the variables of a network, by building its graph, which is never
// run. seed is that of the initial weights.
func (n *AffinityNet) Build(seed int64) (*model.Store, error) {
	return layers.NewVariables(seed, 33, func(scope *model.Scope, x *Node) []*Node { return []*Node{n.Features(scope, x, false)} })
}

// Rename is models.WeightReader's: the names of the backbone and of the branches.
func (n *AffinityNet) Rename(tensor string) string { return models.RenameTensor(n.backbone, tensor) }

// CheckWeights is models.WeightReader's.
func (n *AffinityNet) CheckWeights(m weights.Mapping, t configs.Train) error {
	return n.backbone.CheckWeights(m, t)
}

// Adapt is models.WeightAdapter's.
func (n *AffinityNet) Adapt(src weights.Source) weights.Source { return models.Adapt(n.backbone, src) }

// Load fills the variables, which must exist, from weights of the backbone, from
// psa's files, from what Save wrote, and from checkpoints of wsss.
func (n *AffinityNet) Load(scope *model.Scope, src weights.Source) (weights.Mapping, error) {
	return pretrained.Load(scope, n.Adapt(src), n.Rename)
}

// Save writes the network below scope as pretrained.SaveWhole does, with psa's names.
func (n *AffinityNet) Save(path string, scope *model.Scope) error {
	return pretrained.SaveWhole(path, scope, n.cfg.StrideIn, n.cfg.Input, map[string]string{})
}

// OpenAffinityNet reads a trained network and its variables. The layout is told
// from the shapes of its tensors.
func OpenAffinityNet(path string) (*AffinityNet, *model.Store, error) {
	return pretrained.OpenWhole(path, func(l pretrained.Layout) (*AffinityNet, error) {
		cfg := Config{StrideIn: l.StrideIn()}
		if l.Input() == "caffe" {
			cfg.Input = "caffe"
		}
		var err error
		if cfg.Backbone, cfg.Width, err = models.DetectBackbone(l.Shapes); err != nil {
			return nil, err
		}
		first := l.Shapes["f8_3.weight"]
		if cfg.Backbone == "" || len(first) != 4 {
			return nil, fmt.Errorf("no AffinityNet: wanted are the tensors of a backbone (conv1a.weight, conv1_1.weight or conv1.weight, …) and f8_3.weight")
		}
		cfg.Head = float64(first[0]) / 64
		return NewAffinityNet(cfg)
	})
}

// Featurer computes AffinityNet's features of images. It is safe for concurrent
// use; runs follow each other, and on a GPU images share them.
type Featurer struct {
	net     *AffinityNet
	store   *model.Store
	backend compute.Backend
	bucket  int

	runs   together.Runs[image.Point, []float32, featureMap]
	mu     sync.Mutex
	graphs shapecache.Cache[image.Point, *model.Exec]
}

// NewFeaturer takes a network and its variables, which go with it.
func NewFeaturer(b compute.Backend, n *AffinityNet, store *model.Store) *Featurer {
	f := &Featurer{net: n, store: store, backend: b, bucket: 64, graphs: shapecache.Cache[image.Point, *model.Exec]{Limit: backend.GraphsKept(b, 8), Free: (*model.Exec).Finalize}}
	if backend.KindOf(b) == backend.Go {
		f.bucket = AffinityStride // a new size costs nothing
	}
	f.runs.Size = func(size image.Point) int { return backend.AtOnce(b, size.X*size.Y) }
	f.runs.Run = f.run
	return f
}

// featureMap is [h][w][channels].
type featureMap struct {
	values      []float32
	w, channels int
}

// Features are [channels, H, W] at an eighth of the size of an image, rounded up.
type Features struct {
	W, H, Channels int
	Values         []float32
}

// Features of an image, filled up with zeros to a multiple of eight pixels as psa
// does, on engines that compile to a multiple of 64.
func (f *Featurer) Features(img *imageproc.RGB) (*Features, error) {
	up := func(n, step int) int { return (n + step - 1) / step * step }
	size := image.Pt(up(img.W, f.bucket), up(img.H, f.bucket))
	pixels := make([]float32, 3*size.X*size.Y)
	img.Interleaved(imageproc.NormOf(f.net.cfg.Input), pixels, size.X, image.Point{})
	m, err := f.runs.Do(context.Background(), size, pixels)
	if err != nil {
		return nil, fmt.Errorf("features of an image of %d×%d pixels: %w", img.W, img.H, err)
	}
	r := &Features{W: up(img.W, AffinityStride) / AffinityStride, H: up(img.H, AffinityStride) / AffinityStride, Channels: m.channels}
	r.Values = make([]float32, r.W*r.H*r.Channels)
	for y := range r.H {
		for x := range r.W {
			for c, v := range m.values[(y*m.w+x)*m.channels:][:m.channels] {
				r.Values[(c*r.H+y)*r.W+x] = v
			}
		}
	}
	return r, nil
}

// run returns the features of images of one size.
func (f *Featurer) run(_ context.Context, size image.Point, images [][]float32) (maps []featureMap, err error) {
	in := tensors.FromFlatDataAndDimensions(together.Join(images), len(images), size.Y, size.X, 3)
	defer in.FinalizeAll() //nolint:errcheck // memory only
	f.mu.Lock()
	defer f.mu.Unlock()
	exec, err := f.graphs.Get(size, func() (*model.Exec, error) {
		return model.NewExec(f.backend, f.store, func(scope *model.Scope, images *Node) *Node {
			return f.net.Features(scope, images, false)
		})
	})
	if err != nil {
		return nil, err
	}
	out, err := exec.Call1(in)
	if err != nil {
		return nil, err
	}
	defer out.FinalizeAll() //nolint:errcheck // memory only
	d := out.Shape().Dimensions
	flat, err := tensors.CopyFlatData[float32](out)
	for own := range slices.Chunk(flat, d[1]*d[2]*d[3]) {
		maps = append(maps, featureMap{own, d[2], d[3]})
	}
	return maps, err
}

// Close frees the network.
func (f *Featurer) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.graphs.Clear()
	f.store.Finalize()
}
