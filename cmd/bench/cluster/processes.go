package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"wsss/checkpoints/files"
	"wsss/cmd/bench/internal/spent"
)

// gen is the command that labels.
func (c *campaign) gen(ctx context.Context, workers int, out string, more ...string) *exec.Cmd {
	args := append([]string{"gen", "-quiet", "-config", os.DevNull}, more...)
	kind := "folder"
	if c.packed {
		kind = "shards"
	}
	for _, s := range []string{"data.kind=" + kind, "data.train_split=all", "data.val_split=all", "gen.method=grabcut", "gen.options.iterations=1", "gen.options.gamma=5", "gen.weak=boxes",
		fmt.Sprint("gen.workers=", workers), "data.root=s3://photos/in" + c.address, "out=s3://labels/" + out + c.address} {
		args = append(args, "-set", s)
	}
	cmd := exec.CommandContext(ctx, c.wsss, args...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stderr = new(bytes.Buffer)
	return cmd
}

// failed tells whether a process ended with an error other than that of corrupt photos,
// which -keep-going lists at the end.
func (c *campaign) failed(cmd *exec.Cmd, err error) bool {
	return err != nil && (c.corrupt() == 0 || cmd.ProcessState == nil || !cmd.ProcessState.Exited())
}

func workersText(n int) string {
	if n == 0 {
		return fmt.Sprintf("%d (one for each CPU)", runtime.GOMAXPROCS(0))
	}
	return fmt.Sprint(n)
}

// serve starts the S3 server over a folder that holds the photos, and no labels yet.
func (c *campaign) serve(ctx context.Context) (stop func(), err error) {
	labels, access := filepath.Join(c.root, "labels"), filepath.Join(c.dir, "access.log")
	if err := errors.Join(os.RemoveAll(labels), os.RemoveAll(access), files.MkdirAll(labels)); err != nil {
		return nil, err
	}
	c.access = &accessLog{path: access, seen: map[string]map[string]bool{}, made: map[string]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	at := l.Addr().String()
	l.Close()
	const key, secret = "campaign", "only-on-loopback"
	server := exec.CommandContext(ctx, c.gateway, "--port", at, "--keep-alive", "--access-log", access, "--quiet", "posix", c.root)
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
	return func() {
		server.Process.Kill()
		server.Wait()
		cpu, rss := spent.By(server.ProcessState)
		fmt.Printf("the S3 server: %.0f s of CPU for %d requests, %d MB at most\n", cpu.Seconds(), c.access.requests, rss/1e6)
	}, nil
}

// parts runs as many processes without a job, each with a part of every nth image, at
// once, and returns their CPU time.
func (c *campaign) parts(ctx context.Context, nth int) (cpu time.Duration, err error) {
	var list []*exec.Cmd
	for k := range c.workers {
		cmd := c.gen(ctx, 1, "parts", "-keep-going", "-shard", fmt.Sprintf("%d/%d", k*nth, c.workers*nth))
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		list = append(list, cmd)
	}
	for _, cmd := range list {
		if c.failed(cmd, cmd.Wait()) {
			err = fmt.Errorf("a part: %v: %s", cmd.ProcessState, cmd.Stderr)
		}
		one, _ := spent.By(cmd.ProcessState)
		cpu += one
	}
	return cpu, err
}

// crew is the processes of the job.
type crew struct {
	*campaign
	ctx context.Context

	mu      sync.Mutex
	running map[int]*exec.Cmd // by number of the worker
	err     error
}

// begin starts a process; nil after an error.
func (w *crew) begin(k int) *exec.Cmd {
	cmd := w.gen(w.ctx, 1, "run", "-job", "campaign", "-lease", w.lease.String())
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err = errors.Join(w.err, cmd.Start()); w.err != nil {
		return nil
	}
	w.running[k] = cmd
	return cmd
}

// work is a worker: where its process is killed, another takes its place.
func (w *crew) work(k int) {
	for cmd := w.begin(k); cmd != nil; cmd = w.begin(k) {
		cmd.Wait()
		w.mu.Lock()
		cpu, rss := spent.By(cmd.ProcessState)
		w.cpu, w.rss = w.cpu+cpu, max(w.rss, rss)
		delete(w.running, k)
		ended := cmd.ProcessState.Exited() // else it was killed
		if code := cmd.ProcessState.ExitCode(); ended && code != 0 && code != 5 {
			w.err = errors.Join(w.err, fmt.Errorf("exit code %d: %s", code, cmd.Stderr))
		}
		w.mu.Unlock()
		if ended {
			return
		}
	}
}

// killOne kills a process at random, where one runs.
func (w *crew) killOne(rng *rand.Rand) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	living := slices.Sorted(maps.Keys(w.running))
	return len(living) > 0 && w.running[living[rng.IntN(len(living))]].Process.Kill() == nil
}

func (w *crew) pids() (list []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, cmd := range w.running {
		list = append(list, cmd.Process.Pid)
	}
	return list
}

// job runs the processes of the job; one is killed from time to time, and
// another starts in its place.
func (c *campaign) job(ctx context.Context) (killed int, m memory, err error) {
	crew := &crew{campaign: c, ctx: ctx, running: map[int]*exec.Cmd{}}
	var all sync.WaitGroup
	for k := range c.workers {
		all.Go(func() { crew.work(k) })
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	rng := rand.New(rand.NewPCG(c.seed, 1))
	kills := schedule(rng, c.kill, c.images-c.corrupt())
	watch, tenth, start := c.watch("run"), 1, time.Now()
	for running := true; running; {
		select {
		case <-over:
			running = false
		case <-time.After(pace):
		}
		made, err := watch.look(crew.pids()...)
		if err != nil {
			return killed, watch.memory, err
		}
		if running && killed < len(kills) && made >= kills[killed] && crew.killOne(rng) {
			killed++
		}
		if running && made*10 >= tenth*c.images {
			fmt.Printf("  %d images, %d killed, %.0f s\n", made, killed, time.Since(start).Seconds())
			tenth = made*10/c.images + 1
		}
	}
	return killed, watch.memory, crew.err
}

// schedule says at how many images each process is killed: at random within
// equal parts of them, so that there are kills from the begin to the end.
func schedule(rng *rand.Rand, kills, images int) (at []int) {
	for k := range kills {
		at = append(at, int((float64(k)+rng.Float64())*0.99*float64(images)/float64(kills)))
	}
	return at
}
