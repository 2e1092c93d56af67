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
	testPackage
	name, bin string
}

func (t fuzzTarget) String() string { return t.path + "." + t.name }

// slice is how long a target runs before the next has its turn.
const slice = 30 * time.Second

// fuzz runs every fuzz target in turn, always the one that has had the least
// time so far, of this and of earlier campaigns; so all come to have the same,
// whenever a campaign ends. What Go finds interesting stays in its cache, beside
// the tally, so that the next campaign goes on from there; what breaks a target
// is written to its package's testdata and stays there as a test.
func fuzz(ctx context.Context, o options, r *result) error {
	targets, err := fuzzTargets(ctx, o)
	if err != nil {
		return err
	}
	tally, err := openSpells(ctx)
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
	per, rounds := o.fuzz, 1
	if per == 0 {
		per, rounds = slice, int(o.time/slice)/max(1, len(built))
		if rounds == 0 {
			per, rounds = max(o.time/time.Duration(max(1, len(built))), time.Second), 1
		}
	}
	now := map[string]spell{}
	for range rounds {
		slices.SortStableFunc(built, func(a, b fuzzTarget) int {
			return cmp.Compare(tally.total[a.String()].Seconds, tally.total[b.String()].Seconds)
		})
		for i := 0; i < len(built); i++ {
			s, err := runTarget(ctx, o, built[i], memory, per)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if s.Broke = err != nil; s.Broke {
				r.failf("%s: %v", built[i], err)
			}
			if err := tally.add(s); err != nil {
				return err
			}
			now[s.Target] = now[s.Target].plus(s)
			o.logf("fuzz: %s: %d executions, %.0f a second", s.Target, s.Executions, float64(s.Executions)/s.Seconds)
			if s.Broke { // its input is a seed now, which breaks it at once
				built = slices.Delete(built, i, i+1)
				i--
			}
		}
	}
	var all, fresh int64
	fewest := targets[0].String()
	fmt.Fprintf(os.Stderr, "%-62s %12s %9s %14s\n", "target", "executions", "a second", "in all")
	for _, t := range targets {
		s, sum := now[t.String()], tally.total[t.String()]
		fmt.Fprintf(os.Stderr, "%-62s %12d %9.0f %14d\n", t, s.Executions, float64(s.Executions)/max(s.Seconds, 1e-9), sum.Executions)
		fresh, all = fresh+s.Executions, all+sum.Executions
		if sum.Executions < tally.total[fewest].Executions {
			fewest = t.String()
		}
	}
	r.add("%d targets, %d times %s each, %.1f million executions", len(targets), rounds, per.Round(time.Second), float64(fresh)/1e6)
	r.add("%.1f million since %s, at least %d of each (%s)", float64(all)/1e6, tally.since, tally.total[fewest].Executions, fewest)
	return nil
}

// fuzzTargets lists the fuzz functions of the chosen packages of this module.
func fuzzTargets(ctx context.Context, o options) ([]fuzzTarget, error) {
	list, err := output(ctx, "go", "list", "-f", "{{.ImportPath}} {{.Dir}}{{range .TestGoFiles}} {{.}}{{end}}{{range .XTestGoFiles}} {{.}}{{end}}", "wsss/...")
	if err != nil {
		return nil, err
	}
	var targets []fuzzTarget
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if !o.packages.MatchString(fields[0]) {
			continue
		}
		for _, file := range fields[min(2, len(fields)):] {
			raw, err := os.ReadFile(filepath.Join(fields[1], file))
			if err != nil {
				return nil, err
			}
			for _, m := range fuzzFunc.FindAllSubmatch(raw, -1) {
				targets = append(targets, fuzzTarget{testPackage: testPackage{fields[0], fields[1]}, name: string(m[1])})
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
func runTarget(ctx context.Context, o options, t fuzzTarget, memory string, d time.Duration) (spell, error) {
	cache, err := fuzzCache(ctx)
	if err != nil {
		return spell{}, err
	}
	start := time.Now()
	text, err := combined(ctx, t.dir, []string{"TMPDIR=" + memory, "GOMAXPROCS=1", "GOGC=400"}, t.bin,
		"-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzztime="+d.String(), "-test.fuzzminimizetime=20x",
		"-test.fuzzcachedir="+filepath.Join(cache, t.path), "-test.parallel="+strconv.Itoa(o.workers))
	s := spell{Date: start.UTC().Format(time.RFC3339), Target: t.String(), Seconds: time.Since(start).Seconds()}
	if m := fuzzExecs.FindAllStringSubmatch(text, -1); len(m) > 0 {
		s.Executions, _ = strconv.ParseInt(m[len(m)-1][1], 10, 64)
	}
	// Go itself may lose a race at the end of the time.
	if err != nil && (!strings.Contains(text, "context deadline exceeded") || strings.Contains(text, "Failing input")) {
		return s, fmt.Errorf("%w: %s", err, lastLines(text, 25))
	}
	return s, nil
}
