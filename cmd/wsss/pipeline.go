package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
	"wsss/checkpoints/files/lock"
	"wsss/configs"
	"wsss/data"
	_ "wsss/data/all" // dataset kinds
	"wsss/eval/report"
	"wsss/models/backend"
)

// options are the choices of one call, beside the config, and who is told what
// happens.
type options struct {
	file      string // that the config comes from, for messages; "" = none
	restart   bool   // replace trainings of another config
	keepGoing bool   // go on without the images that fail
	only      string // the only row to score; "" = all
	binary    bool   // label maps of other tools with only 0 and 255 are of class 1

	log   func(line string)        // what happens; nil = nobody is told
	warn  func(line string)        // what a person should know in any case: damage, work that is not as before, images left out; nil = nobody is told
	show  func(title string) stage // shows how far a stage is; nil = nobody is shown
	print io.Writer                // tables for a person; nil = none
}

// stage shows how far one stage of a run is.
type stage interface {
	// Update says how many items are done. Safe for concurrent use.
	Update(done, total int)
	// Trains makes it one of a training, with so many images per update.
	Trains(images int)
	// Learned notes the loss and the learning rate of the last update of the
	// network of a number; it comes before the update is counted.
	Learned(net int, loss, rate float64)
	// Finish or Abort ends it.
	Finish()
	Abort()
}

// silent is a stage that nobody sees.
type silent struct{}

func (silent) Update(done, total int)              {}
func (silent) Trains(images int)                   {}
func (silent) Learned(net int, loss, rate float64) {}
func (silent) Finish()                             {}
func (silent) Abort()                              {}

// pipeline is one run: its config, its dataset, and where each stage writes.
//
//	out/config.toml       the config, defaults filled in
//	out/gen/              pseudo-labels: <id>.png and <id>.json
//	out/train/pseudo/     network trained on them: checkpoints, log, curves
//	out/train/bound/      the same network trained on true masks
//	out/predictions/NET/  its label maps of the validation split
//	out/results/*.json    scores
//	out/report.html       everything in one page
type pipeline struct {
	options
	debugSize bool // the warning of debug-size models has been given
	cfg       configs.Config
	genDir    string   // pseudo-labels that runs share; "" = out/gen
	unscored  bool     // also label splits without true masks
	skipped   []string // why rows were left out
	noBound   bool     // no image of the training split has a true mask
	said      map[string]bool
	truth     map[string]bool // splits with a true mask
	failed    []error         // what a run that keeps going left out
	held      *lock.Lock      // of out; nil for commands that share it
	ds        data.Dataset
	eng       compute.Backend // opened on first use
	hashes    *files.Hashes   // of the data's files
}

// networks that a run may train: what they are called and how they are shown.
const (
	netPseudo = "pseudo"
	netBound  = "bound"
)

func openPipeline(f *flags) (*pipeline, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	return newPipeline(cfg, f.options())
}

// inFile says which file a wrong config is in; other errors stay.
func inFile(file string, err error) error {
	var usage usageError
	if file == "" || !errors.As(err, &usage) {
		return err
	}
	return usageError{fmt.Errorf("%s: %w", file, err)}
}

// newPipeline opens a run: its dataset is there, and its config is written into
// its folder.
func newPipeline(cfg configs.Config, o options) (p *pipeline, err error) {
	p = &pipeline{options: o, cfg: cfg}
	if err := report.CheckPublished(cfg.Eval); err != nil {
		return nil, inFile(o.file, usageError{err})
	}
	p.ds, err = data.Open(cfg.Data.Kind, data.Options{Root: cfg.Data.Root, Seed: cfg.Seed, Extra: cfg.Data.Options})
	if err != nil && cfg.Data.Kind != "scenes" && !files.Exists(cfg.Data.Root) {
		return nil, missingError{lacks: []string{dataLack(err)}}
	}
	if err != nil && cfg.Data.Kind == "scenes" && errors.As(err, new(*fs.PathError)) {
		return nil, err // the scenes could not be written: the config is right
	}
	if err != nil {
		return nil, inFile(o.file, usageError{err})
	}
	p.correct()
	p.hashes = files.OpenHashes(p.path(files.HashesName))
	return p, p.recordConfig()
}

// recordConfig writes the resolved config into the run folder, for people and
// for later stages.
func (p *pipeline) recordConfig() error {
	path := p.path("config.toml")
	cfg := p.cfg
	cfg.Needs = nil // named from elsewhere, and made by now
	text := cfg.TOML()
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	return files.WriteAtomic(path, func(w io.Writer) error { _, err := w.Write([]byte(text)); return err })
}

// path joins parts below the run folder.
func (p *pipeline) path(parts ...string) string {
	return filepath.Join(append([]string{p.cfg.Out}, parts...)...)
}

// labelsDir is where gen writes.
func (p *pipeline) labelsDir() string {
	if p.genDir != "" {
		return p.genDir
	}
	return p.path("gen")
}

// backend opens the engine on first use and says which one it is.
func (p *pipeline) backend() (compute.Backend, error) {
	if p.eng != nil {
		return p.eng, nil
	}
	if p.cfg.Deterministic {
		backend.Deterministic()
	}
	b, err := backend.Open(p.cfg.Backend)
	if err != nil {
		return nil, err
	}
	p.eng = b
	p.say("backend %s", b.Description())
	if advice := backend.GPUAdvice(b); advice != "" && p.cfg.Backend == "" && os.Getenv(backend.EnvBackend) == "" {
		p.alert("warning: %s", advice)
	}
	if backend.KindOf(b) == backend.Go && !strings.Contains(versions()["goexperiment"], "simd") {
		p.say("note: this binary lacks vector kernels and is about ten times slower than need be; build it with `make`")
	}
	return b, nil
}

func (p *pipeline) backendName() string {
	if p.eng == nil {
		return ""
	}
	return p.eng.Description()
}

func (p *pipeline) say(format string, args ...any) {
	if p.log != nil {
		p.log(fmt.Sprintf(format, args...))
	}
}

// alert says what a person should know in any case.
func (o options) alert(format string, args ...any) {
	if o.warn != nil {
		o.warn(fmt.Sprintf(format, args...))
	}
}

// out is where tables for a person are printed.
func (o options) out() io.Writer {
	if o.print == nil {
		return io.Discard
	}
	return o.print
}

// bar shows how far a stage is.
func (o options) bar(title string) stage {
	if o.show == nil {
		return silent{}
	}
	return o.show(title)
}

// stage runs do with a progress bar of its own.
func (p *pipeline) stage(ctx context.Context, title string, do func(progress func(done, total int)) error) error {
	return p.withBar(ctx, title, func(b stage) error { return do(b.Update) })
}

// withBar is stage for work that says more than how far it is.
func (p *pipeline) withBar(ctx context.Context, title string, do func(b stage) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := p.bar(title)
	before := backend.Compilations()
	err := do(b)
	if err == nil {
		b.Finish()
		if n := backend.Compilations() - before; n > 0 && p.eng != nil && backend.KindOf(p.eng) == backend.XLA {
			p.say("%s: compiled for %d shapes", title, n)
		}
	} else {
		b.Abort()
	}
	return err
}
