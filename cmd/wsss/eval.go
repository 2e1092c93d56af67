package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/metrics"
	"wsss/eval"
	"wsss/eval/report"
	"wsss/eval/zeroshot"
	"wsss/gen"
	"wsss/models"
	"wsss/train"
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
  wsss eval -config my.toml -only "zero-shot" -split test -submission results.tgz

Test-time choices are config keys: -set eval.scales=[0.5,0.75,1.0,1.25,1.5,1.75]
-set eval.flip=true. Each [[eval.test_time]] with scales, flip, crf adds a row
for every network. -set eval.train_split=true scores networks on the training
images too, and shows where they are right and their pseudo-labels wrong.`

func runEval(ctx context.Context, args []string) error {
	f := newFlags("eval", evalIntro).withConfig()
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
	if err := f.parse(args, 0); err != nil {
		return err
	}
	switch {
	case *binary && *labels == "" && len(against) == 0:
		return usagef("eval: -binary is about the folders of -labels and -against: name one")
	case *void && (*labels == "" || *submission == ""):
		return usagef("eval: -void-as-background goes with -labels and -submission")
	}
	if err := namedExist(nets, *labels); err != nil {
		return err
	}
	f.configOptional = len(nets) > 0 || *labels != ""
	p, err := openAlone(f)
	if err != nil {
		return err
	}
	defer p.close()
	p.only, p.binary = *only, *binary
	if *split != "" {
		p.cfg.Data.ValSplit = *split
	}
	if err := p.addAgainst(against); err != nil {
		return err
	}
	sources := p.sources()
	if !f.configOptional {
		if err := p.checkNames(sources); err != nil {
			return err
		}
	}
	if err := p.preflight(parts{eval: !f.configOptional}); err != nil {
		return err
	}
	if f.configOptional {
		sources = append(p.named(nets, *labels), p.againstSources()...)
	}
	switch {
	case *submission != "" && *labels != "":
		return p.pack(ctx, *labels, *submission, *void)
	case *submission != "":
		return p.submit(ctx, sources, *submission)
	}
	if !f.configOptional {
		p.noteStale(ctx)
	}
	rows, err := p.score(ctx, sources)
	if err != nil {
		return err
	}
	if *page {
		if err := p.report(ctx, rows); err != nil {
			return err
		}
	}
	look := inReport
	if !*page {
		look = "-report makes a page that shows them"
	}
	printRows(rows, look)
	p.tellResults(rows)
	if *page {
		fmt.Fprintf(stdout, "report: %s\n", p.path(report.HTMLName))
	}
	return nil
}

// tellResults says where the scores of the rows are, and the label maps that
// were predicted for them.
func (p *pipeline) tellResults(rows []report.Row) {
	fmt.Fprintf(stdout, "scores: %s\n", p.path("results"))
	dir := p.path("predictions")
	if slices.ContainsFunc(rows, func(r report.Row) bool { return filepath.Dir(r.Labels) == dir }) {
		fmt.Fprintf(stdout, "label maps: %s\n", dir)
	}
}

// netArg takes [NAME=]FILE apart; a file whose name has a = in it comes first.
func netArg(arg string) (name, path string) {
	name, path, ok := strings.Cut(arg, "=")
	if !ok || files.Exists(arg) {
		return netName(arg), arg
	}
	return name, path
}

// namedExist refuses what the user typed and is not there, before anything
// else is looked at.
func namedExist(nets []string, labels string) error {
	for _, arg := range nets {
		if _, path := netArg(arg); !files.Exists(path) {
			return usagef("-checkpoint %s: there is no file or folder %s", arg, path)
		}
	}
	if labels != "" && !files.Exists(labels) {
		return usagef("-labels: there is no folder %s", labels)
	}
	return nil
}

// named are the rows of -checkpoint and -labels.
func (p *pipeline) named(nets []string, labels string) []source {
	var list []source
	for _, arg := range nets {
		name, path := netArg(arg)
		list = append(list, p.networkSource(name, path, eval.KindNetwork, ""))
	}
	if labels != "" {
		list = append(list, p.folderSource(labelled{name: filepath.Base(labels), dir: labels, split: p.cfg.Data.ValSplit, kind: eval.KindAgainst}, ""))
	}
	return list
}

// addAgainst turns NAME=FOLDER into rows of the validation split; the config's
// eval.against can name another one.
func (p *pipeline) addAgainst(flags []string) error {
	for _, a := range flags {
		name, dir, ok := strings.Cut(a, "=")
		if !ok || name == "" || dir == "" {
			return usagef("-against %s: want NAME=FOLDER", a)
		}
		if !files.Exists(dir) {
			return usagef("-against %s: there is no folder %s", a, dir)
		}
		p.cfg.Eval.Against = append(p.cfg.Eval.Against, configs.Against{Name: name, Dir: dir, Split: p.cfg.Data.ValSplit})
	}
	return nil
}

// evalPseudo scores the labels that the network is trained on. Own data
// without masks has quality scores and pictures only.
func (p *pipeline) evalPseudo(ctx context.Context, dir string) (report.Row, error) {
	if dir == p.labelsDir() {
		if err := checkGenerated(dir); err != nil {
			p.skip("pseudo-labels", "%v", err)
			return report.Row{}, nil
		}
	}
	ids, err := p.trainIDs(dir)
	if err != nil {
		return report.Row{}, err
	}
	f := labelled{name: "pseudo-labels", dir: dir, split: p.cfg.Data.TrainSplit, kind: eval.KindPseudo, ids: ids}
	if dir == p.labelsDir() {
		f.hash, f.settings = p.cfg.GenHash(), methodSettings(p.cfg.Gen)
	}
	row, err := p.evalFolder(ctx, f)
	if err != nil || dir != p.labelsDir() {
		return row, err
	}
	return p.withQuality(ctx, row, dir, ids)
}

// zeroShotLabeller is a zero-shot row as a stage one.
func zeroShotLabeller(z configs.ZeroShot) labeller {
	return labeller{fmt.Sprintf("eval.zero_shot %q: ", z.Name), configs.Gen{Method: z.Method, Weak: string(data.WeakNone), Fuse: z.Fuse, Options: z.Options}}
}

// evalZeroShot labels the validation split with a method that needs neither
// weak labels nor training, and scores it.
func (p *pipeline) evalZeroShot(ctx context.Context, z configs.ZeroShot) (report.Row, error) {
	cfg, l := p.cfg, zeroShotLabeller(z)
	cfg.Gen = l.Gen
	method, err := p.method(l)
	if err != nil {
		return report.Row{}, err
	}
	fuser, err := gen.NewFuser(z.Fuse, p.ds.Classes())
	if err != nil {
		return report.Row{}, err
	}
	weights := gen.WeightsOf(method)
	return p.predictRow(ctx, p.cfg.Data.ValSplit, zeroshot.Predictor{Method: method, Fuser: fuser}, nil, eval.Options{
		Name: z.Name, Kind: eval.KindZeroShot, RunHash: cfg.GenHash() + fmt.Sprint(weights),
		Settings: methodSettings(cfg.Gen), Provenance: p.provenance(weights),
	})
}

// predictions changes where the same network labels the same image otherwise
// than before: predictions of earlier versions are not taken up.
const predictions = "stretched"

// predictRow labels a split and scores it; a split without masks makes no row.
// Predictions of an earlier run with the same o.RunHash and test-time choices
// are taken up.
func (p *pipeline) predictRow(ctx context.Context, split string, predictor models.Predictor, testTime map[string]string, o eval.Options) (report.Row, error) {
	has, err := p.hasTruth(split)
	if err != nil {
		return report.Row{}, err
	}
	if !has && !p.unscored && p.anyTruth() {
		p.skip(o.Name, "the split %q has no true masks (-submission labels and packs such a split)", split)
		return report.Row{}, nil
	}
	o.RunHash += fmt.Sprint(testTime) + predictions
	o.Workers, o.Boundary, o.AllowNoTruth, o.Boot.Seed = p.cfg.Eval.Workers, p.cfg.Eval.Boundary, true, uint64(p.cfg.Seed)
	o.Hashes, o.Log = p.hashes, func(line string) { p.say("  %s", line) }
	dir := p.path("predictions", fileName(o.Name))
	title := "score "
	if !has {
		title = "label "
	}
	var r *eval.Result
	err = p.stage(ctx, title+o.Name, func(progress func(done, total int)) (err error) {
		r, err = eval.Predict(ctx, p.ds, split, predictor, dir, o, progress)
		return err
	})
	p.saveHashes()
	if err != nil {
		return report.Row{}, err
	}
	row := report.Row{Result: r, Labels: dir}
	if !has {
		row.Shown, err = p.ds.IDs(split)
	}
	return row, errors.Join(err, p.saveResult(o.Name, r))
}

// anyTruth tells whether anything of the run can be scored. Where nothing can,
// as with photos of one's own, networks label the validation split all the
// same: looking at it is how they are judged.
func (p *pipeline) anyTruth() bool {
	for _, split := range []string{p.cfg.Data.TrainSplit, p.cfg.Data.ValSplit} {
		if has, err := p.hasTruth(split); err == nil && has {
			return true
		}
	}
	return false
}

// loadNetwork opens a checkpoint for prediction with the test-time choices of
// the config.
func (p *pipeline) loadNetwork(checkpoint string) (*train.Predictor, error) {
	b, err := p.backend()
	if err != nil {
		return nil, err
	}
	return train.LoadPredictor(b, checkpoint, train.PredictOptions{Scales: p.cfg.Eval.Scales, Flip: p.cfg.Eval.Flip, Bucket: p.cfg.Eval.Bucket, Warn: func(line string) { p.say("%s", line) }})
}

// checkpointHash is the SHA-256 of the checkpoint file that LoadPredictor takes.
func checkpointHash(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		c, err := checkpoints.Latest(path, nil)
		if err != nil {
			return "", err
		}
		defer c.Close()
		path = c.Path
	}
	return files.SHA256(path)
}

// labelled is a row of label maps that are there already.
type labelled struct {
	name, dir, split string
	kind             eval.Kind
	hash             string // of the run that made them; "" = not known
	settings         map[string]string
	ids              []string // of the split, those that have a label map; nil = all
}

// evalFolder scores a folder of label maps; a split without masks makes no row.
func (p *pipeline) evalFolder(ctx context.Context, f labelled) (report.Row, error) {
	has, err := p.hasTruth(f.split)
	if err == nil && has && f.ids != nil {
		has, err = data.AnyTruth(ctx, p.ds, f.ids)
	}
	if err != nil || !has {
		p.skip(f.name, "the split %q has no true masks", f.split)
		return report.Row{}, err
	}
	var r *eval.Result
	err = p.stage(ctx, "score "+f.name, func(progress func(done, total int)) (err error) {
		r, err = eval.Folder(ctx, p.ds, f.split, f.dir, eval.Options{
			Name: f.name, Kind: f.kind, AllowNoTruth: true, IDs: f.ids, Binary: p.binary && f.kind == eval.KindAgainst, Workers: p.cfg.Eval.Workers, Boundary: p.cfg.Eval.Boundary,
			Boot: metrics.Boot{Seed: uint64(p.cfg.Seed)}, Provenance: p.provenance(nil), Settings: f.settings,
		}, progress)
		return err
	})
	if err != nil {
		return report.Row{}, err
	}
	for _, note := range r.Notes {
		p.say("warning: %s: %s", f.name, note)
	}
	if r.PerSecond = 0; f.hash != "" {
		r.PerSecond = eval.Speed(f.dir, f.hash)
		if stages := eval.StageSeconds(f.dir, f.hash); stages != nil {
			r.Settings = join(r.Settings, map[string]string{report.Stages: gen.TimesOf(stages).String()})
		}
	}
	return report.Row{Result: r, Labels: f.dir}, p.saveResult(f.name, r)
}

// saveResult writes a row where the report looks for it.
func (p *pipeline) saveResult(name string, r *eval.Result) error {
	return files.WriteJSON(p.path("results", fileName(name)+".json"), r)
}

// fileName keeps a row's name usable as a file name.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, name)
}

func netName(checkpoint string) string {
	base := filepath.Base(checkpoint)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// provenance is what a number can be reproduced from.
func (p *pipeline) provenance(weights map[string]string) eval.Provenance {
	return eval.Provenance{
		ConfigHash: p.cfg.TrainHash(), Weights: weights, Versions: versions(), Backend: p.backendName(),
		Command: strings.Join(append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...), " "), Seed: p.cfg.Seed,
	}
}

// inReport is where to look at rows without scores.
const inReport = "the report shows the labels and what the networks see"

// printRows prints one line per row. Where none has a score it says so, and
// where to look instead, and gives false.
func printRows(rows []report.Row, look string) bool {
	if !slices.ContainsFunc(rows, func(r report.Row) bool { return r.Images > 0 }) {
		var splits []string
		for _, r := range rows {
			if split := fmt.Sprintf("%q", r.Split); !slices.Contains(splits, split) {
				splits = append(splits, split)
			}
		}
		fmt.Fprintf(stdout, "\nnothing could be scored: no true masks in %s; %s\n", strings.Join(splits, " and "), look)
		return false
	}
	width := 28
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r.Name))
	}
	fmt.Fprintf(stdout, "\n%-*s %-13s %-10s %7s %7s %8s %9s\n", width, "", "kind", "split", "mIoU", "pixacc", "images", "images/s")
	for _, r := range rows {
		speed := "–"
		if r.PerSecond > 0 {
			speed = fmt.Sprintf("%.4g", r.PerSecond)
		}
		fmt.Fprintf(stdout, "%-*s %-13s %-10s %7s %7s %8d %9s\n", width, r.Name, r.Kind, r.Split, r.MIoU.Percent(), r.PixelAcc.Percent(), r.Images, speed)
	}
	return true
}
