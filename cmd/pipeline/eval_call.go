package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/eval/report"
	"wsss/gen"
)

// EvalCall is one call of the stage that scores: what it scores, and what becomes of it.
type EvalCall struct {
	Nets       []string // instead of the config's rows: networks, [NAME=]FILE or a folder of checkpoints
	Labels     string   // instead of the config's rows: a folder of label maps
	Against    []string // further folders, NAME=FOLDER
	Split      string   // scored instead of data.val_split; "" = that
	Only       string   // the only row; "" = all
	Page       bool     // write the report of these rows
	Submission string   // label or take label maps, and pack this file for the VOC server; "" = score
	Void       bool     // undecided pixels of Labels are packed as background
	Binary     bool     // label maps of only 0 and 255 are those of class 1
	Shard      gen.Shard
	Merge      bool // make rows from the parts that shards have scored
}

// InReport is where to look at rows without scores.
const InReport = "the report shows the labels and what the networks see"

// Named tells whether the call scores what it names itself, and no row of a config.
func (c *EvalCall) Named() bool { return len(c.Nets) > 0 || c.Labels != "" }

// Check refuses what does not go together or is not there, before anything else is
// looked at, and turns addresses of object storage into paths.
func (c *EvalCall) Check() error {
	switch {
	case c.Shard.Count > 0 && (c.Merge || c.Page || c.Submission != ""):
		return Usagef("eval: -shard scores a part: -merge, -report and -submission come after all of them")
	case c.Binary && c.Labels == "" && len(c.Against) == 0:
		return Usagef("eval: -binary is about the folders of -labels and -against: name one")
	case c.Void && (c.Labels == "" || c.Submission == ""):
		return Usagef("eval: -void-as-background goes with -labels and -submission")
	}
	if err := c.mount(); err != nil {
		return UsageError{Err: err}
	}
	if err := NetsExist(c.Nets...); err != nil {
		return err
	}
	if c.Labels != "" && !files.Exists(c.Labels) {
		return Usagef("-labels: there is no folder %s", c.Labels)
	}
	return nil
}

// mount turns addresses of object storage among what is scored into paths.
func (c *EvalCall) mount() (err error) {
	for i, arg := range c.Nets {
		at := strings.Index(arg, "://")
		if at < 0 {
			continue
		}
		name := arg[:strings.LastIndexByte(arg[:at], '=')+1] // with its =; options behind the address have more of them
		path, err := files.Mount("-checkpoint", arg[len(name):], false)
		if err != nil {
			return err
		}
		c.Nets[i] = name + path
	}
	c.Labels, err = files.Mount("-labels", c.Labels, true)
	return err
}

// NetsExist refuses networks, [NAME=]FILE, that the user typed and that are not there.
func NetsExist(nets ...string) error {
	for _, arg := range nets {
		if _, path := netArg(arg); !files.Exists(path) {
			return Usagef("-checkpoint %s: there is no file or folder %s", arg, path)
		}
	}
	return nil
}

// Run scores, and prints the scores and where they are.
func (c EvalCall) Run(ctx context.Context, p *Run) error {
	p.Only, p.Binary, p.Shard, p.Merge = c.Only, c.Binary, c.Shard, c.Merge
	if c.Split != "" {
		p.Config.Data.ValSplit = c.Split
	} else if c.Named() && p.File == "" {
		p.scoreWhole()
	}
	if err := p.AddAgainst(c.Against); err != nil {
		return err
	}
	sources := p.Sources()
	if !c.Named() {
		if err := p.checkNames(sources); err != nil {
			return err
		}
	}
	if err := p.Preflight(Parts{Eval: !c.Named()}); err != nil {
		return err
	}
	if c.Named() {
		sources = append(p.Named(c.Nets, c.Labels), p.againstSources()...)
	}
	switch {
	case c.Submission != "" && c.Labels != "":
		return p.Pack(ctx, c.Labels, c.Submission, c.Void)
	case c.Submission != "":
		return p.submit(ctx, sources, c.Submission)
	}
	if !c.Named() {
		p.NoteStale(ctx)
	}
	rows, err := p.Score(ctx, sources)
	if err != nil {
		return err
	}
	if c.Shard.Count > 0 {
		fmt.Fprintf(p.out(), "part %v is scored; `wsss eval -merge` with the same flags makes the rows when all are\n", c.Shard)
		return nil
	}
	return c.tell(ctx, p, rows)
}

// scoreWhole takes all images of a dataset that is not divided, where no config
// says what to score on.
func (p *Run) scoreWhole() {
	if p.Dataset == nil {
		return // what is missing is told
	}
	splits, val := p.Dataset.Splits(), p.Config.Data.ValSplit
	if len(splits) == 1 && splits[0] != val {
		p.Say("%s has no split %q: scored on %q", p.Config.Data.Root, val, splits[0])
		p.Config.Data.ValSplit = splits[0]
	}
}

// tell prints the scores, and says where they and the label maps that were predicted
// for them are.
func (c EvalCall) tell(ctx context.Context, p *Run, rows []report.Row) error {
	look := "-report makes a page that shows them"
	if c.Page {
		if err := p.Report(ctx, rows); err != nil {
			return err
		}
		look = InReport
	}
	report.WriteText(p.out(), rows, look)
	fmt.Fprintf(p.out(), "scores: %s\n", files.Address(p.Path("results")))
	dir := p.Path("predictions")
	if slices.ContainsFunc(rows, func(r report.Row) bool { return filepath.Dir(r.Labels) == dir }) {
		fmt.Fprintf(p.out(), "label maps: %s\n", files.Address(dir))
	}
	if c.Page {
		fmt.Fprintf(p.out(), "report: %s\n", files.Address(p.Path(report.HTMLName)))
	}
	return nil
}
