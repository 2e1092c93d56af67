package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// kills ends every command at random times, on every engine: most by kill -9,
// some by Ctrl-C or a scheduler's SIGTERM. A trial is some kills and a last,
// undisturbed call, whose end must be that of a calm run, byte by byte.
func kills(ctx context.Context, o options, r *result) error {
	rng := rand.New(rand.NewPCG(o.seed, 1))
	engines := o.present(ctx, r)
	end := time.Now().Add(o.time)
	count, hard, trials := 0, 0, 0
	byJob := map[string]int{}
	for round := 0; count < o.kills; round++ {
		for i := range len(o.jobs) * len(engines) {
			j, engine := o.jobs[i%len(o.jobs)], engines[i/len(o.jobs)]
			if count >= o.kills || trials > 0 && !o.brief() && time.Now().After(end) {
				break
			}
			k, h, err := o.killTrial(ctx, j, engine, rng)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			count, hard, trials = count+k, hard+h, trials+1
			byJob[j.name] += k
			if err != nil {
				r.failf("%v", err)
			}
		}
		o.logf("kills: %d in %d trials", count, trials)
		if !o.brief() && time.Now().After(end) {
			break
		}
	}
	var parts []string
	for _, j := range o.jobs {
		parts = append(parts, fmt.Sprintf("%s %d", j.name, byJob[j.name]))
	}
	r.add("%d kills (%d by SIGKILL, the others SIGINT or SIGTERM) in %d trials on %s", count, hard, trials, strings.Join(engines, ", "))
	r.add("%s", strings.Join(parts, ", "))
	return nil
}

// killTrial is one trial; it returns the number of kills, and of those by
// SIGKILL.
func (o options) killTrial(ctx context.Context, j *job, engine string, rng *rand.Rand) (count, hard int, err error) {
	if _, err := o.calm(ctx, j, engine); err != nil {
		return 0, 0, err
	}
	dir := filepath.Join(o.dir, "trial")
	defer os.RemoveAll(dir)
	if err := o.begin(ctx, j, engine, dir); err != nil {
		return 0, 0, err
	}
	most := 2 + rng.IntN(9)
	for range most {
		p, err := startProcess(ctx, dir, nil, append([]string{o.wsss}, j.on(engine)...)...)
		if err != nil {
			return count, hard, err
		}
		wait := time.Duration((0.03 + 0.7*rng.Float64()) * float64(j.took[engine]))
		if p.waitFor(wait) {
			if e := p.wait(); e.code != 0 {
				return count, hard, fmt.Errorf("%s on %s after %d kills: exit %d\n%s", j.name, engine, count, e.code, lastLines(e.text, 10))
			}
			break
		}
		signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM}[rng.IntN(5)]
		if err := p.cmd.Process.Signal(signal); errors.Is(err, os.ErrProcessDone) {
			break
		}
		count++
		e := p.wait()
		if signal == syscall.SIGKILL {
			hard++
		} else if e.code != 130 && e.code != 0 && e.code != -1 { // -1: before it listens
			return count, hard, fmt.Errorf("%s on %s: %v ends it with exit %d\n%s", j.name, engine, signal, e.code, lastLines(e.text, 10))
		}
	}
	return count, hard, o.finish(ctx, j, engine, dir)
}
