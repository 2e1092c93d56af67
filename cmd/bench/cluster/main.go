// Package cluster labels generated images by several processes of one job
// through a real S3 server while they are killed at random, and compares the
// labels with those of one process.
package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"wsss/cmd/bench/internal/spent"
)

// campaign is one run of the measurement.
type campaign struct {
	wsss, gateway         string
	images, workers, kill int
	lights                int // photos of a scene
	oneWorkers            int // gen.workers of the one process
	seed                  uint64
	lease                 time.Duration
	crowd                 bool
	dir                   string

	root    string // of the server
	address string // options of addresses
	env     []string
	access  *accessLog
	packed  bool

	cpu time.Duration // of the job's processes, killed ones too
	rss int64         // the most that one of them had, bytes
}

const (
	sampled = 10_000 // images from which on a part says enough of all
	every   = 10     // the part is every tenth
)

// Main runs the measurement. Each line is printed as soon as it is known.
func Main() {
	var c campaign
	flag.StringVar(&c.wsss, "wsss", "bin/wsss", "the program")
	flag.StringVar(&c.gateway, "gateway", "versitygw", "the S3 server: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	flag.IntVar(&c.images, "images", 2000, "generated images of 96×96")
	flag.IntVar(&c.lights, "lights", 1, "photos of each generated scene, each in a light of another colour and with other noise: they are made faster than scenes")
	flag.IntVar(&c.workers, "workers", 8, "processes of the job, each with gen.workers = 1")
	flag.IntVar(&c.oneWorkers, "one-workers", 0, "gen.workers of the one process: 0 = one for each CPU, as wsss does by itself, so that it fills the machine as the job does")
	flag.IntVar(&c.kill, "kills", 30, "processes killed, at random, spread over the images of the job")
	flag.Uint64Var(&c.seed, "seed", 1, "of the kills")
	flag.DurationVar(&c.lease, "lease", 10*time.Second, "of the job")
	flag.BoolVar(&c.crowd, "crowd", false, "also run as many processes without a job, each with a part of its own: what they take of each other's caches and cores. From 10,000 images on it does so behind the job, with every tenth image")
	flag.BoolVar(&c.packed, "packed", false, "read the photos from tar files")
	flag.StringVar(&c.dir, "dir", "", "folder to work in, which keeps the photos for the next call; default is a temporary one")
	photos := flag.Bool("photos", false, "only make the photos of -dir")
	flag.Parse()
	temporary := c.dir == ""
	if temporary {
		dir, err := os.MkdirTemp("", "wsss-cluster-")
		if err != nil {
			log.Fatal(err)
		}
		c.dir = dir
	}
	c.root = filepath.Join(c.dir, "s3")
	err := c.makePhotos(context.Background())
	if err == nil && !*photos {
		err = c.run(context.Background())
	}
	if temporary {
		os.RemoveAll(c.dir)
	}
	if err != nil {
		log.Fatal("bench cluster: ", err)
	}
}

func (c *campaign) run(ctx context.Context) error {
	stop, err := c.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	cpu, err := c.one(ctx)
	if err != nil {
		return err
	}
	if c.crowd && c.images < sampled {
		start := time.Now()
		crowd, err := c.parts(ctx, 1)
		if err != nil {
			return err
		}
		fmt.Printf("as many without a job: %d processes, %.0f s, %s (%.3f of one process)\n",
			c.workers, time.Since(start).Seconds(), c.perImage(crowd), crowd.Seconds()/cpu.Seconds())
	}
	if err := c.access.read(); err != nil {
		return err
	}
	start, before := time.Now(), c.access.requests
	killed, memory, err := c.job(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("job: %d processes, %d killed, %.0f s, %s (%.3f of one process), %d MB at most; %.2f requests an image\n", c.workers, killed,
		time.Since(start).Seconds(), c.perImage(c.cpu), c.cpu.Seconds()/cpu.Seconds(), c.rss/1e6, c.requests(before))
	memory.print()
	if err := c.compare(); err != nil {
		return err
	}
	return c.again(ctx, cpu)
}

func (c *campaign) perImage(cpu time.Duration) string {
	return fmt.Sprintf("%.2f ms of CPU an image", 1000*cpu.Seconds()/float64(c.images))
}

// requests is how many the server has had for an image since it had so many.
func (c *campaign) requests(before int) float64 {
	return float64(c.access.requests-before) / float64(c.images)
}

// one labels all images by one process, and returns its CPU time.
func (c *campaign) one(ctx context.Context) (time.Duration, error) {
	start, before := time.Now(), c.access.requests
	cmd := c.gen(ctx, c.oneWorkers, "one", "-keep-going")
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	w := c.watch("one")
	err := errors.New("running")
	for running := true; running; {
		select {
		case err = <-over:
			running = false
		case <-time.After(pace):
		}
		if _, err := w.look(cmd.Process.Pid); err != nil {
			return 0, err
		}
	}
	if c.failed(cmd, err) {
		return 0, fmt.Errorf("one process: %w\n%s", err, cmd.Stderr)
	}
	cpu, rss := spent.By(cmd.ProcessState)
	fmt.Printf("one process, gen.workers = %s: %d images, %d corrupt, %.0f s, %s, %d MB at most; %.2f requests an image\n",
		workersText(c.oneWorkers), c.images, c.corrupt(), time.Since(start).Seconds(), c.perImage(cpu), rss/1e6, c.requests(before))
	w.memory.print()
	return cpu, nil
}

// again labels every tenth image by one process once more, behind the job: where that
// takes another CPU time than before, the machine has changed meanwhile, and the ratio
// with it.
func (c *campaign) again(ctx context.Context, before time.Duration) error {
	if c.images < sampled {
		return nil // its start would count
	}
	cmd := c.gen(ctx, c.oneWorkers, "again", "-keep-going", "-shard", fmt.Sprintf("0/%d", every))
	if err := cmd.Run(); c.failed(cmd, err) {
		return fmt.Errorf("one process again: %w\n%s", err, cmd.Stderr)
	}
	cpu, _ := spent.By(cmd.ProcessState)
	cpu = c.fromTenth(cpu)
	fmt.Printf("one process again, every tenth image: %s (%.3f of before the job); the job took %.3f of the mean of both\n",
		c.perImage(cpu), cpu.Seconds()/before.Seconds(), 2*c.cpu.Seconds()/(before+cpu).Seconds())
	if !c.crowd {
		return nil
	}
	crowd, err := c.parts(ctx, every)
	if err != nil {
		return err
	}
	crowd = c.fromTenth(crowd)
	fmt.Printf("as many without a job, the same tenth: %s (%.3f of the one process's); the job took %.3f of it\n",
		c.perImage(crowd), crowd.Seconds()/cpu.Seconds(), c.cpu.Seconds()/crowd.Seconds())
	return nil
}

// fromTenth is the CPU time of all images, where that of every tenth is known.
func (c *campaign) fromTenth(cpu time.Duration) time.Duration {
	return cpu * time.Duration(c.images) / time.Duration((c.images+every-1)/every)
}
