package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/eval/report"
	"wsss/gen"
)

func init() {
	register(command{name: "eval", short: "score pseudo-labels, networks and other tools' folders", run: runEval})
}

const evalIntro = `
wsss eval scores label maps against the true masks with one confusion matrix
over all images (void pixels left out, predictions of 255 count as background)
and writes one JSON file per row below OUT/results.

  wsss eval -config my.toml                              all rows of a run
  wsss eval -config my.toml -against SEPL=labels/sepl    and another tool's folder
  wsss eval -checkpoint net.safetensors -set data.kind=voc -set data.root=VOC2012
  wsss eval -labels predictions -set data.kind=folder -set data.root=mine
  wsss eval -checkpoint net.safetensors -split test -submission results.tgz \
      -set data.kind=voc -set data.root=VOC2012          for the VOC test server
  wsss eval -config my.toml -shard 3/8                   part 3 of 8 of each row
  wsss eval -config my.toml -merge                       the rows from all parts
  wsss eval -config my.toml -only "zero-shot" -split test -submission results.tgz

Test-time choices are config keys: -set eval.scales=[0.5,0.75,1.0,1.25,1.5,1.75]
-set eval.flip=true. Each [[eval.test_time]] with scales, flip, crf adds a row
for every network. -set eval.train_split=true scores networks on the training
images too, and shows where they are right and their pseudo-labels wrong.`

func runEval(ctx context.Context, args []string) error {
	f := newFlags("eval", evalIntro).withConfig().withDevices()
	var against, nets list
	f.Var(&nets, "checkpoint", "score this trained network, `[NAME=]FILE`, instead of the config's rows; may be repeated")
	labels := f.String("labels", "", "score this `folder` of label PNGs instead of the config's rows")
	split := f.String("split", "", "score on this `split` instead of data.val_split")
	only := f.String("only", "", "only the row of this `NAME`")
	page := f.Bool("report", false, "also write OUT/report.html of these rows")
	submission := f.String("submission", "", "for the VOC evaluation server: label -split with one row, or take -labels, and pack this .tgz `file`")
	void := f.Bool("void-as-background", false, "with -labels and -submission: write 255 as background instead of refusing it")
	binary := f.Bool("binary", false, "with -labels and -against: label maps of only 0 and 255 are those of class 1")
	f.Var(&against, "against", "also score `NAME=FOLDER`; may be repeated")
	shard := f.String("shard", "", "score only part `i/n` of the images of each row, 0 <= i < n; -merge adds the parts up")
	merge := f.Bool("merge", false, "make the rows from the parts that -shard has scored")
	status := f.Bool("status", false, "only tell how far the parts of -shard are, from their files alone")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	part, err := gen.ParseShard(*shard)
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	switch {
	case part.Count > 0 && (*merge || *page || *submission != ""):
		return pipeline.Usagef("eval: -shard scores a part: -merge, -report and -submission come after all of them")
	case *binary && *labels == "" && len(against) == 0:
		return pipeline.Usagef("eval: -binary is about the folders of -labels and -against: name one")
	case *void && (*labels == "" || *submission == ""):
		return pipeline.Usagef("eval: -void-as-background goes with -labels and -submission")
	}
	if err := mountEval(nets, labels); err != nil {
		return pipeline.UsageError{Err: err}
	}
	if err := namedExist(nets, *labels); err != nil {
		return err
	}
	f.configOptional = len(nets) > 0 || *labels != ""
	if *status {
		cfg, err := f.load()
		if err != nil {
			return err
		}
		return pipeline.EvalStatus(cfg, stdout)
	}
	open := openAlone
	if part.Count > 0 { // beside the others
		open = openPipeline
	}
	p, err := open(f)
	if err != nil {
		return err
	}
	defer p.Close()
	p.Only, p.Binary, p.Shard, p.Merge = *only, *binary, part, *merge
	if *split != "" {
		p.Config.Data.ValSplit = *split
	}
	if err := p.AddAgainst(against); err != nil {
		return err
	}
	sources := p.Sources()
	if !f.configOptional {
		if err := p.CheckNames(sources); err != nil {
			return err
		}
	}
	if err := p.Preflight(pipeline.Parts{Eval: !f.configOptional}); err != nil {
		return err
	}
	if f.configOptional {
		sources = append(p.Named(nets, *labels), p.AgainstSources()...)
	}
	switch {
	case *submission != "" && *labels != "":
		return p.Pack(ctx, *labels, *submission, *void)
	case *submission != "":
		return p.Submit(ctx, sources, *submission)
	}
	if !f.configOptional {
		p.NoteStale(ctx)
	}
	rows, err := p.Score(ctx, sources)
	if err != nil {
		return err
	}
	if part.Count > 0 {
		fmt.Fprintf(stdout, "part %v is scored; `wsss eval -merge` with the same flags makes the rows when all are\n", part)
		return nil
	}
	if *page {
		if err := p.Report(ctx, rows); err != nil {
			return err
		}
	}
	look := inReport
	if !*page {
		look = "-report makes a page that shows them"
	}
	report.WriteText(stdout, rows, look)
	tellResults(p, rows)
	if *page {
		fmt.Fprintf(stdout, "report: %s\n", files.Address(p.Path(report.HTMLName)))
	}
	return nil
}

// tellResults says where the scores of the rows are, and the label maps that
// were predicted for them.
func tellResults(p *pipeline.Run, rows []report.Row) {
	fmt.Fprintf(stdout, "scores: %s\n", files.Address(p.Path("results")))
	dir := p.Path("predictions")
	if slices.ContainsFunc(rows, func(r report.Row) bool { return filepath.Dir(r.Labels) == dir }) {
		fmt.Fprintf(stdout, "label maps: %s\n", files.Address(dir))
	}
}

// mountEval turns addresses of object storage among what is scored into paths.
func mountEval(nets []string, labels *string) (err error) {
	for i, arg := range nets {
		at := strings.Index(arg, "://")
		if at < 0 {
			continue
		}
		name := arg[:strings.LastIndexByte(arg[:at], '=')+1] // with its =; options behind the address have more of them
		path, err := files.Mount("-checkpoint", arg[len(name):], false)
		if err != nil {
			return err
		}
		nets[i] = name + path
	}
	*labels, err = files.Mount("-labels", *labels, true)
	return err
}

// namedExist refuses what the user typed and is not there, before anything
// else is looked at.
func namedExist(nets []string, labels string) error {
	for _, arg := range nets {
		if _, path := pipeline.NetArg(arg); !files.Exists(path) {
			return pipeline.Usagef("-checkpoint %s: there is no file or folder %s", arg, path)
		}
	}
	if labels != "" && !files.Exists(labels) {
		return pipeline.Usagef("-labels: there is no folder %s", labels)
	}
	return nil
}

// inReport is where to look at rows without scores.
const inReport = "the report shows the labels and what the networks see"
