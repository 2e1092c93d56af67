package pipeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/data/words"
	"wsss/eval"
	"wsss/eval/report"
	"wsss/eval/review"
)

// Simulation corrects images from the truth, by gain and at random, and trains
// again: does it pay to correct, and does the order?
type Simulation struct {
	Base    configs.Config
	Options Options
	Counts  []int // corrected images, ascending, without 0
	Seeds   int   // from the config's on
	points  []report.Payoff
}

// ParseCounts reads ascending numbers of images, "20,50".
func ParseCounts(text string) ([]int, error) {
	var counts []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || len(counts) > 0 && n <= counts[len(counts)-1] {
			return nil, Usagef("review: -simulate %q: allowed are ascending numbers of images, such as 10,20,40", text)
		}
		counts = append(counts, n)
	}
	return counts, nil
}

// Run does all of it below OUT/simulate and writes OUT/simulate.json, which the
// report shows. What is done already is taken up.
func (s *Simulation) Run(ctx context.Context) ([]report.Payoff, error) {
	if s.Seeds < 1 {
		return nil, Usagef("review: -seeds %d: allowed are 1 or more", s.Seeds)
	}
	if s.Base.Train.Labels != "" || s.Base.Train.Skip {
		return nil, Usagef("review: -simulate corrects what gen makes and trains on it: leave train.labels and train.skip out")
	}
	s.Base.Train.Bound, s.Base.Train.SelfRounds = false, 0
	for i := range s.Seeds {
		if err := s.seed(ctx, s.Base.Seed+int64(i)); err != nil {
			return nil, err
		}
	}
	return s.points, files.WriteJSON((&Run{Config: s.Base}).Path(report.PayoffName), s.points)
}

// seed does all counts in both orders with one seed.
func (s *Simulation) seed(ctx context.Context, seed int64) error {
	first, err := s.step(ctx, seed, "start", 0, nil)
	if err != nil {
		return err
	}
	split := first.Config.Data.TrainSplit
	ids, err := first.Dataset.IDs(split)
	if err != nil {
		return err
	}
	if last := s.Counts[len(s.Counts)-1]; last > len(ids) {
		return Usagef("review: -simulate %d: split %s has %s", last, split, words.Plural(len(ids), "image"))
	}
	queue, err := review.Order(ctx, review.Evidence{
		Dataset: first.Dataset.(*corrections.Dataset), IDs: ids, LabelsDir: first.labelsDir(), ClassIoU: first.classIoU(),
		Predictions: first.Path("predictions", FileName(NetTitle(NetPseudo)+" on "+split)),
	})
	if err != nil {
		return err
	}
	orders := map[string][]string{report.OrderGain: nil, report.OrderRandom: slices.Clone(ids)}
	for _, it := range queue {
		orders[report.OrderGain] = append(orders[report.OrderGain], it.ID)
	}
	random := orders[report.OrderRandom]
	rand.New(rand.NewPCG(uint64(seed), 0xc0)).Shuffle(len(random), func(i, j int) { random[i], random[j] = random[j], random[i] })
	for _, order := range []string{report.OrderGain, report.OrderRandom} {
		for _, n := range s.Counts {
			if _, err := s.step(ctx, seed, order, n, orders[order][:n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// step corrects images, and makes labels and a network.
func (s *Simulation) step(ctx context.Context, seed int64, order string, n int, correct []string) (*Run, error) {
	cfg := s.Base
	cfg.Seed = seed
	cfg.Out = (&Run{Config: s.Base}).Path("simulate", fmt.Sprintf("seed%d", seed), fmt.Sprintf("%s-%d", order, n))
	cfg.Data.Corrections = (&Run{Config: cfg}).Path("corrections")
	cfg.Eval.TrainSplit = n == 0 // what the network gets wrong there is what the order asks
	held, err := Hold(cfg.Out)
	if err != nil {
		return nil, err
	}
	defer held.Release()
	p, err := Open(cfg, s.Options)
	if err != nil {
		return nil, err
	}
	p.Say("seed %d, %s, %d corrected", seed, order, n)
	folder := p.Dataset.(*corrections.Dataset).Folder
	for _, id := range correct {
		sample, err := p.Dataset.Load(id, data.WantTruth)
		if err != nil {
			return nil, fmt.Errorf("-simulate corrects from the true masks: %w", err)
		}
		m := sample.Truth
		if _, _, err := folder.Update(ctx, id, m.W, m.H, nil, func(c *corrections.Correction) error { c.Accept(m); return nil }); err != nil {
			return nil, err
		}
	}
	if err := p.Gen(ctx, GenOptions{}); err != nil {
		return nil, err
	}
	labels, err := p.evalPseudo(ctx, p.labelsDir())
	if err != nil {
		return nil, err
	}
	if err := p.TrainAll(ctx, []string{NetPseudo}); err != nil {
		return nil, err
	}
	rows, err := p.evalNetwork(ctx, NetTitle(NetPseudo), p.Path("train", NetPseudo), eval.KindNetwork)
	if err != nil {
		return nil, err
	}
	if labels.Result == nil || len(rows) == 0 {
		return nil, fmt.Errorf("-simulate needs true masks in the splits %s and %s", cfg.Data.TrainSplit, cfg.Data.ValSplit)
	}
	at := report.Payoff{Seed: seed, Order: order, Corrected: n, Labels: float64(labels.MIoU), Network: float64(rows[0].MIoU)}
	if n > 0 {
		s.points = append(s.points, at)
		return p, nil
	}
	for _, o := range []string{report.OrderGain, report.OrderRandom} { // both begin here
		at.Order = o
		s.points = append(s.points, at)
	}
	return p, nil
}
