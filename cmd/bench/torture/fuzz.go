package torture

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	fuzzFunc  = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	fuzzExecs = regexp.MustCompile(`execs: (\d+) `)
)

// fuzzTarget is a fuzz function and its package's test binary, instrumented.
type fuzzTarget struct {
	path, dir string // of the package
	name, bin string
}

func (t fuzzTarget) String() string { return t.path + "." + t.name }

// turn is how long a target runs before another has its turn, at most: Go reads
// the whole corpus first.
const turn = time.Minute

// fuzz gives every fuzz target a turn, and then further ones, as long as there
// is time, to the one that has had the least CPU time in this and all earlier
// campaigns. What Go finds interesting stays in its cache, beside the tally, so
// that the next campaign goes on from there; what breaks a target is written to
// its package's testdata and stays there as a test.
func fuzz(ctx context.Context, o options, r *result) error {
	targets, err := fuzzTargets(ctx, o)
	if err != nil {
		return err
	}
	sums, err := openSpells(ctx)
	if err != nil {
		return err
	}
	memory := filepath.Join(o.dir, "fuzz")
	if dir, err := os.MkdirTemp("/dev/shm", "wsss-fuzz-"); err == nil {
		defer os.RemoveAll(dir)
		memory = dir
	} else if err := os.MkdirAll(memory, 0o755); err != nil {
		return err
	}
	built, err := buildTargets(ctx, o, targets, r)
	if err != nil {
		return err
	}
	per := cmp.Or(o.fuzz, min(turn, max(o.time/time.Duration(len(targets)), time.Second)))
	now, turns, end := map[string]spell{}, map[string]int{}, time.Now().Add(o.time)
	for len(built) > 0 && ctx.Err() == nil {
		t := slices.MinFunc(built, func(a, b fuzzTarget) int {
			a0, b0 := a.String(), b.String()
			return cmp.Or(cmp.Compare(min(turns[a0], 1), min(turns[b0], 1)), cmp.Compare(sums.total[a0].Seconds, sums.total[b0].Seconds))
		})
		if turns[t.String()] > 0 && (o.fuzz > 0 || time.Now().After(end)) {
			break
		}
		s, err := runTarget(ctx, o, t, memory, sums.cache, per)
		if s.Broke = err != nil && ctx.Err() == nil; s.Broke { // its input is a seed now, which breaks it at once
			r.failf("%s: %v", t, err)
			built = slices.DeleteFunc(built, func(b fuzzTarget) bool { return b == t })
		}
		if err := sums.add(s); err != nil {
			return err
		}
		turns[s.Target]++
		now[s.Target] = now[s.Target].plus(s)
		o.logf("fuzz: %s: %d executions, %.0f a CPU second", s.Target, s.Executions, s.rate())
	}
	r.add("turns of %s", per.Round(time.Second))
	tellExecutions(targets, now, sums, r)
	return ctx.Err()
}

// tellExecutions prints the table of the targets and adds up.
func tellExecutions(targets []fuzzTarget, now map[string]spell, sums *spells, r *result) {
	var all, fresh int64
	fewest := targets[0].String()
	fmt.Fprintf(os.Stderr, "%-62s %12s %12s %14s\n", "target", "executions", "a CPU second", "in all")
	for _, t := range targets {
		s, sum := now[t.String()], sums.total[t.String()]
		fmt.Fprintf(os.Stderr, "%-62s %12d %12.0f %14d\n", t, s.Executions, s.rate(), sum.Executions)
		fresh, all = fresh+s.Executions, all+sum.Executions
		if sum.Executions < sums.total[fewest].Executions {
			fewest = t.String()
		}
	}
	r.add("%d targets, %.1f million executions", len(targets), float64(fresh)/1e6)
	r.add("%.1f million since %s, at least %d of each (%s)", float64(all)/1e6, sums.since, sums.total[fewest].Executions, fewest)
}

// fuzzTargets lists the fuzz functions of the chosen packages.
func fuzzTargets(ctx context.Context, o options) ([]fuzzTarget, error) {
	packages, err := testedPackages(ctx, o)
	if err != nil {
		return nil, err
	}
	var targets []fuzzTarget
	for _, p := range packages {
		for _, file := range p.tests {
			raw, err := os.ReadFile(filepath.Join(p.dir, file))
			if err != nil {
				return nil, err
			}
			for _, m := range fuzzFunc.FindAllSubmatch(raw, -1) {
				targets = append(targets, fuzzTarget{path: p.path, dir: p.dir, name: string(m[1])})
			}
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("no fuzz target in packages %s", o.packages)
	}
	return targets, nil
}

// buildTargets builds each package's tests once, as `go test -fuzz` does.
func buildTargets(ctx context.Context, o options, targets []fuzzTarget, r *result) ([]fuzzTarget, error) {
	command, env, err := fuzzGo(ctx, o.dir)
	if err != nil {
		return nil, err
	}
	if env == nil {
		o.logf("fuzz: this Go looks at its counters in another way than is known here, and slowly perhaps")
	}
	var built []fuzzTarget
	bins := map[string]string{}
	for _, t := range targets {
		bin, ok := bins[t.path]
		if !ok {
			bin = filepath.Join(o.dir, strings.ReplaceAll(t.path, "/", "-")+".fuzz")
			args := slices.Concat(command, []string{"-c", "-vet=off", "-ldflags=-w", "-fuzz", ".", "-o", bin, t.path})
			if text, err := combined(ctx, "", env, args...); err != nil {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				r.failf("%s does not build: %s", t.path, lastLines(text, 5))
				bin = ""
			}
			bins[t.path] = bin
		}
		if t.bin = bin; bin != "" {
			built = append(built, t)
		}
	}
	return built, nil
}

// runTarget fuzzes one target for a time. Its files are in memory, and its
// processes run on one thread each: handing every input over to another thread
// costs more than most inputs do.
func runTarget(ctx context.Context, o options, t fuzzTarget, memory, cache string, d time.Duration) (spell, error) {
	s := spell{Date: time.Now().UTC().Format(time.RFC3339), Target: t.String()}
	p, err := startProcess(ctx, t.dir, []string{"TMPDIR=" + memory, "GOMAXPROCS=1", "GOGC=400"}, t.bin,
		"-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzztime="+d.String(), "-test.fuzzminimizetime=20x",
		"-test.fuzzcachedir="+filepath.Join(cache, t.path), "-test.parallel="+strconv.Itoa(o.workers))
	if err != nil {
		return s, err
	}
	e := p.wait()
	s.Seconds = e.cpu.Seconds()
	if m := fuzzExecs.FindAllStringSubmatch(e.text, -1); len(m) > 0 {
		s.Executions, _ = strconv.ParseInt(m[len(m)-1][1], 10, 64)
	}
	// Go itself may lose a race at the end of the time.
	if e.code != 0 && (!strings.Contains(e.text, "context deadline exceeded") || strings.Contains(e.text, "Failing input")) {
		return s, fmt.Errorf("exit code %d: %s", e.code, lastLines(e.text, 25))
	}
	return s, nil
}
