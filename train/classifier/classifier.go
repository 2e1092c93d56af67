// Package classifier trains the network behind class activation maps on image
// tags (docs/sources.md §11.1).
package classifier

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/models"
	"wsss/models/camnet"
	"wsss/models/weights/formats"
	"wsss/train/multilabel"
	"wsss/train/optim"
)

// Files of the trained classifier in a run folder.
const (
	File            = "classifier.safetensors" // camnet.Open reads it, and PyTorch
	descriptionFile = "classifier.json"
)

// Job is one training.
type Job struct {
	Dataset  data.Dataset
	Split    string // the images to train on
	ValSplit string // "" = no validation
	Config   configs.Classifier
	Seed     int64
	Backend  compute.Backend
	OutDir   string // checkpoints, log and, at the end, the classifier

	ConfigHash string            // configs.Config.ClassifierHash; a folder of another hash is refused
	Versions   map[string]string // what made the run, for the checkpoint
	Hashes     *files.Hashes     // remembers hashes of photos between calls; may be nil

	Progress func(done, total int) // after every update; may be nil
	Log      func(line string)     // notes for a person; may be nil
	Warn     func(line string)     // of damage, and of work that is not as before; nil = Log
}

// Run trains, or goes on with, or recognises as finished, the training in
// job.OutDir, and writes the best checkpoint as File (multilabel.Run). With
// ReCAM that is the second of two trainings; the first is in a folder below.
func Run(ctx context.Context, job Job) (*multilabel.Result, error) {
	if job.Config.ReCAMEpochs > 0 {
		return runReCAM(ctx, job)
	}
	c := job.Config
	return multilabel.Run(ctx, job.multilabel(func(classes int) (multilabel.Net, error) { return newNetwork(c, classes, job.Seed, job.Log) }))
}

// multilabel is the job with a network.
func (job Job) multilabel(net func(classes int) (multilabel.Net, error)) multilabel.Job {
	c := job.Config
	return multilabel.Job{
		Settings: multilabel.Settings{
			Table: "classifier", Epochs: c.Epochs, Batch: c.Batch, Unknown: c.Unknown, LR: c.LR,
			Devices: c.Devices, Workers: c.Workers, CheckpointEvery: c.CheckpointEvery, Keep: c.Keep, ValEvery: c.ValEvery,
		},
		Dataset: job.Dataset, Split: job.Split, ValSplit: job.ValSplit, Seed: job.Seed, Backend: job.Backend, Net: net,
		OutDir: job.OutDir, ConfigHash: job.ConfigHash, Versions: job.Versions, Hashes: job.Hashes, Progress: job.Progress, Log: job.Log, Warn: job.Warn,
	}
}

// network is multilabel.Net's.
type network struct {
	cfg   configs.Classifier
	net   *camnet.Network
	store *model.Store
	start string // SHA-256 of the initial weights
	opt   optim.Optimizer
}

func newNetwork(c configs.Classifier, classes int, seed int64, log func(string)) (*network, error) {
	net, err := camnet.New(camnet.Config{Backbone: c.Backbone, Width: c.Width, StrideIn: c.StrideIn, BatchNorm: c.BatchNorm, CutAfter: c.CutAfter, Classes: classes, Input: c.Input})
	if err != nil {
		return nil, err
	}
	n := &network{cfg: c, net: net, opt: optim.Optimizer{Name: c.Optimizer, Momentum: c.Momentum, WeightDecay: c.WeightDecay, Group: net.Group}}
	if n.store, err = net.Build(seed); err != nil {
		return nil, err
	}
	if net.Draws() {
		if err := optim.SeedRNG(n.store, seed); err != nil {
			return nil, err
		}
	}
	if c.Init == "" {
		return n, nil
	}
	src, path, err := formats.OpenInitial(c.Init)
	if err != nil {
		return nil, fmt.Errorf("classifier.network.init: %w", err)
	}
	defer src.Close()
	m, err := net.Load(n.store.RootScope(), src)
	if err != nil {
		return nil, fmt.Errorf("classifier.network.init: %s: %w", c.Init, err)
	}
	if err := net.CheckInit(src, m); err != nil {
		return nil, fmt.Errorf("classifier.network.init: %s: %w", c.Init, err)
	}
	if log != nil {
		log(fmt.Sprintf("%s: %s", c.Init, m))
	}
	n.start, err = files.SHA256(path)
	return n, err
}

func (n *network) Store() *model.Store    { return n.store }
func (n *network) Start() (string, error) { return n.start, nil }
func (n *network) Loss() multilabel.Loss  { return multilabel.Loss{Kind: "bce"} }
func (n *network) Close()                 { n.store.Finalize() }

func (n *network) IsWeight(path string) bool {
	return path == optim.RNGPath && n.net.Draws() || strings.HasPrefix(path, "/backbone/") || strings.HasPrefix(path, "/classifier/")
}

func (n *network) Image() []int { return []int{n.cfg.Crop, n.cfg.Crop, 3} }

func (n *network) Prepare(dst []float32, img image.Image, rng *rand.Rand) {
	prepare(dst, img, n.cfg, rng)
}

func (n *network) Logits(scope *model.Scope, images *Node, training bool) *Node {
	return n.net.Logits(scope, images, training)
}

func (n *network) Trained(g *Graph) []*model.Variable { return n.opt.Variables(n.store, g) }

func (n *network) Update(vars []*model.Variable, grads, scalars []*Node) {
	n.opt.Update(n.store, vars, grads, scalars)
}

// Scalars are what optim.Optimizer takes.
func (n *network) Scalars(step, total, _ int) []float32 {
	s := optim.NewSchedule(configs.Train{Iterations: total, TrainOptimizer: configs.TrainOptimizer{LR: n.cfg.LR, HeadMult: n.cfg.HeadMult, PolyPower: n.cfg.PolyPower}}, 1)
	return []float32{
		float32(s.Rate(models.GroupBackbone, step)), float32(s.Rate(models.GroupHead, step)), float32(s.Rate(models.GroupHeadBias, step)),
		float32(step + 1),
	}
}

// Export writes the network with the weights of a checkpoint.
func (n *network) Export(c *checkpoints.Checkpoint, dir string, d multilabel.Description) (string, error) {
	none := func(*model.Store) error { return nil }
	return n.export(c, dir, d, none, none)
}

// export is Export of a network with more variables, which before adds and after
// takes away.
func (n *network) export(c *checkpoints.Checkpoint, dir string, d multilabel.Description, before, after func(*model.Store) error) (string, error) {
	store, err := n.net.Build(0)
	if err != nil {
		return "", err
	}
	defer store.Finalize()
	if err := before(store); err != nil {
		return "", err
	}
	m, err := n.net.Load(store.RootScope(), c)
	if err == nil && len(m.Missing)+len(m.Differ) > 0 {
		err = fmt.Errorf("the checkpoint is of another network: %s", m)
	}
	if err == nil {
		err = after(store)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.Path, err)
	}
	path := filepath.Join(dir, File)
	if err := n.net.Save(path, store.RootScope(), d.Classes); err != nil {
		return "", err
	}
	return path, files.WriteJSON(filepath.Join(dir, descriptionFile), d)
}
