package pipeline

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"wsss/checkpoints/files"
	"wsss/checkpoints/jobs"
	"wsss/configs"
	"wsss/data/words"
	"wsss/gen"
)

// GenStatus tells how far the jobs of gen and of the [[compare]] rows are, from
// their files alone: the data set is not opened. job, where it is not "", is the
// only one to tell of.
func GenStatus(cfg configs.Config, job string, w io.Writer) error {
	p := &Run{Config: cfg}
	dirs, titles := []string{p.labelsDir()}, []string{"gen"}
	for _, c := range cfg.Compare {
		dirs, titles = append(dirs, p.compareDir(c)), append(titles, "compare "+c.Name)
	}
	told := 0
	for i, dir := range dirs {
		n, err := jobsStatus(gen.JobsDir(dir), titles[i], job, w)
		if err != nil {
			return err
		}
		told += n
		if n == 0 && job == "" {
			n, err := plainStatus(dir, titles[i], w)
			if err != nil {
				return err
			}
			told += n
		}
	}
	switch {
	case told > 0:
		return nil
	case job != "":
		return Usagef("-job %s: there is no such job below %s", job, cfg.Out)
	}
	return fmt.Errorf("%s: nothing is begun here yet", cfg.Out)
}

// jobsStatus tells of the jobs below a folder, or of one of them; it returns how
// many there are.
func jobsStatus(dir, title, only string, w io.Writer) (int, error) {
	names, err := jobs.List(dir)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, name := range names {
		if only != "" && name != only {
			continue
		}
		s, err := jobs.Status(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // somebody is about to begin it
		}
		if err != nil {
			return n, err
		}
		n++
		printState(w, fmt.Sprintf("%s, job %s", title, name), s)
	}
	return n, nil
}

// printState prints a job, its processes, and what failed.
func printState(w io.Writer, title string, s *jobs.State) {
	line := fmt.Sprintf("%s: %d of %d images done, %d failed", title, s.Done, s.Items, len(s.Failed))
	switch left := s.Remaining(); {
	case s.Open == 0:
	case left > 0:
		line += fmt.Sprintf(", %.3g images/s, about %v left", s.PerSecond(), left.Round(roundTo(left)))
	default:
		line += ", and nobody is at work"
	}
	fmt.Fprintln(w, line)
	for _, p := range s.Workers {
		state := "ended"
		switch {
		case p.Error != "":
			first, _, _ := strings.Cut(p.Error, "\n")
			state = "ended: " + first
		case p.Lives && p.At != "":
			state = "at " + p.At
		case p.Lives:
			state = "at work"
		case !p.Ended:
			state = "silent: its images go to others"
		}
		fmt.Fprintf(w, "  %-40s %8d done %6d failed %8.3g/s  %s\n", p.Name, p.Done, p.Failed, p.PerSecond(), state)
	}
	if took := s.PerThousand(); took > 0 {
		fmt.Fprintf(w, "1,000 images took %.3g hours of one process\n", took.Hours())
	}
	if len(s.Failed) > 0 {
		fmt.Fprintln(w, "failed (-retry-failed tries them again):")
	}
	for _, f := range s.Failed {
		fmt.Fprintf(w, "  %s: %s\n", f.Item, f.Error)
	}
}

// roundTo is a step that shows two or three digits of a time.
func roundTo(d time.Duration) time.Duration {
	for _, step := range []time.Duration{time.Hour, time.Minute} {
		if d > 20*step {
			return step
		}
	}
	return time.Second
}

// plainStatus counts the labels of a folder that was filled without a job.
func plainStatus(dir, title string, w io.Writer) (int, error) {
	m, err := gen.ReadManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	done := 0
	err = files.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".png" && !strings.HasPrefix(d.Name(), ".") {
			done++
		}
		return err
	})
	fmt.Fprintf(w, "%s, without a job: labels of %d of %s of split %s; who works there is told with -job alone\n", title, done, words.Plural(m.Images, "image"), m.Split)
	return 1, err
}
