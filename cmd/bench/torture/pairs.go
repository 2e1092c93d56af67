package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// exitHeld is wsss's exit code where another process writes.
const exitHeld = 4

// pairs starts a command twice on one folder and kills one of the two: the
// second is refused or, where the folder is shared, works along; neither death
// harms what is there. In place of a second training comes now and then one
// with -restart.
func pairs(ctx context.Context, o options, r *result) error {
	rng := rand.New(rand.NewPCG(o.seed, 2))
	end := time.Now().Add(o.time)
	count, refused, killed := 0, 0, 0
	for count < o.pairs && (count == 0 || o.brief() || time.Now().Before(end)) {
		for _, j := range o.jobs {
			if count >= o.pairs || count > 0 && !o.brief() && time.Now().After(end) {
				break
			}
			ref, kill, err := o.pairTrial(ctx, j, rng)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				r.failf("%v", err)
			}
			count, refused, killed = count+1, refused+ref, killed+kill
		}
		o.logf("pairs: %d", count)
	}
	var names []string
	for _, j := range o.jobs {
		names = append(names, j.name)
	}
	r.add("%d pairs of %s", count, strings.Join(names, ", "))
	r.add("%d processes refused, %d killed", refused, killed)
	return nil
}

func (o options) pairTrial(ctx context.Context, j *job, rng *rand.Rand) (refused, killed int, err error) {
	const engine = "go"
	if _, err := o.calm(ctx, j, engine); err != nil {
		return 0, 0, err
	}
	dir := filepath.Join(o.dir, "pair")
	defer os.RemoveAll(dir)
	if err := o.begin(ctx, j, engine, dir); err != nil {
		return 0, 0, err
	}
	took := float64(j.took[engine])
	var procs [2]*process
	for i := range procs {
		args := j.on(engine)
		if i == 1 {
			time.Sleep(time.Duration(0.5 * took * rng.Float64() * float64(rng.IntN(2)))) // half of them at once
		}
		if procs[i], err = startProcess(ctx, dir, nil, append([]string{o.wsss}, args...)...); err != nil {
			return 0, 0, err
		}
	}
	victim := rng.IntN(3) // 2: nobody
	if victim < 2 && !procs[victim].waitFor(time.Duration(rng.Float64()*took)) {
		procs[victim].cmd.Process.Signal(syscall.SIGKILL)
	}
	var said [2]string
	for i, p := range procs {
		e := p.wait()
		said[i] = lastLines(e.text, 3)
		switch {
		case e.code == 0:
		case e.code == exitHeld:
			refused++
		case i == victim && e.code == -1:
			killed++
		default:
			return refused, killed, fmt.Errorf("a pair of %s, process %d: exit %d\n%s", j.name, i+1, e.code, lastLines(e.text, 10))
		}
	}
	if refused == 2 {
		return refused, killed, fmt.Errorf("a pair of %s: both were refused\n%s\n%s", j.name, said[0], said[1])
	}
	if err := o.finish(ctx, j, engine, dir); err != nil {
		return refused, killed, fmt.Errorf("after a pair: %w", err)
	}
	return refused, killed, nil
}
