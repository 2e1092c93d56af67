package main

import (
	"context"
	"time"

	"wsss/cmd/pipeline"
	"wsss/cmd/pipeline/eachgpu"
	_ "wsss/gen/all" // methods
)

func runGen(ctx context.Context, args []string) error {
	f := newFlags("gen").withConfig().withDevices()
	var c pipeline.GenCall
	f.StringVar(&c.Part, "shard", "", "only part `i/n` of the split, 0 <= i < n")
	f.StringVar(&c.Split, "split", "", "label this `split` instead of data.train_split")
	f.Var((*list)(&c.Sweep), "sweep", "instead of labelling, try values of a key and rank them, as `gen.KEY=a,b,c` or gen.KEY=FROM:TO:STEP; may be repeated")
	f.IntVar(&c.Images, "sweep-images", 0, "try on so many images, spread over the split; 0 = all")
	f.StringVar(&c.JobOf, "job", "", "share the split with every process that names this `job`, on any machine, by leases in OUT; images that fail are listed at the end")
	f.DurationVar(&c.Lease, "lease", time.Minute, "with -job: the `time` after which a process that says nothing is dead, and others do its images")
	f.BoolVar(&c.Retry, "retry-failed", false, "with -job: also try images again that failed in this job")
	status := f.Bool("status", false, "only tell how far the jobs are (-job: that one), from their files alone")
	gpus := f.String("gpus", "", "with -job: one process for each of `n` GPUs, or all, each with a GPU of its own")
	f.BoolVar(&c.KeepGoing, "keep-going", false, "go on after an image that fails; list the failures at the end")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return err
	}
	if *status {
		cfg, err := f.load()
		if err != nil {
			return err
		}
		return pipeline.GenStatus(cfg, c.JobOf, stdout)
	}
	if *gpus != "" {
		if c.JobOf == "" || f.devices != 0 {
			return pipeline.Usagef("gen: -gpus goes with -job, by which its processes share the work, and without -devices")
		}
		list, err := eachgpu.List(*gpus)
		if err != nil {
			return err
		}
		return eachgpu.Run(ctx, list, append([]string{"gen"}, eachgpu.WithoutFlag(args, "gpus")...), stdout, stderr)
	}
	p, err := openPipeline(f)
	if err != nil {
		return err
	}
	return c.Run(ctx, p)
}
