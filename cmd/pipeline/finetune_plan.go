package pipeline

import (
	"cmp"
	"fmt"
	"io"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data/words"
	"wsss/models/manifest"
)

// FineTunePlan says what `wsss finetune-clip` would do with a config and what it
// lacks. It does no work.
func FineTunePlan(cfg configs.Config, o Options, w io.Writer) error {
	p := &Plan{Run: &Run{Options: o, Config: cfg}, Print: w}
	fmt.Fprintf(w, "%s\nseed %d, backend %s\n\n", cfg.Name, cfg.Seed, cmp.Or(cfg.Backend, "the fastest that works here"))
	if err := p.fineTune(); err != nil {
		return err
	}
	return missingFrom(w, p.Lacks)
}

// fineTune describes the fine-tuning.
func (p *Plan) fineTune() error {
	cfg, c, w := p.Config, p.Config.FineTuneCLIP, p.Print
	images, err := p.splitOf("train on", cfg.Data, cfg.Data.TrainSplit)
	if err != nil {
		return err
	}
	val := cmp.Or(c.Val, &cfg.Data)
	if _, err := p.splitOf("judge on", *val, val.ValSplit); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nweights")
	switch {
	case c.Encoder != "" && !files.Exists(c.Encoder):
		p.lack("%s: the ONNX file of an image encoder (finetune_clip.network.encoder)", c.Encoder)
		fallthrough
	case c.Encoder != "":
		fmt.Fprintf(w, "  %s\n", c.Encoder)
	case c.Model != "":
		store, err := manifest.Open("")
		if err != nil {
			return err
		}
		if err := p.model(store, c.Model); err != nil {
			return UsageError{Err: err}
		}
	default:
		p.lack("finetune_clip.network.model: a CLIP of `wsss models list`, or finetune_clip.network.encoder: an ONNX file")
	}
	fmt.Fprintln(w, "\nsteps")
	p.step("train", "%s, head %s, %d epochs of batch %d, lr %g, weight decay %g, layer decay %g, warm-up %g, freeze %d, augment %s, precision %s, recompute %d → %s",
		c.Loss, c.Head, c.Epochs, c.Batch, c.LR, c.WeightDecay, c.LayerDecay, c.WarmUp, c.Freeze, c.Augment, cmp.Or(c.Precision, "the backend's"), c.Recompute, p.Path("finetune"))
	p.updates(images, c.Epochs, c.Batch)
	p.step("judge", "mAP before and after; best checkpoint and thresholds on %s", map[bool]string{
		true: fmt.Sprintf("%g %% of the training images, held out", 100*c.Calibrate), false: "the validation images, which flatters"}[c.Calibrate > 0])
	p.step("report", "%s", p.Path("report.html"))
	return nil
}

// updates says how many updates a training takes at most, where its images are there.
func (p *Plan) updates(images, epochs, batch int) {
	if images >= batch {
		p.step("", "at most %s", words.Plural(epochs*(images/batch), "update"))
	}
}

// splitOf names the images of a split and counts them, 0 where they are not
// there yet.
func (p *Plan) splitOf(what string, d configs.Data, split string) (int, error) {
	fmt.Fprintf(p.Print, "%s  %s at %s, split %s", what, d.Kind, d.Root, split)
	defer fmt.Fprintln(p.Print)
	if d.Kind == "scenes" {
		fmt.Fprint(p.Print, ": generated on the first run, from the seed")
		return 0, p.checkScenes(d)
	}
	ds, err := OpenData(d, p.Config.Seed)
	var ids []string
	if err == nil {
		ids, err = ds.IDs(split)
	}
	if IsUsage(err) {
		return 0, InFile(p.File, err)
	}
	if err != nil {
		p.lack("data: %v; docs/openimages.md and docs/datasets.md say where it comes from", err)
		return 0, nil
	}
	fmt.Fprintf(p.Print, ": %s", words.Plural(len(ids), "image"))
	return len(ids), nil
}

// missingFrom ends a plan with what it lacks, which is an error.
func missingFrom(w io.Writer, lacks []string) error {
	if len(lacks) == 0 {
		fmt.Fprintln(w, "\nnothing is missing")
		return nil
	}
	fmt.Fprintln(w, "\nmissing before this can run")
	for _, l := range lacks {
		fmt.Fprintf(w, "  %s\n", l)
	}
	return MissingError{Lacks: lacks, told: true}
}
