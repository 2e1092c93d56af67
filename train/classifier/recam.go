package classifier

import (
	"context"
	"path/filepath"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/models"
	"wsss/train/multilabel"
)

// firstDir is the folder, below that of a ReCAM, of the classifier that it
// begins with.
const firstDir = "cam"

// runReCAM trains the classifier, and then both classifiers of ReCAM from it
// (docs/sources.md §11.6).
func runReCAM(ctx context.Context, job Job) (*multilabel.Result, error) {
	first, second := job, job
	first.Config.ReCAMEpochs = 0
	first.OutDir = filepath.Join(job.OutDir, firstDir)
	// Both trainings make as many updates an epoch, so the first knows the total.
	one, two := job.Config.Epochs, job.Config.ReCAMEpochs
	if p := job.Progress; p != nil {
		first.Progress = func(done, total int) { p(done, total+total*two/one) }
		second.Progress = func(done, total int) { before := total * one / two; p(before+done, before+total) }
	}
	if _, err := Run(ctx, first); err != nil {
		return nil, err
	}
	c := secondStage(job.Config, filepath.Join(first.OutDir, File))
	second.Config = c
	j := second.multilabel(func(classes int) (multilabel.Net, error) { return newReCAM(c, classes, job.Seed, job.Log) })
	// Where the first was trained again, so is the second.
	j.Restart = true
	return multilabel.Run(ctx, j)
}

// secondStage is the second training's config, from the classifier that the first
// has written.
func secondStage(c configs.Classifier, init string) configs.Classifier {
	r := c.ReCAM.WithDefaults()
	c.Init, c.Epochs, c.LR, c.HeadMult = init, r.ReCAMEpochs, r.ReCAMLR/10, 10
	return c
}

// recam is a network with ReCAM's second classifier.
type recam struct {
	*network
	weight float64 // of its loss
	second bool    // its weights alone make the maps
}

var _ multilabel.Coster = (*recam)(nil)

// newReCAM is a network with both classifiers, of which only the second learns at
// the head's rate.
func newReCAM(c configs.Classifier, classes int, seed int64, log func(string)) (*recam, error) {
	n, err := newNetwork(c, classes, seed, log)
	if err != nil {
		return nil, err
	}
	if err := n.net.AddReCAM(n.store); err != nil {
		return nil, err
	}
	n.opt.Group = func(path string) models.Group {
		g := n.net.Group(path)
		if g == models.GroupHead && !isSecond(path) {
			g = models.GroupBackbone
		}
		return g
	}
	r := c.ReCAM.WithDefaults()
	return &recam{n, r.ReCAMWeight, r.ReCAMMaps == "second"}, nil
}

// isSecond tells whether a variable is the second classifier's.
func isSecond(path string) bool { return strings.HasPrefix(path, "/recam/") }

func (n *recam) IsWeight(path string) bool {
	return n.network.IsWeight(path) || isSecond(path)
}

// Cost is that of the image labels, and the softmax cross-entropy of each class
// of an image by its own features, the mean over its classes.
func (n *recam) Cost(scope *model.Scope, images, targets, known *Node) *Node {
	logits, of := n.net.ReCAM(scope, images, true)
	cost := n.Loss().Cost(logits, targets, known)
	classes := of.Shape().Dim(1)
	own := ExpandAxes(ConvertDType(Diagonal(images.Graph(), classes), of.DType()), 0)
	entropy := Neg(ReduceSum(Mul(LogSoftmax(of, 2), own), 2))
	count := ReduceAndKeep(targets, ReduceSum, 1)
	share := Div(targets, Max(count, OnesLike(count)))
	return Add(cost, MulScalar(ReduceAllSum(Mul(share, entropy)), n.weight/float64(images.Shape().Dim(0))))
}

// Export writes a network of the usual kind, whose maps are ReCAM's.
func (n *recam) Export(c *checkpoints.Checkpoint, dir string, d multilabel.Description) (string, error) {
	fold := func(s *model.Store) error { return n.net.FoldReCAM(s, n.second) }
	return n.export(c, dir, d, n.net.AddReCAM, fold)
}
