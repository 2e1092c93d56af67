package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"wsss/configs"
	"wsss/models/backend"
	"wsss/models/backend/nativelib"
)

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// flags is a flag set with the flags that most commands share.
type flags struct {
	*flag.FlagSet
	config  string
	set     list
	backend string
	quiet   bool
	// configOptional: without -config the defaults hold, and -set changes them.
	configOptional bool
}

// newFlags makes the flag set of a command. intro is printed by -h before the
// flags: what the command does, with examples.
func newFlags(name, intro string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	f.SetOutput(os.Stderr)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), strings.TrimSpace(intro)+"\n\nFlags:")
		f.PrintDefaults()
	}
	return f
}

// withConfig adds -config, -set, -backend and -quiet.
func (f *flags) withConfig() *flags {
	f.StringVar(&f.config, "config", "", "the run's TOML `file`")
	f.Var(&f.set, "set", "override one key, as `key=value`; may be repeated (-set train.batch=8)")
	f.StringVar(&f.backend, "backend", "", "`engine`: go, onnx[:cuda|:migraphx|:library], xla:cuda, xla:cpu, xla:plug-in; default is the config's, else the fastest that works here")
	f.BoolVar(&f.quiet, "quiet", false, "no progress bars")
	return f
}

// parse parses args; positional arguments are allowed only up to max.
func (f *flags) parse(args []string, max int) error {
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return errHelp
		}
		return usageError{err}
	}
	if f.NArg() > max {
		return usagef("%s: unexpected argument %q; `wsss %s -h` shows what is allowed", f.Name(), f.Arg(max), f.Name())
	}
	return nil
}

// chooseBackend puts -backend in the place of the config's. A config, which may
// be somebody else's, names no library's file: that is code.
func (f *flags) chooseBackend(cfg *configs.Config) error {
	if f.backend != "" {
		cfg.Backend = f.backend
		return nil
	}
	if !backend.NamesFile(cfg.Backend) {
		return nil
	}
	return usagef("backend = %q: a config may name an engine, but no library file, which is code; give the path with -backend, %s or %s", cfg.Backend, nativelib.EnvORT, nativelib.EnvXLA)
}

// load reads the config that the flags name.
func (f *flags) load() (configs.Config, error) {
	if f.config == "" && !f.configOptional {
		return configs.Config{}, usagef("%s: -config is missing, for example -config configs/demo.toml", f.Name())
	}
	cfg, err := configs.Load(f.config, f.set)
	if err != nil {
		return cfg, usageError{err}
	}
	return cfg, f.chooseBackend(&cfg)
}
