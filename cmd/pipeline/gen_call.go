package pipeline

import (
	"context"
	"time"

	"wsss/gen"
)

// GenCall is one call of the stage that labels: what of the split it does, and with whom.
type GenCall struct {
	GenOptions
	Part   string        // "i/n" of the split, 0 <= i < n; "" = all
	Sweep  []string      // instead of labelling: values of keys to try and rank
	Images int           // on so many images, spread over the split; 0 = all
	JobOf  string        // the name of a job that processes share; "" = none
	Lease  time.Duration // of that job: after which a process that says nothing is dead
	Retry  bool          // of that job: try images again that failed
}

// Check refuses what does not go together, before anything else is looked at.
func (c *GenCall) Check() (err error) {
	if c.Images != 0 && len(c.Sweep) == 0 || c.Images < 0 {
		return Usagef("gen: -sweep-images %d: allowed is a number of images, or 0 for all, and -sweep beside it", c.Images)
	}
	if err := checkJob(c.JobOf, c.Part, len(c.Sweep) > 0, c.Retry, c.Lease); err != nil {
		return err
	}
	if c.JobOf != "" {
		c.Job = &gen.Job{Name: c.JobOf, Expire: c.Lease, Retry: c.Retry}
	}
	if c.Shard, err = gen.ParseShard(c.Part); err != nil {
		return UsageError{Err: err}
	}
	return nil
}

// Run labels the config's split and its [[compare]] rows, or what the call names.
func (c *GenCall) Run(ctx context.Context, p *Run) error {
	if err := p.Preflight(Parts{Gen: true}); err != nil {
		return err
	}
	switch {
	case len(c.Sweep) > 0:
		return p.Sweep(ctx, c.Sweep, c.Images, c.GenOptions)
	case c.Job != nil:
		return p.genJob(ctx, c.GenOptions)
	}
	if err := p.Gen(ctx, c.GenOptions); err != nil {
		return sayKeepGoing(err)
	}
	return sayKeepGoing(p.Compare(ctx, c.GenOptions))
}
