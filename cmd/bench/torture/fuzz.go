package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	fuzzFunc  = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	fuzzExecs = regexp.MustCompile(`execs: (\d+) `)
)

// fuzz gives every fuzz target its time. What Go finds interesting stays in its
// cache, so that the next campaign goes on from there; what breaks a target is
// written to its package's testdata and stays there as a test.
func fuzz(ctx context.Context, o options, r *result) error {
	list, err := output(ctx, "go", "list", "-f", "{{.ImportPath}} {{.Dir}}{{range .TestGoFiles}} {{.}}{{end}}{{range .XTestGoFiles}} {{.}}{{end}}", "wsss/...")
	if err != nil {
		return err
	}
	type target struct{ pkg, name string }
	var targets []target
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		for _, file := range fields[min(2, len(fields)):] {
			raw, err := os.ReadFile(filepath.Join(fields[1], file))
			if err != nil {
				return err
			}
			for _, m := range fuzzFunc.FindAllSubmatch(raw, -1) {
				targets = append(targets, target{fields[0], string(m[1])})
			}
		}
	}
	per := o.fuzz
	if per == 0 {
		per = max(o.share(0.15)/time.Duration(max(1, len(targets))), time.Second)
	}
	var total int64
	for _, t := range targets {
		text, err := combined(ctx, "", "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", per.String(), "-fuzzminimizetime", "20x", t.pkg)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !strings.Contains(text, "context deadline exceeded") { // Go's own race at the end of -fuzztime
			r.failf("%s %s: %s", t.pkg, t.name, lastLines(text, 25))
		}
		if m := fuzzExecs.FindAllStringSubmatch(text, -1); len(m) > 0 {
			n, _ := strconv.ParseInt(m[len(m)-1][1], 10, 64)
			total += n
			o.logf("fuzz: %s %s: %d executions", t.pkg, t.name, n)
		}
	}
	r.add("%d targets, %s each, %s executions", len(targets), per.Round(time.Second), fmt.Sprintf("%.1f million", float64(total)/1e6))
	return nil
}
