package eval

import (
	"context"
	"fmt"
	"image"
	"path/filepath"
	"time"

	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/data"
	"wsss/data/metrics"
	"wsss/eval"
	"wsss/models"
	"wsss/models/backend"
	"wsss/train"
)

// networks compares the speed of whole evaluations (photos decoded, label maps
// written and counted) with that of the network alone. Both take turns, so that
// other work on the machine slows both.
func networks(ds *masks, out, engine string) error {
	for _, wait := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond} {
		name := fmt.Sprintf("accelerator that takes %v", wait)
		if err := compare(ds, filepath.Join(out, wait.String()), name, waiting{wait}, 5, 40); err != nil {
			return err
		}
	}
	b, err := backend.Open(engine)
	if err != nil {
		return err
	}
	for _, net := range []struct {
		name, backbone, stride string
		rounds, images         int
	}{{"DeepLab-v3+ ResNet-18", "resnet18", "3x3", 5, 8}, {"DeepLab-v3+ ResNet-101", "resnet101", "3x3", 3, 4}} {
		cfg := configs.Default().Train
		cfg.Arch, cfg.Backbone, cfg.StrideIn, cfg.OutputStride, cfg.MSC = "deeplab-v3plus", net.backbone, net.stride, 16, false
		seg, err := train.NewSegmenter(cfg, ds.Classes().Len())
		if err != nil {
			return err
		}
		p, err := train.NewPredictor(b, seg, model.NewStore(), "torch", train.PredictOptions{})
		if err != nil {
			return err
		}
		err = compare(ds, filepath.Join(out, net.backbone), net.name+" on "+b.Name(), p, net.rounds, net.images)
		p.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// compare evaluates some images of ds and lets p alone label as many, in turns;
// the first, in which the network is compiled, does not count.
func compare(ds *masks, out, name string, p models.Preparer, rounds, images int) error {
	ids := ds.ids[:images]
	var whole, alone time.Duration
	for round := range rounds + 1 {
		start := time.Now()
		o := eval.Options{IDs: ids, Boot: metrics.Boot{Resamples: -1}}
		if _, err := eval.Predict(context.Background(), ds, "val", p, filepath.Join(out, fmt.Sprint(round)), o, nil); err != nil {
			return err
		}
		took := time.Since(start)
		var forward time.Duration
		for _, id := range ids {
			s, err := ds.Load(id, data.WantImage)
			if err != nil {
				return err
			}
			run := p.Prepare(s.Image)
			start := time.Now()
			if _, err := run(context.Background()); err != nil {
				return err
			}
			forward += time.Since(start)
		}
		if round > 0 {
			whole, alone = whole+took, alone+forward
		}
	}
	n := float64(rounds * images)
	fmt.Printf("%-38s %7.2f images/s evaluated, %.2f by the network alone: %.3f of its speed\n", name, n/whole.Seconds(), n/alone.Seconds(), alone.Seconds()/whole.Seconds())
	return nil
}

// waiting is a network on an accelerator: it takes its time and no CPU.
type waiting struct{ forward time.Duration }

func (p waiting) Predict(ctx context.Context, img *image.NRGBA) (*data.LabelMap, error) {
	return p.Prepare(img)(ctx)
}

func (p waiting) Prepare(img *image.NRGBA) func(context.Context) (*data.LabelMap, error) {
	m := data.NewLabelMap(img.Rect.Dx(), img.Rect.Dy())
	for i := range m.Pix {
		m.Pix[i] = img.Pix[4*i] / 128
	}
	return func(context.Context) (*data.LabelMap, error) {
		time.Sleep(p.forward)
		return m, nil
	}
}
