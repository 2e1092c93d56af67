package clip

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/train/multilabel"
)

// Job is one fine-tuning.
type Job struct {
	Dataset  data.Dataset
	Split    string       // the images to train on
	Val      data.Dataset // of the same classes; nil = Dataset
	ValSplit string       // "" = no validation, but on images held out (finetune_clip.thresholds.calibrate)
	Config   configs.FineTuneCLIP
	Seed     int64
	Backend  compute.Backend
	// Text has CLIP's embedding of each class (Prompts), from which the new
	// layers start under head = "text".
	Text   [][]float32
	OutDir string // checkpoints, log and, at the end, the classifier

	ConfigHash string            // configs.Config.FineTuneHash; a folder of another hash is refused
	Versions   map[string]string // what made the run, for the checkpoint
	Hashes     *files.Hashes     // remembers hashes of photos between calls; may be nil

	Progress func(done, total int) // after every update; may be nil
	Log      func(line string)     // notes for a person; may be nil
	Warn     func(line string)     // of damage, and of work that is not as before; nil = Log
}

// Run fine-tunes, or goes on with, or recognises as finished, the training in
// job.OutDir, and exports the best checkpoint (multilabel.Run).
func Run(ctx context.Context, job Job) (*multilabel.Result, error) {
	c := job.Config
	if (c.Head == "text") != (job.Text != nil) {
		return nil, fmt.Errorf("finetune_clip.network.head = %q, and %d text embeddings given", c.Head, len(job.Text))
	}
	return multilabel.Run(ctx, multilabel.Job{
		Settings: multilabel.Settings{
			Table: "finetune_clip", Epochs: c.Epochs, Batch: c.Batch, Unknown: c.Unknown, LR: c.LR, HoldOut: c.Calibrate,
			Devices: c.Devices, Workers: c.Workers, CheckpointEvery: c.CheckpointEvery, Keep: c.Keep, ValEvery: c.ValEvery,
			Smaller: smaller(c),
		},
		Dataset: job.Dataset, Split: job.Split, Val: job.Val, ValSplit: job.ValSplit, Seed: job.Seed, Backend: job.Backend,
		Net: func(classes int) (multilabel.Net, error) {
			return NewNet(job.Backend, c, classes, job.Seed, job.Text)
		},
		OutDir: job.OutDir, ConfigHash: job.ConfigHash, Versions: job.Versions, Hashes: job.Hashes, Progress: job.Progress, Log: job.Log, Warn: job.Warn,
	})
}

// smaller lists remedies to need less memory.
func smaller(c configs.FineTuneCLIP) (remedies []string) {
	if c.Recompute == 0 {
		remedies = append(remedies, "finetune_clip.compute.recompute = 1 (slower, the same result)")
	}
	if c.Precision != "bf16" {
		remedies = append(remedies, `finetune_clip.compute.precision = "bf16" (on a GPU)`)
	}
	if c.Freeze >= 0 {
		remedies = append(remedies, fmt.Sprintf("finetune_clip.network.freeze above %d", c.Freeze))
	}
	return remedies
}

// NewNet is the network of a config, with a new head for the classes after the
// background; text as in Job.
func NewNet(b compute.Backend, cfg configs.FineTuneCLIP, classes int, seed int64, text [][]float32) (multilabel.Net, error) {
	return newNetwork(b, cfg, classes, seed, text)
}

// Store is multilabel.Net's.
func (n *network) Store() *model.Store { return n.store }

// IsWeight is multilabel.Net's.
func (n *network) IsWeight(path string) bool {
	return strings.HasPrefix(path, "/"+encoderScope+"/") || strings.HasPrefix(path, "/"+headScope+"/")
}

// Start is multilabel.Net's: the encoder.
func (n *network) Start() (string, error) { return n.encoder.Hash() }

// Image is multilabel.Net's.
func (n *network) Image() []int { return []int{3, n.size, n.size} }

// Prepare is multilabel.Net's.
func (n *network) Prepare(dst []float32, img image.Image, rng *rand.Rand) {
	kind := n.cfg.Augment
	if rng == nil {
		kind = "none"
	}
	prepare(dst, imageproc.FromImage(img), n.size, kind, rng)
}

// Logits is multilabel.Net's; training changes only how they are computed.
func (n *network) Logits(scope *model.Scope, images *Node, training bool) *Node {
	return n.logits(scope, images, training)
}

// Loss is multilabel.Net's.
func (n *network) Loss() multilabel.Loss {
	c := n.cfg
	return multilabel.Loss{Kind: c.Loss, GammaPos: c.GammaPos, GammaNeg: c.GammaNeg, Margin: c.Margin}
}
