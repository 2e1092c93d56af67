package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// limits runs the whole pipeline with few open files, little memory and output
// that goes nowhere: it ends with the same bytes.
func limits(ctx context.Context, o options, r *result) error {
	run, fine := jobNamed("run"), 0
	const engine = "go"
	cases := []struct {
		name, first string // first is what the shell does
		env         []string
	}{
		{"24 open files", `ulimit -n 24 && exec "$0" "$@"`, nil},
		{"address space of 4 GB", `ulimit -v 4194304 && exec "$0" "$@"`, nil},
		{"GOMEMLIMIT=20MiB", `exec "$0" "$@"`, []string{"GOMEMLIMIT=20MiB"}},
		{"one CPU", `exec "$0" "$@"`, []string{"GOMAXPROCS=1"}},
		{"stdout and stderr closed", `exec "$0" "$@" >&- 2>&-`, nil},
		{"no terminal", `unset TERM; exec "$0" "$@" </dev/null`, nil},
		{"umask 077", `umask 077; exec "$0" "$@"`, nil},
	}
	for _, c := range cases {
		dir := filepath.Join(o.dir, "limits")
		if err := o.begin(ctx, run, engine, dir); err != nil {
			return err
		}
		e, err := o.limited(ctx, dir, c.first, c.env, run.on(engine)...)
		if err != nil {
			return err
		}
		if e.code != 0 {
			r.failf("%s: exit %d\n%s", c.name, e.code, lastLines(e.text, 6))
		} else if err := o.finish(ctx, run, engine, dir); err != nil {
			r.failf("%s: %v", c.name, err)
		} else {
			fine++
		}
		os.RemoveAll(dir)
	}
	r.add("a run under %d limits: %d with the same bytes", len(cases), fine)

	// A result that cannot be printed is a failure.
	if _, err := os.Stat("/dev/full"); err == nil {
		dir := filepath.Join(o.dir, "printed")
		if err := o.begin(ctx, jobNamed("report"), engine, dir); err != nil {
			return err
		}
		commands := [][]string{
			{"data", "validate", "-config", "torture.toml"}, {"version"}, {"licenses"}, {"models", "list"}, {"help"}, {"doctor"},
			{"eval", "-config", "torture.toml", "-quiet"}, {"run", "-config", "torture.toml", "-dry-run"},
		}
		for _, args := range commands {
			e, err := o.limited(ctx, dir, `exec "$0" "$@" >/dev/full`, nil, args...)
			if err != nil {
				return err
			}
			if e.code != 1 {
				r.failf("%s > /dev/full: exit %d, want 1: %s", strings.Join(args, " "), e.code, lastLines(e.text, 3))
			}
		}
		r.add("%d commands on /dev/full", len(commands))
	}
	return nil
}

// fullDisk gives every writing command less room than it needs: it fails with
// the file's name, leaves nothing half-written, and goes on once there is room.
// The room is a small tmpfs where one may be mounted, and a limit on the size
// of each file anywhere.
func fullDisk(ctx context.Context, o options, r *result) error {
	const engine = "go"
	tmpfs, small, stopped := 0, 0, 0
	for _, j := range o.jobs {
		calm, err := o.calm(ctx, j, engine)
		if err != nil {
			return err
		}
		total, largest, err := sizes(calm)
		if err != nil {
			return err
		}
		parts := []float64{0.1, 0.5, 0.8, 0.95}
		if o.brief() {
			parts = parts[1:2]
		}
		for _, part := range parts {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			dir := filepath.Join(o.dir, "full")
			base := filepath.Join(o.dir, "base")
			if err := o.begin(ctx, j, engine, base); err != nil {
				return err
			}
			before, _, err := sizes(base)
			if err != nil {
				return err
			}
			os.RemoveAll(base)
			// The blocks of a tmpfs are pages, so that small files take more.
			unmount, err := mountTmpfs(dir, before+int64(part*float64(total-before)))
			if err == nil {
				tmpfs++
				err = o.fullTrial(ctx, j, engine, dir, `exec "$0" "$@"`, &stopped)
				unmount()
				if err != nil {
					r.failf("tmpfs with %.0f %% of the room: %v", 100*part, err)
				}
			} else {
				o.logf("full disk: no tmpfs here: %v", err)
			}
			small++
			blocks := max(1, int64(part*float64(largest))/512)
			if err := o.fullTrial(ctx, j, engine, dir, fmt.Sprintf(`ulimit -f %d && exec "$0" "$@"`, blocks), &stopped); err != nil {
				r.failf("files of %d kB at most: %v", blocks/2, err)
			}
			os.RemoveAll(dir)
		}
		o.logf("full disk: %s", j.name)
	}
	r.add("%d commands on a small tmpfs, %d under a limit on each file's size: %d stopped for want of room, all went on to the same bytes", tmpfs, small, stopped)
	return nil
}

func (o options) fullTrial(ctx context.Context, j *job, engine, dir, first string, stopped *int) error {
	if err := o.begin(ctx, j, engine, dir); err != nil {
		return nil // not even what it starts from fits: nothing is tried
	}
	e, err := o.limited(ctx, dir, first, nil, j.on(engine)...)
	if err != nil {
		return err
	}
	if err := e.crashed(); err != nil {
		return fmt.Errorf("%s: %w", j.name, err)
	}
	if e.code != 0 {
		*stopped++
		if e.code != 1 || !strings.Contains(e.text, "no space left") && !strings.Contains(e.text, "file too large") && !strings.Contains(e.text, "disk I/O") {
			return fmt.Errorf("%s: exit %d\n%s", j.name, e.code, lastLines(e.text, 6))
		}
		if left, err := temporary(dir); err != nil || len(left) > 0 {
			return fmt.Errorf("%s left behind %v (%v)", j.name, left, err)
		}
	}
	roomy := filepath.Join(o.dir, "roomy")
	defer os.RemoveAll(roomy)
	if err := os.CopyFS(roomy, os.DirFS(dir)); err != nil {
		return err
	}
	return o.finish(ctx, j, engine, roomy)
}

// sizes are the bytes of all files and of the largest, in whole pages.
func sizes(dir string) (total, largest int64, err error) {
	err = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			total += (info.Size() + 4095) / 4096 * 4096
			largest = max(largest, info.Size())
		}
		return err
	})
	return total, largest, err
}

// temporary are the files and folders below dir that only a process at work may
// have.
func temporary(dir string) ([]string, error) {
	var left []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && strings.HasPrefix(info.Name(), ".tmp-") {
			left = append(left, path)
		}
		return err
	})
	return left, err
}
