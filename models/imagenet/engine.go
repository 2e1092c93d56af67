package imagenet

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/imageproc"
	"wsss/models/backend"
	"wsss/models/camnet"
	"wsss/models/shapecache"
	"wsss/models/together"
)

// features are those of an image, or of its mirror image: [h][w][channels].
type features struct {
	w, h, channels int
	values         []float32
}

// engine computes the features of an image of the size at hand, as it is and,
// where the options say so, mirrored.
type engine interface {
	run(ctx context.Context, img *imageproc.RGB) ([]features, error)
	// forward does the same for normalised pixels, [n, h, w, 3].
	forward(ctx context.Context, pixels []float32, n, w, h int) ([]features, error)
	// fixed is the only size that images can have; 0 where that is open.
	fixed() (w, h int)
}

// each calls do with the features at each scale.
func (c *Classifier) each(ctx context.Context, img *imageproc.RGB, do func(views []features) error) error {
	for _, s := range c.opts.Scales {
		if err := ctx.Err(); err != nil {
			return err
		}
		w, h := c.engine.fixed()
		once := w > 0
		if !once {
			w, h = c.opts.size(img.W, img.H, s)
		}
		views, err := c.engine.run(ctx, img.Resize(w, h, imageproc.Bicubic))
		if err == nil && views[0].channels != c.channels {
			err = fmt.Errorf("the network gives %d features, its linear layer takes %d", views[0].channels, c.channels)
		}
		if err == nil {
			err = do(views)
		}
		if err != nil {
			return fmt.Errorf("image of %d×%d pixels at scale %g: %w", img.W, img.H, s, err)
		}
		if once {
			return nil
		}
	}
	return nil
}

// size is that of an image of w×h pixels at a scale, rounded to the bucket.
func (o Options) size(w, h int, scale float64) (int, int) {
	scale = min(scale, float64(o.MaxSide)/float64(max(w, h)))
	b := float64(max(o.Bucket, 1))
	side := func(n int) int { return max(int(math.Round(float64(n)*scale/b)*b), int(b)) }
	return side(w), side(h)
}

// pixels are an image's, normalised: [views, height, width, 3], the second view
// the mirrored one.
func (o Options) pixels(img *imageproc.RGB) (pixels []float32, views int) {
	if views = 1; o.Flip {
		views = 2
	}
	pixels = make([]float32, 3*views*img.W*img.H)
	img.Interleaved(o.Norm, pixels, img.W, image.Point{})
	if o.Flip {
		mirrored := img.Crop(image.Rect(0, 0, img.W, img.H))
		mirrored.Mirror()
		mirrored.Interleaved(o.Norm, pixels[len(pixels)/2:], img.W, image.Point{})
	}
	return pixels, views
}

// network is an engine of a graph built here. Runs follow each other; on a GPU
// images that are asked for at the same time share them.
type network struct {
	opts    Options
	backend compute.Backend
	store   *model.Store
	build   func(scope *model.Scope, images *Node) *Node

	runs   together.Runs[shape, []float32, []features]
	mu     sync.Mutex
	graphs shapecache.Cache[shape, *model.Exec]
}

// shape is what a graph is compiled for.
type shape struct {
	n    int
	size image.Point
}

func newNetwork(b compute.Backend, store *model.Store, o Options, build func(scope *model.Scope, images *Node) *Node) *network {
	n := &network{opts: o, backend: b, store: store, build: build,
		graphs: shapecache.Cache[shape, *model.Exec]{Limit: backend.GraphsKept(b, o.Shapes), Free: (*model.Exec).Finalize}}
	n.runs.Size = func(s shape) int { return backend.AtOnce(b, s.n*s.size.X*s.size.Y) }
	n.runs.Run = n.together
	return n
}

func (n *network) fixed() (w, h int) { return 0, 0 }

func (n *network) run(ctx context.Context, img *imageproc.RGB) ([]features, error) {
	pixels, views := n.opts.pixels(img)
	return n.runs.Do(ctx, shape{views, image.Pt(img.W, img.H)}, pixels)
}

// together gives the views of each of several images.
func (n *network) together(ctx context.Context, s shape, images [][]float32) ([][]features, error) {
	all, err := n.forward(ctx, together.Join(images), len(images)*s.n, s.size.X, s.size.Y)
	return slices.Collect(slices.Chunk(all, s.n)), err
}

func (n *network) forward(_ context.Context, pixels []float32, views, w, h int) ([]features, error) {
	in := tensors.FromFlatDataAndDimensions(pixels, views, h, w, 3)
	defer in.FinalizeAll() //nolint:errcheck // memory only
	n.mu.Lock()
	defer n.mu.Unlock()
	exec, err := n.graphs.Get(shape{views, image.Pt(w, h)}, func() (*model.Exec, error) {
		return model.NewExec(n.backend, n.store, n.build)
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
	all := make([]features, d[0])
	err = tensors.ConstFlatData(out, func(flat []float32) {
		size := d[1] * d[2] * d[3]
		for i := range all {
			all[i] = features{d[2], d[1], d[3], append([]float32(nil), flat[i*size:(i+1)*size]...)}
		}
	})
	return all, err
}

// defaults fills in what the options leave open.
func (o Options) defaults(b compute.Backend) Options {
	if o.Bucket == 0 {
		o.Bucket = camnet.DefaultBucket(b)
	}
	if o.Norm == (imageproc.Norm{}) {
		o.Norm = imageproc.ImageNetNorm
	}
	return o
}
