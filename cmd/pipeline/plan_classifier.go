package pipeline

import "fmt"

// classifier plans wsss train-classifier.
func (p *Plan) classifier() error {
	c, d := p.Config.Classifier, p.Config.Data
	images, err := p.splitOf("train on", d, d.TrainSplit)
	if err != nil {
		return err
	}
	if _, err := p.splitOf("judge on", d, d.ValSplit); err != nil {
		return err
	}
	if err := p.list(startNeeds(c.Init)); err != nil {
		return err
	}
	fmt.Fprintln(p.Print, "\nsteps")
	p.step("train", "%s ×%g, batch norm %s, %d epochs of batch %d, %s, lr %g, crop %d → %s",
		c.Backbone, c.Width, c.BatchNorm, c.Epochs, c.Batch, c.Optimizer, c.LR, c.Crop, p.Path("classifier"))
	p.updates(images, c.Epochs, c.Batch)
	return nil
}
