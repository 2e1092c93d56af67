package torture

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// testPackage is a package of this module that has tests.
type testPackage struct {
	path, dir   string
	code, tests []string // files
}

// testedPackages are the chosen packages of this module that have tests.
func testedPackages(ctx context.Context, o options) ([]testPackage, error) {
	list, err := output(ctx, "go", "list", "-f", `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}|{{.Dir}}|{{join .GoFiles " "}}|{{join .TestGoFiles " "}} {{join .XTestGoFiles " "}}{{end}}`, "wsss/...")
	if err != nil {
		return nil, err
	}
	var found []testPackage
	for line := range strings.Lines(list) {
		fields := strings.Split(line, "|")
		if len(fields) == 4 && o.packages.MatchString(fields[0]) {
			found = append(found, testPackage{fields[0], fields[1], strings.Fields(fields[2]), strings.Fields(fields[3])})
		}
	}
	return found, nil
}

var concurrent = regexp.MustCompile(`\bgo func|\berrgroup\.|\bsync\.(WaitGroup|Mutex|RWMutex|Cond|Once|Pool|Map)|\bgo [a-zA-Z_.]+\(|\bParallel\(`)

// concurrentPackages are those that start goroutines or lock, in their code or their tests.
func concurrentPackages(ctx context.Context, o options) ([]testPackage, error) {
	packages, err := testedPackages(ctx, o)
	return slices.DeleteFunc(packages, func(p testPackage) bool {
		return p.path == self || !slices.ContainsFunc(slices.Concat(p.code, p.tests), func(name string) bool {
			raw, err := os.ReadFile(filepath.Join(p.dir, name))
			return err == nil && concurrent.Match(raw)
		})
	}), err
}

// self is this package: its test is the short form of the campaigns.
const self = "wsss/cmd/bench/torture"

// inOrder has the packages in an order of chance, so that what one campaign
// leaves out another tries; those of commands, whose tests run whole pipelines,
// come last.
func inOrder(packages []testPackage, seed uint64) []testPackage {
	rng := rand.New(rand.NewPCG(seed, 4))
	rng.Shuffle(len(packages), func(i, j int) { packages[i], packages[j] = packages[j], packages[i] })
	slices.SortStableFunc(packages, func(a, b testPackage) int {
		return cmp.Compare(strings.Count(a.path, "/cmd/"), strings.Count(b.path, "/cmd/"))
	})
	return packages
}

// repeat runs each test of the concurrent packages o.repeats times, as short as
// -short makes it, or as often as fits into its share of the time. Tests that
// run less often are named, and so are packages that the time does not reach.
func repeat(ctx context.Context, o options, r *result) error {
	packages, err := concurrentPackages(ctx, o)
	if err != nil {
		return err
	}
	end := time.Now().Add(o.time)
	full, runs, fewer, left := 0, 0, []string{}, []string{}
	for i, p := range inOrder(packages, o.seed) {
		if i > 0 && time.Now().After(end) {
			left = append(left, p.path)
			continue
		}
		bin := filepath.Join(o.dir, "repeat.test")
		if text, err := combined(ctx, p.dir, nil, "go", "test", "-c", "-vet=off", "-ldflags=-w", "-o", bin, p.path); err != nil {
			r.failf("%s does not build: %s", p.path, lastLines(text, 5))
			continue
		}
		list, err := combined(ctx, p.dir, nil, bin, "-test.list", "^Test")
		if err != nil {
			return fmt.Errorf("tests of %s: %w", p.path, err)
		}
		names := strings.Fields(list)
		start, before := time.Now(), runs
		for j, name := range names {
			each := o.each
			if each == 0 { // what is left, shared out; quick ones leave theirs to others
				each = max(time.Until(end)/time.Duration(len(packages)-i-1+len(names)-j), 3*time.Second)
			}
			count, fault := repeatTest(ctx, bin, p.dir, name, o.repeats, each)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			runs += count
			switch {
			case fault != nil:
				r.failf("%s %s: %v", p.path, name, fault)
			case count < o.repeats:
				fewer = append(fewer, fmt.Sprintf("%s.%s (%d)", p.path, name, count))
			default:
				full++
			}
		}
		o.logf("repeat: %s: %d tests, %d runs, %s", p.path, len(names), runs-before, time.Since(start).Round(time.Second))
	}
	r.add("tests of %d packages with goroutines: %d tests %d times, %d that take long less often; %d runs in all", len(packages)-len(left), full, o.repeats, len(fewer), runs)
	for _, f := range fewer {
		o.logf("repeat: less often: %s", f)
	}
	r.leftOut(o, left)
	return nil
}

// leftOut tells which packages a campaign had no time for.
func (r *result) leftOut(o options, packages []string) {
	if len(packages) > 0 {
		r.add("%d packages left out for lack of time", len(packages))
		o.logf("%s: left out: %s", r.name, strings.Join(packages, " "))
	}
}

// repeatTest runs a test once, and then as often as fits into the time.
func repeatTest(ctx context.Context, bin, dir, name string, most int, each time.Duration) (int, error) {
	run := func(count int) error {
		text, err := combined(ctx, dir, nil, bin, "-test.run", "^"+name+"$", "-test.short", "-test.timeout", "20m", "-test.count", strconv.Itoa(count))
		if err != nil {
			return fmt.Errorf("%w: %s", err, lastLines(text, 12))
		}
		return nil
	}
	start := time.Now()
	if err := run(1); err != nil {
		return 1, err
	}
	once := time.Since(start)
	if once > 50*time.Millisecond { // the start of a process takes some of it
		most = min(most, max(1, int(each/once)))
	}
	if most == 1 {
		return 1, nil
	}
	return most, run(most - 1)
}

// race runs the same packages' tests once with the race detector, on 1, 2 and 4
// threads. Its checks of pointers are on for our own code: those of a module
// for matrix products, whose vector code computes addresses, are not ours.
func race(ctx context.Context, o options, r *result) error {
	packages, err := concurrentPackages(ctx, o)
	if err != nil {
		return err
	}
	end := time.Now().Add(o.time)
	done, left, slow := 0, []string{}, []string{}
	for i, p := range inOrder(packages, o.seed) {
		if i > 0 && time.Now().After(end) {
			left = append(left, p.path)
			continue
		}
		start := time.Now()
		text, err := combined(ctx, "", nil, "go", "test", "-race", "-short", "-vet=off", "-ldflags=-w", "-cpu", "1,2,4", "-count", "1", "-timeout", o.alone.String(),
			"-gcflags=all=-d=checkptr=0", "-gcflags=wsss/...=-d=checkptr=1", p.path)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.logf("race: %s: %s, built and run in %s", p.path, lastLines(text, 1), time.Since(start).Round(time.Second))
		switch {
		case err != nil && tooSlow(text, o.alone):
			slow = append(slow, p.path)
		case err != nil:
			r.failf("%s: %s", p.path, lastLines(text, 40))
		}
		done++
	}
	r.add("race detector with checkptr, `-cpu 1,2,4`: %d packages with goroutines", done)
	if len(slow) > 0 {
		r.add("of which %d did not end within %s: %s", len(slow), o.alone, strings.Join(slow, " "))
	}
	r.leftOut(o, left)
	return nil
}

var running = regexp.MustCompile(`(?m)^\t+\S+ \(([0-9hms.]+)\)$`)

// tooSlow tells tests that were stopped at the end of their time from one that
// hangs: none of those that ran then had taken half of the time.
func tooSlow(text string, limit time.Duration) bool {
	_, list, is := strings.Cut(text, "panic: test timed out after ")
	for _, m := range running.FindAllStringSubmatch(list, -1) {
		took, err := time.ParseDuration(m[1])
		is = is && err == nil && took < limit/2
	}
	return is && !strings.Contains(text, "--- FAIL: ") && !strings.Contains(text, "DATA RACE")
}
