package torture

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// config is of a whole run that takes seconds: every stage, small.
//
//go:embed torture.toml
var config []byte

// outName is the run's folder in a trial's.
const outName = "out"

// job is one command, and the state that it starts from.
type job struct {
	name string
	args []string
	from string                   // the job whose undisturbed end it starts from; "" is nothing
	drop []string                 // globs below the folder that are taken away before
	took map[string]time.Duration // undisturbed, by engine
}

// jobs are all commands that write for long.
var jobs = []*job{
	{name: "run", args: []string{"run", "-config", "torture.toml"}},
	{name: "gen", args: []string{"gen", "-config", "torture.toml"}},
	{name: "train", args: []string{"train", "-config", "torture.toml"}, from: "gen"},
	{name: "eval", args: []string{"eval", "-config", "torture.toml"}, from: "run", drop: []string{"out/results", "out/predictions", "out/report*"}},
	{name: "report", args: []string{"report", "-config", "torture.toml"}, from: "run", drop: []string{"out/results", "out/report*"}},
	{name: "predict", args: []string{"predict", "-checkpoint", "out/train/pseudo", "-out", "out/labels", "-format", "png,overlay,csv,json,coco,cvat,labelme,voc,yolo", "scenes/JPEGImages"}, from: "run"},
	{name: "finetune-clip", args: []string{"finetune-clip", "-config", "torture.toml", "-label", "val"}},
	{name: "train-classifier", args: []string{"train-classifier", "-config", "torture.toml"}},
}

func jobNamed(name string) *job {
	return jobs[slices.IndexFunc(jobs, func(j *job) bool { return j.name == name })]
}

// on is the job's command on an engine.
func (j *job) on(engine string) []string {
	return append(slices.Clone(j.args), "-backend", engine, "-quiet")
}

// calm is the folder of the job's undisturbed end on an engine, made at the
// first call.
func (o options) calm(ctx context.Context, j *job, engine string) (string, error) {
	dir := filepath.Join(o.dir, "calm", strings.ReplaceAll(engine, ":", "-"), j.name)
	if _, err := os.Stat(filepath.Join(dir, "torture.toml")); err == nil {
		return dir, nil
	}
	if err := o.begin(ctx, j, engine, dir); err != nil {
		return "", err
	}
	start := time.Now()
	e, err := o.run(ctx, dir, j.on(engine)...)
	if err == nil && e.code != 0 {
		err = fmt.Errorf("%s on %s, undisturbed: exit %d\n%s", j.name, engine, e.code, lastLines(e.text, 10))
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	if j.took == nil {
		j.took = map[string]time.Duration{}
	}
	j.took[engine] = time.Since(start)
	return dir, nil
}

// begin makes the folder that a trial of the job starts from.
func (o options) begin(ctx context.Context, j *job, engine, dir string) error {
	if j.from != "" {
		from, err := o.calm(ctx, jobNamed(j.from), engine)
		if err != nil {
			return err
		}
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			return err
		}
	}
	for _, pattern := range j.drop {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "torture.toml"), config, 0o644)
}

// timing are the lines and files that tell how long something took, at which
// update the last process began and whether it had any to do, or on how many threads: all that may differ
// between two undisturbed runs. .hashes.json holds the times of files, and the
// parts from which predict joins a file lie in the order they were ready.
var (
	timing  = []string{"seconds", "images_per_s", "per_second", "time by stage", "from", "skipped"}
	threads = regexp.MustCompile(`\(parallelism=\d+\)`)
	drawn   = regexp.MustCompile(`(?s)<figure.*?</figure>\s*`) // curves: of speeds, which a calm run may be too short to have, and of the log, which is compared itself
	number  = regexp.MustCompile(`–|[0-9]+([.,][0-9]+)*(e-?[0-9]+)?`)
	unsure  = regexp.MustCompile(`^(speed\.jsonl?|\.hashes\.json|\..*\.parts|\.lock|\.lease)$`)
)

// snapshot is what a trial's folder holds, without times. The two pages of the
// report are compared without their numbers, which report.json has as well.
func snapshot(dir string) (map[string][]byte, error) {
	found := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || unsure.MatchString(d.Name()) {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(path)
		switch {
		case d.Name() == "report.html" || d.Name() == "report.md":
			raw = number.ReplaceAll(drawn.ReplaceAll(raw, nil), []byte("#"))
		case filepath.Ext(rel) == ".json":
			raw = untimed(threads.ReplaceAll(raw, nil))
		}
		found[filepath.ToSlash(rel)] = raw
		return err
	})
	return found, err
}

// untimed is a JSON text without the keys of timing; what is no JSON stays.
func untimed(raw []byte) []byte {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return raw
	}
	strip(v)
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return raw
	}
	return out
}

func strip(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range timing {
			delete(v, key)
		}
		for _, inner := range v {
			strip(inner)
		}
	case []any:
		for _, inner := range v {
			strip(inner)
		}
	}
}

// differing names the files that are in one folder alone or differ.
func differing(want, got string) ([]string, error) {
	a, err := snapshot(want)
	if err != nil {
		return nil, err
	}
	b, err := snapshot(got)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if raw, ok := b[name]; !ok {
			names = append(names, name+" is missing")
		} else if !bytes.Equal(a[name], raw) {
			names = append(names, name+" differs"+firstDifference(a[name], raw))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if _, ok := a[name]; !ok {
			names = append(names, name+" is too many")
		}
	}
	return names, nil
}

// firstDifference shows where two texts part.
func firstDifference(a, b []byte) string {
	if !utf8.Valid(a) || !utf8.Valid(b) {
		return ""
	}
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf(" (line %d: %.80q, not %.80q)", i+1, y[i], x[i])
		}
	}
	return fmt.Sprintf(" (%d lines, not %d)", len(y), len(x))
}

// finish repeats a job without disturbance and compares its end: nil where not
// a byte differs.
func (o options) finish(ctx context.Context, j *job, engine, dir string) error {
	want, err := o.calm(ctx, j, engine)
	if err != nil {
		return err
	}
	e, err := o.run(ctx, dir, j.on(engine)...)
	if err != nil {
		return err
	}
	if e.code != 0 {
		return fmt.Errorf("%s on %s does not go on: exit %d\n%s", j.name, engine, e.code, lastLines(e.text, 10))
	}
	names, err := differing(want, dir)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("%s on %s: %d files: %s", j.name, engine, len(names), strings.Join(names[:min(8, len(names))], ", "))
	}
	return err
}

// present are the engines that this machine has.
func (o options) present(ctx context.Context, r *result) []string {
	var have []string
	for _, engine := range o.engines {
		if _, err := o.calm(ctx, jobNamed("gen"), engine); err != nil {
			r.add("%s left out", engine)
			o.logf("%s left out: %v", engine, err)
			continue
		}
		have = append(have, engine)
	}
	return have
}
