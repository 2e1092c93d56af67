package classifier

import (
	"context"
	"path/filepath"
	"strings"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/train/multilabel"
)

// firstDir is the folder, below that of a ReCAM, of the classifier that it
// begins with.
const firstDir = "cam"

// runReCAM trains the classifier, and then both classifiers of ReCAM from it
// (docs/sources.md §11.6).
func runReCAM(ctx context.Context, job Job) (*multilabel.Result, error) {
	r := job.Config.ReCAM.WithDefaults()
	first, second := job, job
	first.Config.ReCAMEpochs = 0
	first.OutDir = filepath.Join(job.OutDir, firstDir)
	// Both trainings make as many updates an epoch, so the first knows the total.
	one, two := job.Config.Epochs, r.ReCAMEpochs
	if p := job.Progress; p != nil {
		first.Progress = func(done, total int) { p(done, total+total*two/one) }
		second.Progress = func(done, total int) { before := total * one / two; p(before+done, before+total) }
	}
	if _, err := Run(ctx, first); err != nil {
		return nil, err
	}
	c := &second.Config
	c.Init = filepath.Join(first.OutDir, File)
	c.Epochs, c.LR, c.HeadMult = r.ReCAMEpochs, r.ReCAMLR/10, 10
	j := second.multilabel(func(classes int) (multilabel.Net, error) {
		n, err := newNetwork(*c, classes, job.Seed, job.Log)
		if err == nil {
			err = n.net.AddReCAM(n.store)
		}
		return &recam{n, r.ReCAMWeight, r.ReCAMMaps == "second"}, err
	})
	// Where the first was trained again, so is the second.
	j.Restart = true
	return multilabel.Run(ctx, j)
}

// recam is a network with ReCAM's second classifier.
type recam struct {
	*network
	weight float64 // of its loss
	second bool    // its weights alone make the maps
}

var _ multilabel.Coster = (*recam)(nil)

func (n *recam) IsWeight(path string) bool {
	return n.network.IsWeight(path) || strings.HasPrefix(path, "/recam/")
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
