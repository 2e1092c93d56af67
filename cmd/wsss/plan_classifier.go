package main

import "fmt"

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
