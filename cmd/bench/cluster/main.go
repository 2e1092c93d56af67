// Package cluster labels generated images by several processes of one job
// through a real S3 server while they are killed at random, and compares the
// labels with those of one process.
package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wsss/cmd/bench/internal/spent"
	"wsss/data/scenes"
)

// campaign is one run of the measurement.
type campaign struct {
	wsss, gateway         string
	images, workers, kill int
	seed                  uint64
	lease                 time.Duration
	crowd                 bool
	dir                   string

	photos, one, root string // of photos, of one process's labels, of the server
	address           string // options of addresses
	env               []string
	access            string // log of the server
	packed            bool

	cpu time.Duration // of the job's processes, killed ones too
	rss int64         // the most that one of them had, bytes
}

// Main runs the measurement.
func Main() {
	var c campaign
	flag.StringVar(&c.wsss, "wsss", "bin/wsss", "the program")
	flag.StringVar(&c.gateway, "gateway", "versitygw", "the S3 server: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	flag.IntVar(&c.images, "images", 2000, "generated images of 96×96")
	flag.IntVar(&c.workers, "workers", 8, "processes")
	flag.IntVar(&c.kill, "kills", 30, "processes killed, at random")
	flag.Uint64Var(&c.seed, "seed", 1, "of the kills")
	flag.DurationVar(&c.lease, "lease", 10*time.Second, "of the job")
	flag.BoolVar(&c.crowd, "crowd", false, "also run as many processes without a job, each with a part of its own: what they take of each other's caches and cores")
	flag.BoolVar(&c.packed, "packed", false, "read the photos from tar files")
	flag.StringVar(&c.dir, "dir", "", "folder to work in; default is a temporary one")
	flag.Parse()
	temporary := c.dir == ""
	if temporary {
		dir, err := os.MkdirTemp("", "wsss-cluster-")
		if err != nil {
			log.Fatal(err)
		}
		c.dir = dir
	}
	err := c.run(context.Background())
	if temporary {
		os.RemoveAll(c.dir)
	}
	if err != nil {
		log.Fatal("bench cluster: ", err)
	}
}

func (c *campaign) run(ctx context.Context) error {
	c.photos, c.root, c.access = filepath.Join(c.dir, "photos"), filepath.Join(c.dir, "s3"), filepath.Join(c.dir, "access.log")
	c.one = filepath.Join(c.root, "labels", "one")
	corrupt, err := c.makePhotos(ctx)
	if err != nil {
		return err
	}
	stop, err := c.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	start := time.Now()
	one := c.gen(ctx, "s3://photos/in"+c.address, "s3://labels/one"+c.address, "-keep-going")
	if err := one.Run(); err != nil && (corrupt == 0 || one.ProcessState == nil) {
		return fmt.Errorf("one process: %w", err)
	}
	perImage := func(cpu time.Duration) float64 { return 1000 * cpu.Seconds() / float64(c.images) }
	cpu, rss := spent.By(one.ProcessState)
	fmt.Printf("one process: %d images, %d corrupt, %.0f s, %.2f ms of CPU an image, %d MB\n", c.images, corrupt, time.Since(start).Seconds(), perImage(cpu), rss/1e6)
	if c.crowd {
		start = time.Now()
		crowd, err := c.parts(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("as many without a job: %d processes, %.0f s, %.2f ms of CPU an image (%.3f of one process)\n",
			c.workers, time.Since(start).Seconds(), perImage(crowd), crowd.Seconds()/cpu.Seconds())
	}
	start = time.Now()
	killed, err := c.job(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("job: %d processes, %d killed, %.0f s, %.2f ms of CPU an image (%.3f of one process), %d MB at most\n",
		c.workers, killed, time.Since(start).Seconds(), perImage(c.cpu), c.cpu.Seconds()/cpu.Seconds(), c.rss/1e6)
	return c.compare()
}

// makePhotos generates the images, with boxes in one file and one image in a
// thousand cut short.
func (c *campaign) makePhotos(ctx context.Context) (corrupt int, err error) {
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize = c.images-1, 1, 96, 96
	raw := filepath.Join(c.dir, "scenes")
	if err := scenes.Write(ctx, raw, cfg, nil); err != nil {
		return 0, err
	}
	weaken := exec.CommandContext(ctx, c.wsss, "data", "weaken", "-kind", "folder", "-root", raw, "-kinds", "boxes", "-split", "all", "-out", c.photos)
	if out, err := weaken.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	if err := os.Rename(filepath.Join(raw, "JPEGImages"), filepath.Join(c.photos, "images")); err != nil {
		return 0, err
	}
	photos, err := filepath.Glob(filepath.Join(c.photos, "images", "*.jpg"))
	for i := 500; i < len(photos) && err == nil; i += 1000 {
		corrupt++
		err = os.Truncate(photos[i], 700)
	}
	return corrupt, err
}

// gen is the command that labels.
func (c *campaign) gen(ctx context.Context, root, out string, more ...string) *exec.Cmd {
	args := append([]string{"gen", "-quiet", "-config", os.DevNull}, more...)
	kind := "folder"
	if c.packed {
		kind = "shards"
	}
	for _, s := range []string{"data.kind=" + kind, "data.train_split=all", "data.val_split=all", "gen.method=grabcut", "gen.options.iterations=1", "gen.weak=boxes", "gen.workers=1", "data.root=" + root, "out=" + out} {
		args = append(args, "-set", s)
	}
	cmd := exec.CommandContext(ctx, c.wsss, args...)
	cmd.Env = append(os.Environ(), c.env...)
	return cmd
}

// upload puts the photos where the server has them.
func (c *campaign) upload(ctx context.Context) error {
	to := filepath.Join(c.root, "photos", "in")
	if !c.packed {
		return os.CopyFS(to, os.DirFS(c.photos))
	}
	pack := exec.CommandContext(ctx, c.wsss, "data", "pack", "-quiet", "-kind", "folder", "-root", c.photos, "-split", "all", "-size", "16", "-out", to)
	if out, err := pack.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// serve starts the S3 server over a folder that holds the photos.
func (c *campaign) serve(ctx context.Context) (stop func(), err error) {
	if err := errors.Join(os.MkdirAll(filepath.Join(c.root, "labels"), 0o755), os.MkdirAll(filepath.Join(c.root, "photos"), 0o755),
		c.upload(ctx)); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	at := l.Addr().String()
	l.Close()
	const key, secret = "campaign", "only-on-loopback"
	server := exec.CommandContext(ctx, c.gateway, "--port", at, "--keep-alive", "--access-log", c.access, "--quiet", "posix", c.root)
	server.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+key, "ROOT_SECRET_KEY="+secret)
	if err := server.Start(); err != nil {
		return nil, err
	}
	c.env = []string{"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret}
	c.address = "?endpoint=http://" + at + "&use_path_style=true&region=us-east-1"
	for range 100 {
		if conn, err := net.Dial("tcp", at); err == nil {
			conn.Close()
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return func() { server.Process.Kill(); server.Wait() }, nil
}

// parts runs as many processes without a job, each with a part of the images, at
// once, and returns their CPU time.
func (c *campaign) parts(ctx context.Context) (cpu time.Duration, err error) {
	var list []*exec.Cmd
	for k := range c.workers {
		cmd := c.gen(ctx, "s3://photos/in"+c.address, "s3://labels/parts"+c.address, "-keep-going", "-shard", fmt.Sprintf("%d/%d", k, c.workers))
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		list = append(list, cmd)
	}
	for _, cmd := range list {
		if cmd.Wait(); !cmd.ProcessState.Exited() {
			err = fmt.Errorf("a part: %v", cmd.ProcessState)
		}
		one, _ := spent.By(cmd.ProcessState)
		cpu += one
	}
	return cpu, err
}

// job runs the processes of the job; one is killed from time to time, and
// another starts in its place.
func (c *campaign) job(ctx context.Context) (killed int, err error) {
	rng := rand.New(rand.NewPCG(c.seed, 1))
	var mu sync.Mutex
	running := map[int]*exec.Cmd{} // by number of the worker
	var all sync.WaitGroup
	begin := func(k int) *exec.Cmd {
		cmd := c.gen(ctx, "s3://photos/in"+c.address, "s3://labels/run"+c.address, "-job", "campaign", "-lease", c.lease.String())
		cmd.Stderr = new(bytes.Buffer)
		mu.Lock()
		defer mu.Unlock()
		if err = errors.Join(err, cmd.Start()); err != nil {
			return nil
		}
		running[k] = cmd
		return cmd
	}
	for k := range c.workers {
		all.Go(func() {
			for {
				cmd := begin(k)
				if cmd == nil {
					return
				}
				cmd.Wait()
				mu.Lock()
				cpu, rss := spent.By(cmd.ProcessState)
				c.cpu, c.rss = c.cpu+cpu, max(c.rss, rss)
				delete(running, k)
				done := cmd.ProcessState.Exited() // else it was killed, and another takes its place
				if code := cmd.ProcessState.ExitCode(); done && code != 0 && code != 5 {
					err = errors.Join(err, fmt.Errorf("exit code %d: %s", code, cmd.Stderr))
				}
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	for {
		select {
		case <-over:
			return killed, err
		case <-time.After(time.Second + rng.N(4*time.Second)):
		}
		mu.Lock()
		if victim := running[rng.IntN(c.workers)]; victim != nil && killed < c.kill && victim.Process.Kill() == nil {
			killed++
		}
		mu.Unlock()
	}
}

// compare counts labels that are lost, differ or were made more than once.
func (c *campaign) compare() error {
	lost, differ, n := 0, 0, 0
	have := filepath.Join(c.root, "labels", "run", "gen")
	err := filepath.WalkDir(filepath.Join(c.one, "gen"), func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(filepath.Join(c.one, "gen"), path)
		if err != nil || d.IsDir() || strings.HasPrefix(rel, ".") || rel == "run.json" || rel == "speed.json" { // those name the folder and the time
			return err
		}
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		got, err := os.ReadFile(filepath.Join(have, rel))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			lost++
		case err != nil:
			return err
		case !bytes.Equal(got, want):
			differ++
		}
		return nil
	})
	if err != nil {
		return err
	}
	written, distinct, err := c.written()
	if err != nil {
		return err
	}
	fmt.Printf("files: %d, lost %d, differing %d\nlabels written: %d of %d images, %.2f %% more than once\n", n, lost, differ, written, distinct, 100*float64(written-distinct)/float64(max(distinct, 1)))
	if lost+differ > 0 {
		return errors.New("the labels of the job are not those of one process")
	}
	return nil
}

// written counts the label maps that the server was sent, by its log.
func (c *campaign) written() (all, distinct int, err error) {
	f, err := os.Open(c.access)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		at := slices.Index(fields, "s3_PutObject") // the key follows
		if at < 0 || at+1 == len(fields) || !strings.HasPrefix(fields[at+1], "run/gen/") || !strings.HasSuffix(fields[at+1], ".png") {
			continue
		}
		all++
		seen[fields[at+1]] = true
	}
	if err = lines.Err(); err == nil && all == 0 {
		err = fmt.Errorf("%s names no label that was written: is the server's log of another form?", c.access)
	}
	return all, len(seen), err
}
