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

// testPackage is a package with goroutines of its own.
type testPackage struct{ path, dir string }

var concurrent = regexp.MustCompile(`\bgo func|\berrgroup\.|\bsync\.(WaitGroup|Mutex|RWMutex|Cond|Once|Pool|Map)|\bgo [a-zA-Z_.]+\(|\bParallel\(`)

// concurrentPackages are the packages of this module that start goroutines or
// lock, in their code or their tests, and that have tests.
func concurrentPackages(ctx context.Context) ([]testPackage, error) {
	list, err := output(ctx, "go", "list", "-f", `{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{range .GoFiles}} {{.}}{{end}}{{range .TestGoFiles}} {{.}}{{end}}{{range .XTestGoFiles}} {{.}}{{end}}{{end}}`, "wsss/...")
	if err != nil {
		return nil, err
	}
	var found []testPackage
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		is := slices.ContainsFunc(fields[2:], func(name string) bool {
			raw, err := os.ReadFile(filepath.Join(fields[1], name))
			return err == nil && concurrent.Match(raw)
		})
		if is && fields[0] != self {
			found = append(found, testPackage{fields[0], fields[1]})
		}
	}
	return found, nil
}

// self is this package: its test is the short form of the campaigns.
const self = "wsss/cmd/bench/torture"

// repeat runs each test of the concurrent packages o.repeats times, as short as
// -short makes it. A test that would take longer than its share of the time is
// run as often as fits, and is named.
func repeat(ctx context.Context, o options, r *result) error {
	packages, err := concurrentPackages(ctx)
	if err != nil {
		return err
	}
	// The command's tests run whole pipelines: last, with the time that is left.
	slices.SortStableFunc(packages, func(a, b testPackage) int {
		return cmp.Compare(strings.Count(a.path, "/cmd/"), strings.Count(b.path, "/cmd/"))
	})
	end := time.Now().Add(o.share(0.15))
	full, fewer, runs := 0, []string{}, 0
	for i, p := range packages {
		bin := filepath.Join(o.dir, "repeat.test")
		if text, err := combined(ctx, p.dir, "go", "test", "-c", "-o", bin, p.path); err != nil {
			r.failf("%s does not build: %s", p.path, lastLines(text, 5))
			continue
		}
		list, err := combined(ctx, p.dir, bin, "-test.list", "^Test")
		if err != nil {
			return fmt.Errorf("tests of %s: %w", p.path, err)
		}
		names := strings.Fields(list)
		for j, name := range names {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			args := func(count int) []string {
				return []string{bin, "-test.run", "^" + name + "$", "-test.short", "-test.timeout", "20m", "-test.count", strconv.Itoa(count)}
			}
			start := time.Now()
			text, err := combined(ctx, p.dir, args(1)...)
			once := time.Since(start)
			count := o.repeats
			// What is left, shared out among the tests to come; quick ones leave theirs to others.
			left := time.Until(end) / time.Duration(max(1, len(packages)-i-1+len(names)-j))
			if cap := int(max(left, 3*time.Second) / max(once, time.Millisecond)); cap < count && once > 50*time.Millisecond {
				count = max(1, min(count, cap))
			}
			if err == nil && count > 1 {
				text, err = combined(ctx, p.dir, args(count-1)...)
			}
			runs += count
			switch {
			case err != nil:
				r.failf("%s %s: %s", p.path, name, lastLines(text, 12))
			case count < o.repeats:
				fewer = append(fewer, fmt.Sprintf("%s.%s (%d)", strings.TrimPrefix(p.path, "wsss/"), name, count))
			default:
				full++
			}
		}
		o.logf("repeat: %s, %d tests", p.path, len(names))
	}
	r.add("tests of %d concurrent packages, %d times each", len(packages), o.repeats)
	r.add("%d tests in full, %d that take long fewer times; %d runs in all", full, len(fewer), runs)
	for _, f := range fewer {
		o.logf("repeat: fewer times: %s", f)
	}
	return nil
}

// race runs the same packages' tests once with the race detector, on 1, 2 and 4
// threads. Its checks of pointers are on for our own code: those of a module
// for matrix products, whose vector code computes addresses, are not ours.
func race(ctx context.Context, o options, r *result) error {
	packages, err := concurrentPackages(ctx)
	if err != nil {
		return err
	}
	end := time.Now().Add(o.share(0.12))
	done, skipped := 0, 0
	for _, p := range packages {
		if time.Now().After(end) && o.minutes > 0 {
			skipped++
			continue
		}
		text, err := combined(ctx, "", "go", "test", "-race", "-short", "-cpu", "1,2,4", "-count", "1", "-timeout", "20m",
			"-gcflags=all=-d=checkptr=0", "-gcflags=wsss/...=-d=checkptr=1", p.path)
		if err != nil {
			r.failf("%s: %s", p.path, lastLines(text, 40))
		}
		done++
		o.logf("race: %s %s", p.path, lastLines(text, 1))
	}
	r.add("race detector with checkptr, `-cpu 1,2,4`: %d concurrent packages", done)
	if skipped > 0 {
		r.add("%d packages left out for lack of time", skipped)
	}
	return nil
}
