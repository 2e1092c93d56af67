// Package pipeline is a run from its config to its report: pseudo-labels from
// weak labels, a network trained on them, scores, and one page that shows all.
//
//	cfg, err := configs.Load("my.toml", nil)
//	run, err := pipeline.Open(cfg, pipeline.Options{})
//	rows, err := run.All(ctx)
//
// Each stage runs alone, too (Gen, TrainAll, Eval, Report), takes up what is
// done and leaves the rest; the folders that they write are those of Run.
// Command wsss is flags, help and printing around this package.
package pipeline

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
	"wsss/checkpoints/files/lock"
	"wsss/configs"
	"wsss/data"
	_ "wsss/data/all" // dataset kinds
	"wsss/data/corrections"
	"wsss/data/names"
	"wsss/data/words"
	"wsss/eval/report"
	"wsss/models/backend"
)

// Run is one run: its config, its dataset, and where each stage writes.
//
//	out/config.toml       the config, defaults filled in
//	out/gen/              pseudo-labels: <id>.png and <id>.json
//	out/train/pseudo/     network trained on them: checkpoints, log, curves
//	out/train/bound/      the same network trained on true masks
//	out/predictions/NET/  its label maps of the validation split
//	out/results/*.json    scores
//	out/report.html       everything in one page
type Run struct {
	Options
	debugSize bool // the warning of debug-size models has been given
	Config    configs.Config
	genDir    string   // pseudo-labels that runs share; "" = out/gen
	unscored  bool     // also label splits without true masks
	skipped   []string // why rows were left out
	noBound   bool     // no image of the training split has a true mask
	said      map[string]bool
	truth     map[string]bool // splits with a true mask
	Failed    []error         // what a run that keeps going left out
	held      *lock.Lock      // of out; nil for commands that share it
	Dataset   data.Dataset
	Backend   compute.Backend   // opened on first use
	others    []compute.Backend // of further devices
	hashes    *files.Hashes     // of the data's files
}

// networks that a run may train: what they are called and how they are shown.
const (
	NetPseudo = "pseudo"
	NetBound  = "bound"
)

// Open opens a run: its dataset is there, and its config is written into
// its folder.
func Open(cfg configs.Config, o Options) (p *Run, err error) {
	if err := Mount(&cfg); err != nil {
		return nil, InFile(o.File, UsageError{Err: err})
	}
	p = &Run{Options: o, Config: cfg}
	if err := report.CheckPublished(cfg.Eval); err != nil {
		return nil, InFile(o.File, UsageError{Err: err})
	}
	p.Dataset, err = OpenData(cfg.Data, cfg.Seed)
	if err != nil && !errors.As(err, new(UsageError)) && cfg.Data.Kind != "scenes" && !files.Exists(cfg.Data.Root) {
		return nil, MissingError{Lacks: []string{dataLack(err)}}
	}
	if err != nil && cfg.Data.Kind == "scenes" && errors.As(err, new(*fs.PathError)) {
		return nil, err // the scenes could not be written: the config is right
	}
	if err != nil {
		return nil, InFile(o.File, UsageError{Err: err})
	}
	p.correct()
	files.Sweep(p.Path()) // what a killed command left; those that go on are locked
	p.hashes = files.OpenHashes(p.Path(files.HashesName))
	return p, p.recordConfig()
}

// Corrected is a config's dataset with what was corrected in review, as a run sees it.
func Corrected(cfg configs.Config, ds data.Dataset) data.Dataset {
	p := &Run{Config: cfg, Dataset: ds}
	p.correct()
	return p.Dataset
}

// OpenData opens the dataset that a table [data] names; seed is that of what is
// generated or drawn in it. What is wrong with the table, and not with the files, is a
// UsageError.
func OpenData(d configs.Data, seed int64) (data.Dataset, error) {
	ds, err := data.Open(d.Kind, data.Options{Root: d.Root, Seed: seed, Extra: d.Options})
	if errors.As(err, new(*configs.KeyError)) {
		err = UsageError{Err: err}
	}
	return ds, err
}

// recordConfig writes the resolved config into the run folder, for people and
// for later stages.
func (p *Run) recordConfig() error {
	if err := names.MarkRun(p.Config.Out); err != nil {
		return err
	}
	path := p.Path("config.toml")
	cfg := p.Config
	cfg.Needs = nil // named from elsewhere, and made by now
	text := configText(cfg)
	if old, err := files.ReadLimited(path, files.MaxRecord); err == nil && string(old) == text {
		return nil
	}
	return files.WriteAtomic(path, func(w io.Writer) error { _, err := w.Write([]byte(text)); return err })
}

// Mount turns addresses of object storage in a config into the paths that the
// rest of it works with; folders stay. The run's folder and the corrections are
// written; all else is read.
func Mount(cfg *configs.Config) (err error) {
	root := cfg.Data.Root
	if cfg.Out, err = files.Mount("out", cfg.Out, false); err != nil {
		return err
	}
	err = cfg.MapTexts(func(key, text string) (string, error) {
		// Of these keys an address that is none, ftp://…, is told of.
		place := slices.Contains([]string{"data.root", "data.corrections", "train.labels"}, key)
		if !place && !files.IsAddress(text) {
			return text, nil
		}
		bare, _, _ := strings.Cut(text, "?")
		return files.Mount(key, text, key != "data.corrections" && !below(cfg.Out, bare))
	})
	if err != nil {
		return err
	}
	if dir := corrections.DirOf(cfg.Data.Corrections, cfg.Data.Root, cfg.Out); files.IsRemote(dir) && cfg.Data.Corrections == "" && cfg.Data.Root != root {
		bucket, options, _ := strings.Cut(root, "?")
		_, err = files.Mount("data.root", strings.TrimRight(bucket, "/")+"/corrections?"+options, false)
	}
	return err
}

// below tells whether a path is that of a folder, or lies in it.
func below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// configText is a config as a file, with addresses in place of paths of object
// storage.
func configText(cfg configs.Config) string {
	_ = cfg.MapTexts(func(_, text string) (string, error) { return files.Address(text), nil })
	return cfg.TOML()
}

// Path joins parts below the run folder.
func (p *Run) Path(parts ...string) string {
	return filepath.Join(append([]string{p.Config.Out}, parts...)...)
}

// labelsDir is where gen writes.
func (p *Run) labelsDir() string {
	if p.genDir != "" {
		return p.genDir
	}
	return p.Path("gen")
}

// OpenBackend opens the engine on first use and says which one it is.
func (p *Run) OpenBackend() (compute.Backend, error) {
	if p.Backend != nil {
		return p.Backend, nil
	}
	if p.Config.Deterministic {
		backend.Deterministic()
	}
	b, err := p.openDevices()
	if err != nil {
		return nil, err
	}
	p.Backend = b
	p.Say("backend %s", b.Description())
	if n := len(p.others); n > 0 {
		p.Say("on %d devices", 1+n)
	}
	if advice := backend.GPUAdvice(b); advice != "" && p.Config.Backend == "" && os.Getenv(backend.EnvBackend) == "" {
		p.Alert("warning: %s", advice)
	}
	if backend.KindOf(b) == backend.Go && !strings.Contains(Versions()["goexperiment"], "simd") {
		p.Say("note: this binary lacks vector kernels and is about ten times slower than need be; build it with `make`")
	}
	return b, nil
}

// openDevices opens the engine, on as many devices as were asked for.
func (p *Run) openDevices() (compute.Backend, error) {
	if p.Devices == 0 || p.Devices == 1 {
		return backend.Open(p.Config.Backend)
	}
	list, err := backend.OpenDevices(p.Config.Backend, max(p.Devices, 0))
	if err != nil {
		return nil, err
	}
	p.others = list[1:]
	return list[0], nil
}

func (p *Run) backendName() string {
	if p.Backend == nil {
		return ""
	}
	return p.Backend.Description()
}

// Step runs do with a progress bar of its own.
func (p *Run) Step(ctx context.Context, title string, do func(progress func(done, total int)) error) error {
	return p.withBar(ctx, title, func(b Stage) error { return do(b.Update) })
}

// withBar is stage for work that says more than how far it is.
func (p *Run) withBar(ctx context.Context, title string, do func(b Stage) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := p.bar(title)
	before, spent := backend.Compilations(), backend.CompileTime()
	err := do(b)
	if err == nil {
		b.Finish()
		if n := backend.Compilations() - before; n > 0 && p.Backend != nil && backend.KindOf(p.Backend) == backend.XLA {
			p.Say("%s: compiled for %s in %.1f s", title, words.Plural(n, "shape"), (backend.CompileTime() - spent).Seconds())
		}
	} else {
		b.Abort()
	}
	return err
}
