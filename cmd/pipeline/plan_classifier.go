package pipeline

import "fmt"

// classifier plans wsss train-classifier.
func (p *Plan) classifier() error {
	c, d := p.Config.Classifier, p.Config.Data
	images := p.splitOf("train on", d, d.TrainSplit)
	p.splitOf("judge on", d, d.ValSplit)
	if err := p.list(startNeeds(c.Init)); err != nil {
		return err
	}
	fmt.Fprintln(p.Print, "\nsteps")
	p.step("train", "%s ×%g, batch norm %s, %d epochs of batch %d, %s, lr %g, crop %d → %s",
		c.Backbone, c.Width, c.BatchNorm, c.Epochs, c.Batch, c.Optimizer, c.LR, c.Crop, p.Path("classifier"))
	if images >= c.Batch {
		p.step("", "at most %d updates", c.Epochs*(images/c.Batch))
	}
	return nil
}
