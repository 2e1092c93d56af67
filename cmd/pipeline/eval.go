package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"wsss/checkpoints"
	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/metrics"
	"wsss/data/words"
	"wsss/eval"
	"wsss/eval/report"
	"wsss/eval/zeroshot"
	"wsss/gen"
	"wsss/models"
	"wsss/train"
)

// netArg takes [NAME=]FILE apart; a file whose name has a = in it comes first.
func netArg(arg string) (name, path string) {
	name, path, ok := strings.Cut(arg, "=")
	if !ok || files.Exists(arg) {
		return netName(arg), arg
	}
	return name, path
}

// Named are the rows of -checkpoint and -labels.
func (p *Run) Named(nets []string, labels string) []Source {
	var list []Source
	for _, arg := range nets {
		name, path := netArg(arg)
		list = append(list, p.networkSource(name, path, eval.KindNetwork, ""))
	}
	if labels != "" {
		list = append(list, p.folderSource(labelled{name: filepath.Base(labels), dir: labels, split: p.Config.Data.ValSplit, kind: eval.KindAgainst}, ""))
	}
	return list
}

// AddAgainst turns NAME=FOLDER into rows of the validation split; the config's
// eval.against can name another one.
func (p *Run) AddAgainst(flags []string) error {
	for _, a := range flags {
		name, dir, ok := strings.Cut(a, "=")
		if !ok || name == "" || dir == "" {
			return Usagef("-against %s: want NAME=FOLDER", a)
		}
		if !files.Exists(dir) {
			return Usagef("-against %s: there is no folder %s", a, dir)
		}
		p.Config.Eval.Against = append(p.Config.Eval.Against, configs.Against{Name: name, Dir: dir, Split: p.Config.Data.ValSplit})
	}
	return nil
}

// evalPseudo scores the labels that the network is trained on. Own data
// without masks has quality scores and pictures only.
func (p *Run) evalPseudo(ctx context.Context, dir string) (report.Row, error) {
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
	f := labelled{name: "pseudo-labels", dir: dir, split: p.Config.Data.TrainSplit, kind: eval.KindPseudo, ids: ids}
	if dir == p.labelsDir() {
		f.hash, f.settings = p.Config.GenHash(), methodSettings(p.Config.Gen)
	}
	row, err := p.evalFolder(ctx, f)
	if err != nil || dir != p.labelsDir() || p.Shard.Count > 0 {
		return row, err
	}
	return p.withQuality(ctx, row, dir, ids)
}

// zeroShotLabeller is a zero-shot row as a stage one.
func zeroShotLabeller(z configs.ZeroShot) Labeller {
	return Labeller{fmt.Sprintf("eval.zero_shot %q: ", z.Name), configs.Gen{Method: z.Method, Weak: string(data.WeakNone), Fuse: z.Fuse, Options: z.Options}}
}

// evalZeroShot labels the validation split with a method that needs neither
// weak labels nor training, and scores it.
func (p *Run) evalZeroShot(ctx context.Context, z configs.ZeroShot) (report.Row, error) {
	cfg, l := p.Config, zeroShotLabeller(z)
	cfg.Gen = l.Gen
	method, env, err := p.methodIn(l)
	if err != nil {
		return report.Row{}, err
	}
	others, err := p.copies(l, env)
	if err != nil {
		return report.Row{}, err
	}
	fuser, err := gen.NewFuser(z.Fuse, p.Dataset.Classes())
	if err != nil {
		return report.Row{}, err
	}
	weights := gen.WeightsOf(method)
	list := []models.Predictor{zeroshot.Predictor{Method: method, Fuser: fuser}}
	for _, m := range others {
		list = append(list, zeroshot.Predictor{Method: m, Fuser: fuser})
	}
	notes := gen.Warnings(method)
	if known, of, err := p.learntFrom(method, p.Config.Data.ValSplit); err != nil {
		return report.Row{}, err
	} else if known > 0 {
		notes = append(notes, fmt.Sprintf("the method learnt from %d of the %d photos that are scored: that number is no test", known, of))
	}
	read, err := inputsHash(method, p.Config.Data.ValSplit, p)
	if err != nil {
		return report.Row{}, err
	}
	row, err := p.predictRow(ctx, p.Config.Data.ValSplit, eval.Pool(list), nil, eval.Options{
		Name: z.Name, Kind: eval.KindZeroShot, RunHash: cfg.GenHash() + fmt.Sprint(weights) + read,
		Settings: methodSettings(cfg.Gen), Provenance: p.provenance(weights),
	})
	if err != nil || row.Result == nil {
		return row, err
	}
	for _, n := range notes {
		p.Alert("warning: %s: %s", z.Name, n)
	}
	if len(notes) > 0 {
		row.Result.Notes = append(row.Result.Notes, notes...)
		err = p.saveResult(z.Name, row.Result)
	}
	return row, err
}

// learntFrom counts the photos of a split that a method learnt from.
func (p *Run) learntFrom(method gen.Method, split string) (known, of int, err error) {
	taught, ok := method.(gen.Taught)
	if !ok {
		return 0, 0, nil
	}
	ids, err := p.Dataset.IDs(split)
	if err != nil {
		return 0, 0, err
	}
	for _, id := range ids {
		path := p.Dataset.ImagePath(id)
		if path == "" {
			continue
		}
		sum, err := p.hashes.SHA256(path)
		if err != nil {
			return 0, 0, err
		}
		if taught.LearntFrom(sum) {
			known++
		}
	}
	return known, len(ids), nil
}

// inputsHash identifies the files that a method reads for the photos of a split,
// such as a bank of regions: predictions are made anew where they change.
func inputsHash(method gen.Method, split string, p *Run) (string, error) {
	ids, err := p.Dataset.IDs(split)
	if err != nil {
		return "", err
	}
	seen, text := map[string]bool{}, ""
	for _, id := range ids {
		paths, err := gen.InputFiles(method, id)
		if err != nil {
			return "", err
		}
		for _, path := range paths {
			if seen[path] {
				continue
			}
			seen[path] = true
			sum, err := p.hashes.Tree(path)
			if err != nil {
				return "", err
			}
			text += sum
		}
	}
	if text == "" {
		return "", nil
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text))), nil
}

// predictions changes where the same network labels the same image otherwise
// than before: predictions of earlier versions are not taken up.
const predictions = "stretched"

// predictRow labels a split and scores it; a split without masks makes no row.
// Predictions of an earlier run with the same o.RunHash and test-time choices
// are taken up.
func (p *Run) predictRow(ctx context.Context, split string, predictor models.Predictor, testTime map[string]string, o eval.Options) (report.Row, error) {
	has, err := p.HasTruth(split)
	if err != nil {
		return report.Row{}, err
	}
	if !has && !p.unscored && p.anyTruth() {
		p.skip(o.Name, "the split %q has no true masks (-submission labels and packs such a split)", split)
		return report.Row{}, nil
	}
	o.RunHash += fmt.Sprint(testTime) + predictions
	o.Workers, o.Boundary, o.AllowNoTruth, o.Boot.Seed = p.Config.Eval.Workers, p.Config.Eval.Boundary, true, uint64(p.Config.Seed)
	o.Hashes, o.Log = p.hashes, func(line string) { p.Say("  %s", line) }
	dir := p.Path("predictions", FileName(o.Name))
	title := "score "
	if !has {
		title = "label "
	}
	r, err := p.parted(ctx, scored{split, dir, title, func(ctx context.Context, o eval.Options, progress eval.Progress) (*eval.Result, error) {
		return eval.Predict(ctx, p.Dataset, split, predictor, dir, o, progress)
	}}, o)
	p.saveHashes()
	if err != nil || r == nil {
		return report.Row{}, err
	}
	row := report.Row{Result: r, Labels: dir}
	if !has {
		row.Shown, err = p.Dataset.IDs(split)
	}
	return row, errors.Join(err, p.saveResult(o.Name, r))
}

// anyTruth tells whether anything of the run can be scored. Where nothing can,
// as with photos of one's own, networks label the validation split all the
// same: looking at it is how they are judged.
func (p *Run) anyTruth() bool {
	for _, split := range []string{p.Config.Data.TrainSplit, p.Config.Data.ValSplit} {
		if has, err := p.HasTruth(split); err == nil && has {
			return true
		}
	}
	return false
}

// LoadNetwork opens a checkpoint for prediction with the test-time choices of
// the config.
func (p *Run) LoadNetwork(checkpoint string) (*train.Predictor, error) {
	b, err := p.OpenBackend()
	if err != nil {
		return nil, err
	}
	return train.LoadPredictor(b, checkpoint, train.PredictOptions{Scales: p.Config.Eval.Scales, Flip: p.Config.Eval.Flip, Bucket: p.Config.Eval.Bucket, Warn: func(line string) { p.Say("%s", line) }})
}

// CheckpointHash is the SHA-256 of the checkpoint file that LoadPredictor takes.
func CheckpointHash(path string) (string, error) {
	if info, err := files.Stat(path); err == nil && info.IsDir() {
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
func (p *Run) evalFolder(ctx context.Context, f labelled) (report.Row, error) {
	has, err := p.HasTruth(f.split)
	if err == nil && has && f.ids != nil {
		has, err = data.AnyTruth(ctx, p.Dataset, f.ids)
	}
	if err != nil || !has {
		p.skip(f.name, "the split %q has no true masks", f.split)
		return report.Row{}, err
	}
	r, err := p.parted(ctx, scored{f.split, f.dir, "score ", func(ctx context.Context, o eval.Options, progress eval.Progress) (*eval.Result, error) {
		return eval.Folder(ctx, p.Dataset, f.split, f.dir, o, progress)
	}}, eval.Options{
		Name: f.name, Kind: f.kind, RunHash: f.hash, AllowNoTruth: true, IDs: f.ids, Binary: p.Binary && f.kind == eval.KindAgainst, Workers: p.Config.Eval.Workers, Boundary: p.Config.Eval.Boundary,
		Boot: metrics.Boot{Seed: uint64(p.Config.Seed)}, Provenance: p.provenance(nil), Settings: f.settings,
	})
	if err != nil || r == nil {
		return report.Row{}, err
	}
	for _, note := range r.Notes {
		p.Say("warning: %s: %s", f.name, note)
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
func (p *Run) saveResult(name string, r *eval.Result) error {
	return files.WriteJSON(p.Path("results", FileName(name)+".json"), r)
}

// FileName keeps a row's name usable as a file name.
func FileName(name string) string {
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

// commandLine is a command as a shell takes it.
func commandLine(name string, args []string) string {
	for _, arg := range args {
		name += " " + words.Shell(arg)
	}
	return name
}

// provenance is what a number can be reproduced from.
func (p *Run) provenance(weights map[string]string) eval.Provenance {
	return eval.Provenance{
		ConfigHash: p.Config.TrainHash(), Weights: weights, Versions: Versions(), Backend: p.backendName(),
		Command: commandLine(filepath.Base(os.Args[0]), os.Args[1:]), Seed: p.Config.Seed,
	}
}
