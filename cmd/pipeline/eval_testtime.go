package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"wsss/configs"
	"wsss/eval"
	"wsss/eval/refine"
	"wsss/eval/report"
	"wsss/models"
	"wsss/models/crf"
	"wsss/models/tiles"
	"wsss/train"
)

// evalNetwork labels the validation split with a checkpoint, a file or the
// newest of a folder, and scores it: once as eval.scales and eval.flip say, and
// once more for each eval.test_time. With eval.train_split it is scored on the
// training split, too, where its labels can be compared with those it learned
// from.
func (p *Run) evalNetwork(ctx context.Context, name, checkpoint string, kind eval.Kind) ([]report.Row, error) {
	sum, err := CheckpointHash(checkpoint)
	if err != nil {
		return nil, err
	}
	var rows []report.Row
	titles := p.testTimeTitles(name)
	for i, choice := range p.testTimes() {
		if !p.wants(titles[i]) {
			continue
		}
		nets, err := p.openNetworks(checkpoint, choice)
		if err != nil {
			return nil, err
		}
		net, predictor := nets[0], p.pool(nets, choice)
		testTime := testTimeSettings(choice, net.Bucket())
		o := eval.Options{
			Name: titles[i], Kind: kind, RunHash: sum, Settings: join(networkSettings(net.Meta), testTime),
			Provenance: p.provenance(map[string]string{filepath.Base(checkpoint): sum}),
		}
		row, err := p.predictRow(ctx, p.Config.Data.ValSplit, predictor, testTime, o)
		if err == nil && row.Result != nil {
			rows = append(rows, row)
		}
		if split := p.Config.Data.TrainSplit; err == nil && i == 0 && !p.unscored && kind == eval.KindNetwork && p.Config.Eval.TrainSplit && split != p.Config.Data.ValSplit {
			o.Name += " on " + split
			if row, err = p.predictRow(ctx, split, predictor, testTime, o); err == nil && row.Result != nil {
				rows = append(rows, row)
			}
		}
		closeAll(nets)
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// pool labels images with the networks, the same one on each device.
func (p *Run) pool(nets []*train.Predictor, choice configs.TestTime) models.Predictor {
	list := make([]models.Predictor, len(nets))
	for i, net := range nets {
		list[i] = net
		if choice.CRF {
			list[i] = &refine.CRF{Net: net, Classes: p.Dataset.Classes().Len(), Params: crf.DeepLab()}
		}
		list[i] = tiles.Wrap(list[i], TileOptions(p.Dataset.Classes().Len(), choice.CRF))
	}
	return eval.Pool(list)
}

func closeAll(nets []*train.Predictor) {
	for _, net := range nets {
		net.Close()
	}
}

// testTimes are the test-time choices that every network is scored with.
func (p *Run) testTimes() []configs.TestTime {
	list := append([]configs.TestTime{{Scales: p.Config.Eval.Scales, Flip: p.Config.Eval.Flip}}, p.Config.Eval.TestTime...)
	for i := range list {
		if len(list[i].Scales) == 0 {
			list[i].Scales = p.Config.Eval.Scales
		}
		if len(list[i].Scales) == 0 {
			list[i].Scales = []float64{1}
		}
	}
	return list
}

// testTimeTitles names a network's rows: itself, then itself with each further choice.
func (p *Run) testTimeTitles(name string) []string {
	titles := []string{name}
	list := p.testTimes()
	for _, choice := range list[1:] {
		titles = append(titles, name+", "+testTimeTitle(choice, list[0].Scales))
	}
	return titles
}

// testTimeTitle tells rows of one network apart: "scales 0.5 1 1.5, flip", "CRF".
func testTimeTitle(choice configs.TestTime, usual []float64) string {
	var parts []string
	if plain := slices.Equal(choice.Scales, usual); !plain || !choice.Flip && !choice.CRF {
		parts = append(parts, "scales "+scalesText(choice.Scales))
	}
	if choice.Flip {
		parts = append(parts, "flip")
	}
	if choice.CRF {
		parts = append(parts, "CRF")
	}
	return strings.Join(parts, ", ")
}

func scalesText(scales []float64) string { return strings.Trim(fmt.Sprint(scales), "[]") }

// TileOptions is how large photos are cut for a network of so many classes.
func TileOptions(classes int, withCRF bool) tiles.Options {
	if withCRF {
		classes *= 2 // the field holds as many scores again
	}
	return tiles.For(classes)
}

// openNetworks opens a checkpoint for prediction on each device, and checks its
// classes.
func (p *Run) openNetworks(checkpoint string, choice configs.TestTime) (nets []*train.Predictor, err error) {
	b, err := p.OpenBackend()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closeAll(nets)
		}
	}()
	for _, b := range append([]compute.Backend{b}, p.others...) {
		net, err := train.LoadPredictor(b, checkpoint, train.PredictOptions{Scales: choice.Scales, Flip: choice.Flip, Bucket: p.Config.Eval.Bucket})
		if err != nil {
			return nets, err
		}
		nets = append(nets, net)
		if got, want := net.Meta.Model.Classes, p.Dataset.Classes().Names; !slices.Equal(got, want) {
			return nets, fmt.Errorf("%s knows the classes %s, the dataset has %s", checkpoint, strings.Join(got, ", "), strings.Join(want, ", "))
		}
	}
	return nets, nil
}
