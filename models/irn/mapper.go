package irn

import (
	"context"
	"fmt"
	"image"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data/imageproc"
	"wsss/data/prob"
	"wsss/models/backend"
	"wsss/models/shapecache"
	"wsss/models/together"
)

// Mapper finds the boundaries of images. It is safe for concurrent use; runs
// follow each other, and on a GPU images that are asked for at the same time share
// them.
type Mapper struct {
	net     *Trained
	backend compute.Backend

	runs   together.Runs[int, []float32, []float32]
	mu     sync.Mutex
	graphs shapecache.Cache[int, *model.Exec]
}

// NewMapper takes a network, which goes with it.
func NewMapper(b compute.Backend, n *Trained) *Mapper {
	m := &Mapper{net: n, backend: b, graphs: shapecache.Cache[int, *model.Exec]{Limit: backend.GraphsKept(b, 2), Free: (*model.Exec).Finalize}}
	m.runs.Size = func(side int) int { return backend.AtOnce(b, 2*side*side) }
	m.runs.Run = m.run
	return m
}

// Close frees the network.
func (m *Mapper) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.graphs.Clear()
	m.net.Store.Finalize()
}

// Edges are the strengths of boundaries, 0 to 1, at a quarter of the size of an
// image, rounded up.
type Edges struct {
	W, H     int
	Strength []float32
}

// Edges finds the boundaries of an image and its mirror image and takes the mean
// (docs/sources.md §11.2). The image is filled up to a square of the crop that
// the network has learnt from, or a multiple of it, so that images share a graph.
func (m *Mapper) Edges(img *imageproc.RGB) (*Edges, error) {
	side := (max(img.W, img.H) + m.net.Crop - 1) / m.net.Crop * m.net.Crop
	pixels := make([]float32, 2*3*side*side)
	img.Interleaved(imageproc.ImageNetNorm, pixels, side, image.Point{})
	mirrored := img.Crop(image.Rect(0, 0, img.W, img.H))
	mirrored.Mirror()
	mirrored.Interleaved(imageproc.ImageNetNorm, pixels[len(pixels)/2:], side, image.Point{})
	logits, err := m.runs.Do(context.Background(), side, pixels)
	if err != nil {
		return nil, fmt.Errorf("boundaries of an image of %d×%d pixels: %w", img.W, img.H, err)
	}
	e := &Edges{W: (img.W + Stride - 1) / Stride, H: (img.H + Stride - 1) / Stride}
	e.Strength = make([]float32, e.W*e.H)
	row := side / Stride
	for i := range e.Strength {
		y, x := i/e.W, i%e.W
		mean := (logits[y*row+x] + logits[row*row+y*row+e.W-1-x]) / 2
		e.Strength[i] = prob.Sigmoid(mean)
	}
	return e, nil
}

// run returns the logits of squares, two for each image.
func (m *Mapper) run(_ context.Context, side int, images [][]float32) (logits [][]float32, err error) {
	in := tensors.FromFlatDataAndDimensions(together.Join(images), 2*len(images), side, side, 3)
	defer in.FinalizeAll() //nolint:errcheck // memory only
	m.mu.Lock()
	defer m.mu.Unlock()
	exec, err := m.graphs.Get(side, func() (*model.Exec, error) {
		return model.NewExec(m.backend, m.net.Store, m.net.Edges)
	})
	if err != nil {
		return nil, err
	}
	out, err := exec.Call1(in)
	if err != nil {
		return nil, err
	}
	defer out.FinalizeAll() //nolint:errcheck // memory only
	flat, err := tensors.CopyFlatData[float32](out)
	return slices.Collect(slices.Chunk(flat, max(len(flat)/len(images), 1))), err
}
