package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/checkpoints/jobs"
	"wsss/configs"
	"wsss/eval"
)

// scored is a row whose images may be scored in parts, by several processes.
type scored struct {
	split, dir string // of the label maps
	title      string
	// score is eval.Folder or eval.Predict over o.IDs.
	score func(ctx context.Context, o eval.Options, progress eval.Progress) (*eval.Result, error)
}

// parted scores a row: whole, or one part of it (Options.Shard), of which the
// result is nil, or from its parts (Options.Merge).
func (p *Run) parted(ctx context.Context, s scored, o eval.Options) (r *eval.Result, err error) {
	if p.Shard.Count == 0 && !p.Merge {
		err = p.Step(ctx, s.title+o.Name, func(progress func(done, total int)) (err error) {
			r, err = s.score(ctx, o, progress)
			return err
		})
		return r, err
	}
	ids := o.IDs
	if ids == nil {
		if ids, err = p.Dataset.IDs(s.split); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal([]any{o.Name, o.Kind, o.RunHash, s.split, ids, p.Dataset.Classes().Names, o.Boundary, o.Binary})
	if err != nil {
		return nil, err
	}
	hash := files.SHA256Of(raw)[:12]
	if p.Merge {
		return p.merge(s, o, ids, hash)
	}
	return nil, p.scorePart(ctx, s, o, ids, hash)
}

// evalJobs is the folder of rows that are scored in parts.
func (p *Run) evalJobs() string { return p.Path("eval.jobs") }

// rowJob is the name of a row's job: of so many parts, of what is scored.
func rowJob(name string, parts int, hash string) string {
	return fmt.Sprintf("%.60s-%s-%d", "row-"+FileName(name), hash, parts)
}

// partFile is where a part's score is kept.
func partFile(job string, i int) string {
	return filepath.Join(job, "parts", fmt.Sprintf("%d.json", i))
}

// scorePart scores this process's part of a row.
func (p *Run) scorePart(ctx context.Context, s scored, o eval.Options, ids []string, hash string) error {
	dir := filepath.Join(p.evalJobs(), rowJob(o.Name, p.Shard.Count, hash))
	job, err := jobs.Join(ctx, dir, jobs.Plan{About: "eval " + o.Name, Hash: hash, Items: len(ids), Parts: p.Shard.Count})
	if err != nil {
		return err
	}
	part, err := job.Take(p.Shard.Index)
	if err == nil {
		o.IDs = slices.Clip(append([]string{}, p.Shard.Of(ids)...))
		o.Partial = &eval.Partial{Index: p.Shard.Index, Count: p.Shard.Count, IDs: o.IDs}
		before := 0
		err = p.Step(ctx, s.title+o.Name+", part "+p.Shard.String(), func(progress func(done, total int)) error {
			_, err := s.score(ctx, o, func(done, total int) {
				job.Count(done-before, 0)
				before = done
				progress(done, total)
			})
			return err
		})
	}
	if err == nil {
		err = o.Partial.Write(partFile(dir, p.Shard.Index))
	}
	if err == nil {
		err = job.Finish(part, nil)
	}
	job.Leave(err)
	return err
}

// merge adds up the parts of a row.
func (p *Run) merge(s scored, o eval.Options, ids []string, hash string) (*eval.Result, error) {
	names, err := jobs.List(p.evalJobs())
	if err != nil {
		return nil, err
	}
	var lacks error = Usagef("-merge: no part of %q is scored, as it is now, below %s: `wsss eval -shard i/n` scores them", o.Name, p.evalJobs())
	for _, name := range names {
		dir := filepath.Join(p.evalJobs(), name)
		st, err := jobs.Status(dir)
		if err != nil || st.Hash != hash {
			continue
		}
		parts, missing, err := readParts(dir, st)
		if err != nil {
			return nil, err
		}
		if len(missing) > 0 {
			lacks = fmt.Errorf("-merge: of %q the parts %s of %d are missing", o.Name, strings.Join(missing, ", "), st.Parts)
			continue
		}
		if err := eval.MergeRunFiles(s.dir, parts); err != nil {
			return nil, err
		}
		return eval.Merge(p.Dataset, s.split, s.dir, ids, parts, o)
	}
	return nil, lacks
}

func readParts(dir string, st *jobs.State) (parts []*eval.Partial, missing []string, err error) {
	for i := range st.Parts {
		one, err := eval.ReadPartial(partFile(dir, i))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, fmt.Sprint(i))
		case err != nil:
			return nil, nil, err
		case one.Index != i || one.Count != st.Parts:
			return nil, nil, fmt.Errorf("%s: it is part %d of %d", partFile(dir, i), one.Index, one.Count)
		default:
			parts = append(parts, one)
		}
	}
	return parts, missing, nil
}

// EvalStatus tells how far the rows are that are scored in parts, from their
// files alone.
func EvalStatus(cfg configs.Config, w io.Writer) error {
	p := &Run{Config: cfg}
	names, err := jobs.List(p.evalJobs())
	if err != nil {
		return err
	}
	for _, name := range names {
		s, err := jobs.Status(filepath.Join(p.evalJobs(), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		printState(w, s.About, s)
	}
	if len(names) == 0 {
		if files.Exists(p.Path("results")) {
			fmt.Fprintf(w, "no row is scored in parts; scores: %s\n", p.Path("results"))
			return nil
		}
		return fmt.Errorf("%s: no row is scored in parts yet", cfg.Out)
	}
	return nil
}
