// Package torture attacks wsss for a given time: kills, pairs of writers, full
// disks, limits, hostile files, fuzzing, repeated tests and the race detector.
// It prints what was tried as a table, and fails where anything broke.
//
//	go run ./cmd/bench torture -minutes 60
package torture

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options say how long and how much.
type options struct {
	dir     string // for what the campaigns write
	wsss    string // the binary under test
	repo    string
	minutes float64
	engines []string
	jobs    []*job
	kills   int
	pairs   int
	repeats int
	each    time.Duration // for the repeats of one test
	alone   time.Duration // for one package under the race detector
	fuzz    time.Duration // a target
	workers int           // processes that fuzz
	seed    uint64
	quiet   bool

	packages *regexp.Regexp // of tests
	time     time.Duration  // of the campaign that runs
}

// brief tells the short form, in which each campaign tries a little of
// everything in seconds.
func (o options) brief() bool { return o.minutes < 1 }

// choose sets the commands by their names; "" is all.
func (o *options) choose(names string) {
	for _, j := range jobs {
		if names == "" || slices.Contains(strings.Split(names, ","), j.name) {
			o.jobs = append(o.jobs, j)
		}
	}
}

func (o options) logf(format string, args ...any) {
	if !o.quiet {
		fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
	}
}

// result is what a campaign found.
type result struct {
	name     string
	took     time.Duration
	lines    []string
	failures []string
}

func (r *result) add(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}
func (r *result) failf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
	fmt.Fprintf(os.Stderr, "%s: FAILED: %s\n", r.name, r.failures[len(r.failures)-1])
}

type campaign struct {
	name string
	part float64
	run  func(context.Context, options, *result) error
}

// campaigns in the order they run: the quick ones first. Each has its part of
// the time, of which those that are left out take none; limits and full disks
// take what they need.
var campaigns = []campaign{
	{"limits", 0.03, limits},
	{"full disk", 0.04, fullDisk},
	{"hostile files", 0.1, hostile},
	{"pairs", 0.08, pairs},
	{"kills", 0.33, kills},
	{"race", 0.12, race},
	{"repeat", 0.15, repeat},
	{"fuzz", 0.15, fuzz},
}

// Main is the command.
func Main() {
	var o options
	var only, engines, commands, packages string
	flag.Float64Var(&o.minutes, "minutes", 60, "how long all of it may take, about")
	flag.StringVar(&only, "only", "", "campaigns to run, of limits, full disk, hostile files, pairs, kills, race, repeat, fuzz; comma-separated (default all)")
	flag.StringVar(&engines, "engines", "go,onnx,xla:cpu", "engines that the kills are over; those that this machine lacks are left out, and named")
	flag.StringVar(&commands, "commands", "", "commands that are killed, paired and starved of room; comma-separated (default all that write for long)")
	flag.IntVar(&o.kills, "kills", 500, "kills at most")
	flag.IntVar(&o.pairs, "pairs", 100, "pairs of writers at most")
	flag.IntVar(&o.repeats, "repeats", 200, "runs of each test")
	flag.DurationVar(&o.each, "each", 0, "time for the repeats of one test, which runs once whatever it takes (default what is left of the minutes, shared out)")
	flag.DurationVar(&o.alone, "alone", 20*time.Minute, "time for the tests of one package under the race detector")
	flag.DurationVar(&o.fuzz, "fuzz", 0, "time of each fuzz target, which then has one turn (default turns of a minute at most until the minutes are over)")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "processes that fuzz")
	flag.StringVar(&packages, "packages", "", "packages whose tests are raced, repeated and fuzzed, a regular expression, as ^wsss/data (default all)")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of the times of kills and of the faults")
	flag.StringVar(&o.wsss, "wsss", "", "the binary to attack (default one built now)")
	flag.Parse()
	o.engines = strings.Split(engines, ",")
	o.choose(commands)
	var err error
	if o.packages, err = regexp.Compile(packages); err != nil {
		fmt.Fprintf(os.Stderr, "torture: -packages: %v\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := all(ctx, o, only)
	printTable(os.Stdout, o, results)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
	for _, r := range results {
		if len(r.failures) > 0 {
			os.Exit(1)
		}
	}
}

func all(ctx context.Context, o options, only string) ([]*result, error) {
	repo, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	o.repo = repo
	if o.wsss != "" {
		if o.wsss, err = filepath.Abs(o.wsss); err != nil {
			return nil, err
		}
	}
	if o.dir, err = os.MkdirTemp("", "wsss-torture-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(o.dir)
	if o.wsss == "" {
		o.wsss = filepath.Join(o.dir, "wsss")
		if _, err := output(ctx, "go", "build", "-o", o.wsss, "./cmd/wsss"); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(os.Stderr, "torture: seed %d\n", o.seed)
	chosen := campaigns
	if only != "" {
		chosen = slices.DeleteFunc(slices.Clone(campaigns), func(c campaign) bool { return !slices.Contains(strings.Split(only, ","), c.name) })
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no campaign is named %s", only)
	}
	var parts float64
	for _, c := range chosen {
		parts += c.part
	}
	var results []*result
	for _, c := range chosen {
		o.time = time.Duration(c.part / parts * o.minutes * float64(time.Minute))
		r := &result{name: c.name}
		start := time.Now()
		err := c.run(ctx, o, r)
		r.took = time.Since(start)
		results = append(results, r)
		if err != nil {
			return results, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return results, nil
}

// printTable prints the results as docs/reliability.md has them.
func printTable(w *os.File, o options, results []*result) {
	fmt.Fprintf(w, "%s, `%s`, %d CPUs, seed %d\n\n| campaign | time | tried | broke |\n|---|---|---|---|\n", time.Now().Format("2006-01-02 15:04"), strings.Join(os.Args[1:], " "), runtime.NumCPU(), o.seed)
	for _, r := range results {
		fmt.Fprintf(w, "| %s | %s | %s | %d |\n", r.name, r.took.Round(time.Second), strings.Join(r.lines, "; "), len(r.failures))
	}
	for _, r := range results {
		for _, f := range r.failures {
			fmt.Fprintf(w, "\n%s: %s\n", r.name, f)
		}
	}
}
