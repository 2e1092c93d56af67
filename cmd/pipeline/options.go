package pipeline

import (
	"fmt"
	"io"

	"wsss/configs"
	"wsss/gen"
	"wsss/models/backend"
	"wsss/models/backend/nativelib"
)

// Options are the choices of one call, beside the config, and who is told what
// happens.
type Options struct {
	File      string // that the config comes from, for messages; "" = none
	Restart   bool   // replace trainings of another config
	KeepGoing bool   // go on without the images that fail
	Only      string // the only row to score; "" = all
	// Shard is the part of each row that Eval scores, and Merge adds the parts up.
	Shard gen.Shard
	Merge bool

	Binary bool // label maps of other tools with only 0 and 255 are of class 1

	// Devices are how many of the machine's label images in Gen and Eval, 0 and 1
	// the first, AllDevices all. The results are the same.
	Devices int

	Log   func(line string)        // what happens; nil = nobody is told
	Warn  func(line string)        // what a person should know in any case: damage, work that is not as before, images left out; nil = nobody is told
	Stage func(title string) Stage // shows how far a stage is; nil = nobody is shown
	Out   io.Writer                // tables for a person; nil = none
}

// AllDevices is a number of devices: as many as there are.
const AllDevices = -1

// Stage shows how far one stage of a run is.
type Stage interface {
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

// Say tells what happens.
func (o Options) Say(format string, args ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, args...))
	}
}

// Alert says what a person should know in any case.
func (o Options) Alert(format string, args ...any) {
	if o.Warn != nil {
		o.Warn(fmt.Sprintf(format, args...))
	}
}

// Print prints a result for a person.
func (o Options) Print(format string, args ...any) { fmt.Fprintf(o.out(), format, args...) }

// out is where tables for a person are printed.
func (o Options) out() io.Writer {
	if o.Out == nil {
		return io.Discard
	}
	return o.Out
}

// bar shows how far a stage is.
func (o Options) bar(title string) Stage {
	if o.Stage == nil {
		return silent{}
	}
	return o.Stage(title)
}

// ChooseBackend puts an engine in the place of a config's; "" leaves it. A config, which
// may be somebody else's, names no library's file: that is code.
func ChooseBackend(cfg *configs.Config, engine string) error {
	if engine != "" {
		cfg.Backend = engine
		return nil
	}
	if !backend.NamesFile(cfg.Backend) {
		return nil
	}
	return Usagef("backend = %q: a config may name an engine, but no library file, which is code; give the path with -backend, %s or %s", cfg.Backend, nativelib.EnvORT, nativelib.EnvXLA)
}
