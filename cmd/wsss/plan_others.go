package main

import (
	"cmp"
	"fmt"
	"strings"

	"wsss/configs"
)

// otherCommands are those that a config is for instead of a whole run: it has
// their tables, and none of [train]. Where it makes labels, too, wsss gen is
// among them.
func (f *flags) otherCommands() ([]string, error) {
	has, err := configs.Tables(f.config, f.set)
	if err != nil || has["train"] {
		return nil, err
	}
	var list []string
	for _, c := range []struct{ table, command string }{{"classifier", "train-classifier"}, {"finetune_clip", "finetune-clip"}} {
		if has[c.table] {
			list = append(list, c.command)
		}
	}
	if len(list) > 0 && (has["gen"] || has["compare"]) {
		list = append(list, "gen")
	}
	return list, nil
}

// trainsNothing is the error of a whole run with a config of other commands.
func trainsNothing(file string, commands []string) error {
	return usagef("%s has no table [train]: it is for `wsss %s`", file, strings.Join(commands, "`, then `wsss "))
}

// others plans what a config does that trains no segmentation network.
func (p *plan) others(commands []string) error {
	fmt.Fprintf(p.w, "%s\nseed %d, backend %s\nno table [train]: this config is for other commands than wsss run\n", p.cfg.Name, p.cfg.Seed, cmp.Or(p.cfg.Backend, "the fastest that works here"))
	for _, c := range commands {
		fmt.Fprintf(p.w, "\nwsss %s -config %s\n", c, p.file)
		plan := map[string]func() error{"train-classifier": p.classifier, "finetune-clip": p.fineTune, "gen": p.genOnly}[c]
		if err := plan(); err != nil {
			return err
		}
	}
	return p.missing()
}

// classifier plans wsss train-classifier.
func (p *plan) classifier() error {
	c, d := p.cfg.Classifier, p.cfg.Data
	images := p.splitOf("train on", d, d.TrainSplit)
	p.splitOf("judge on", d, d.ValSplit)
	if err := p.list(startNeeds(c.Init)); err != nil {
		return err
	}
	fmt.Fprintln(p.w, "\nsteps")
	p.step("train", "%s ×%g, batch norm %s, %d epochs of batch %d, %s, lr %g, crop %d → %s",
		c.Backbone, c.Width, c.BatchNorm, c.Epochs, c.Batch, c.Optimizer, c.LR, c.Crop, p.path("classifier"))
	if images >= c.Batch {
		p.step("", "at most %d updates", c.Epochs*(images/c.Batch))
	}
	return nil
}

// genOnly plans wsss gen.
func (p *plan) genOnly() error {
	n, err := p.needs(p.labellers())
	if err != nil {
		return err
	}
	if err := p.list(n); err != nil {
		return err
	}
	fmt.Fprintln(p.w, "\nsteps")
	p.gen()
	p.step("", "`wsss eval` scores them, `wsss report` shows them")
	return nil
}
