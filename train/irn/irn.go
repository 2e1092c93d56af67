// Package irn trains networks of inter-pixel relations, IRN's and AffinityNet, on
// confident labels (docs/sources.md §11.2, §11.3). The loop is that of the
// segmentation networks.
package irn

import (
	"context"
	"fmt"
	"image"
	"path/filepath"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models"
	"wsss/models/irn"
	"wsss/models/weights"
	"wsss/train"
)

// File is the trained network in a run folder; irn.Open or irn.OpenAffinityNet reads
// it, and PyTorch.
const File = "irn.safetensors"

// Job is one training.
type Job struct {
	Dataset   data.Dataset
	Split     string // the images to train on
	LabelsDir string // their confident labels
	Config    configs.IRN
	Seed      int64
	Backend   compute.Backend
	OutDir    string // checkpoints, log and, at the end, the network

	ConfigHash string            // configs.Config.IRNHash; a folder of another hash is refused
	Versions   map[string]string // what made the run, for the checkpoint
	Hashes     *files.Hashes     // remembers hashes of the data between calls; may be nil

	Progress func(done, total int) // after every update; may be nil
	Log      func(line string)     // notes for a person; may be nil
	Warn     func(line string)     // of damage, and of work that is not as before; nil = Log
}

// Result is what a training came to.
type Result struct {
	*train.Result
	Network string `json:"network"` // file
}

// Run trains, or goes on with, or recognises as finished, the training in
// job.OutDir, and writes the network as File.
func Run(ctx context.Context, job Job) (*Result, error) {
	c := job.Config
	ids, err := job.Dataset.IDs(job.Split)
	if err != nil {
		return nil, err
	}
	net, err := newNetwork(c, job.Dataset.Classes().Len())
	if err != nil {
		return nil, err
	}
	res, err := train.Run(ctx, train.Job{
		Name: "irn", Dataset: job.Dataset, Split: job.Split, LabelsDir: job.LabelsDir, Config: c.Train(len(ids)), Seed: job.Seed,
		Backend: job.Backend, OutDir: job.OutDir, Net: net, ConfigHash: job.ConfigHash, Versions: job.Versions, Hashes: job.Hashes,
		Progress: job.Progress, Log: job.Log, Warn: job.Warn,
	})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(job.OutDir, File)
	if res.Skipped && files.Exists(path) {
		return &Result{res, path}, nil
	}
	return &Result{res, path}, net.export(ctx, job, ids, res.Checkpoint, path)
}

// exporter is a network that can be written.
type exporter interface {
	models.Taught
	export(ctx context.Context, job Job, ids []string, checkpoint, path string) error
}

func newNetwork(c configs.IRN, classes int) (exporter, error) {
	layout := irn.Config{Backbone: c.Backbone, Width: c.Width, Head: c.Head, StrideIn: "3x3", Input: c.Input}
	if c.Kind == configs.KindAffinityNet {
		n, err := irn.NewAffinityNet(layout)
		return &affinityNet{n, classes, c.Radius}, err
	}
	n, err := irn.New(layout)
	return &network{n, classes, c.Radius}, err
}

// network is the segmenter of the training loop: its one map is the boundaries
// and displacements, [batch, h, w, 3].
type network struct {
	*irn.Network
	classes, radius int
}

var (
	_ models.Taught       = (*network)(nil)
	_ models.WeightReader = (*network)(nil)
)

// Logits is models.Segmenter's.
func (n *network) Logits(scope *model.Scope, images *Node, training bool) []*Node {
	edges, way := n.Outputs(scope, images, training)
	return []*Node{Concatenate([]*Node{edges, way}, 3)}
}

// Loss is models.Taught's.
func (n *network) Loss(logits, labels *Node) *Node {
	part := func(from, to int) *Node {
		return Slice(logits, AxisRange(), AxisRange(), AxisRange(), AxisRange(from, to))
	}
	return irn.Loss(part(0, 1), part(1, 3), labels, n.classes, n.radius).Total()
}

// CheckWeights is models.WeightReader's.
func (n *network) CheckWeights(weights.Mapping, configs.Train) error { return nil }

// export writes the network of a checkpoint, with the mean displacement of the
// images, which IRN takes off at test time.
func (n *network) export(ctx context.Context, job Job, ids []string, checkpoint, path string) error {
	store, err := restored(n, job.Seed, checkpoint)
	if err != nil {
		return err
	}
	defer store.Finalize()
	mean, err := n.meanDisplacement(ctx, job, store, ids)
	if err != nil {
		return err
	}
	if err := irn.SetShift(store.RootScope(), mean); err != nil {
		return err
	}
	return n.Save(path, store.RootScope(), job.Config.Crop)
}

// restored are the variables of a network with the values of a checkpoint.
func restored(n interface {
	Build(seed int64) (*model.Store, error)
	Load(scope *model.Scope, src weights.Source) (weights.Mapping, error)
}, seed int64, checkpoint string) (*model.Store, error) {
	c, err := checkpoints.Open(checkpoint)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	store, err := n.Build(seed)
	if err != nil {
		return nil, err
	}
	m, err := n.Load(store.RootScope(), c)
	if err == nil && len(m.Differ) > 0 {
		err = fmt.Errorf("the checkpoint is of another network: %s", m)
	}
	if err != nil {
		store.Finalize()
		return nil, fmt.Errorf("%s: %w", checkpoint, err)
	}
	return store, nil
}

// meanDisplacement is over all images, of each its upper left crop.
func (n *network) meanDisplacement(ctx context.Context, job Job, store *model.Store, ids []string) (mean [2]float32, err error) {
	exec, err := model.NewExec1(job.Backend, store, func(scope *model.Scope, images *Node) *Node {
		_, way := n.Outputs(scope, images, true)
		return ReduceMean(way, 0, 1, 2)
	})
	if err != nil {
		return mean, err
	}
	defer exec.Finalize()
	side := job.Config.Crop
	var sum [2]float64
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return mean, err
		}
		s, err := job.Dataset.Load(id, data.WantImage)
		if err != nil {
			return mean, err
		}
		img := imageproc.FromImage(s.Image)
		img = img.Crop(s.Image.Rect.Sub(s.Image.Rect.Min).Intersect(image.Rect(0, 0, side, side)))
		pixels := make([]float32, 3*side*side)
		img.Interleaved(imageproc.ImageNetNorm, pixels, side, image.Point{})
		in := tensors.FromFlatDataAndDimensions(pixels, 1, side, side, 3)
		out, err := exec.Call1(in)
		_ = in.FinalizeAll()
		if err != nil {
			return mean, err
		}
		v, err := tensors.CopyFlatData[float32](out)
		_ = out.FinalizeAll()
		if err != nil {
			return mean, err
		}
		sum[0], sum[1] = sum[0]+float64(v[0]), sum[1]+float64(v[1])
	}
	for i := range mean {
		mean[i] = float32(sum[i] / float64(max(len(ids), 1)))
	}
	return mean, nil
}
