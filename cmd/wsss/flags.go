package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/cmd/terminal"
	"wsss/configs"
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
	devices int // see withDevices
	// configOptional: without -config the defaults hold, and -set changes them.
	configOptional bool
	noted          bool // keys of earlier versions were
}

// newFlags makes the flag set of a command, which -h prints behind the command's text
// in help.
func newFlags(name string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), helpOf(name, nil)+"\n\nFlags:")
		f.PrintDefaults()
	}
	return f
}

// withConfig adds -config, -set, -backend and -quiet.
func (f *flags) withConfig() *flags {
	f.StringVar(&f.config, "config", "", "the run's TOML `file`")
	f.Var(&f.set, "set", "override one key, as `key=value`; may be repeated (-set train.batch=8; -set *.sam=mobile-sam for every table that has the key)")
	f.StringVar(&f.backend, "backend", "", "`engine`: go, onnx[:cuda|:migraphx|:library], xla:cuda, xla:cpu, xla:plug-in; default is the config's, else the fastest that works here")
	f.BoolVar(&f.quiet, "quiet", false, "no progress; warnings stay")
	return f
}

// withDevices adds -devices.
func (f *flags) withDevices() *flags {
	f.Func("devices", "label images on so many GPUs of this machine, `n` or all (default 1); the results are the same", func(text string) error {
		n, err := strconv.Atoi(text)
		if f.devices = n; text == "all" {
			f.devices, err = pipeline.AllDevices, nil
		} else if n < 1 || n > 64 {
			err = errors.New("allowed are 1..64, or all")
		}
		return err
	})
	return f
}

// options are those of the shared flags: notes, warnings and progress go to the
// terminal, tables to standard output.
func (f *flags) options() pipeline.Options {
	o := pipeline.Options{
		File:  f.config,
		Warn:  func(line string) { fmt.Fprintln(stderr, line) },
		Stage: func(title string) pipeline.Stage { return terminal.NewBar(title, f.quiet) },
		Out:   stdout,
	}
	o.Devices = f.devices
	if !f.quiet {
		o.Log = o.Warn
	}
	return o
}

// show runs work that tells how far it is, with a bar.
func (f *flags) show(title string, work func(progress func(done, total int)) error) error {
	b := terminal.NewBar(title, f.quiet)
	if err := work(b.Update); err != nil {
		b.Abort()
		return err
	}
	b.Finish()
	return nil
}

// parse parses args; positional arguments are allowed only up to max. Flags may
// follow them, up to a "--".
func (f *flags) parse(args []string, max int) error {
	if err := f.parseAnywhere(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return errHelp
		}
		if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: "); ok {
			return pipeline.Usagef("%s: unknown flag %s; `wsss %s -h` shows what is allowed%s", f.Name(), name, f.Name(), f.near(name, ""))
		}
		return pipeline.UsageError{Err: err}
	}
	if f.NArg() > max {
		word := f.Arg(max)
		name, value, _ := strings.Cut(word, "=")
		if value != "" {
			value = "=" + value
		}
		return pipeline.Usagef("%s: unexpected argument %q; `wsss %s -h` shows what is allowed%s", f.Name(), word, f.Name(), f.near(name, value))
	}
	return nil
}

// oneOf refuses a flag's value that is not among those that are allowed.
func (f *flags) oneOf(name string, allowed ...string) error {
	if text := f.Lookup(name).Value.String(); !slices.Contains(allowed, text) {
		return pipeline.Usagef("%s: -%s %s: allowed are %s", f.Name(), name, text, strings.Join(allowed, ", "))
	}
	return nil
}

// listOf takes a flag's list apart, whose items must be among those that are allowed.
func (f *flags) listOf(name string, allowed []string) (list []string, err error) {
	text := f.Lookup(name).Value.String()
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if !slices.Contains(allowed, item) {
			return nil, pipeline.Usagef("%s: -%s %s: allowed are %s", f.Name(), name, text, strings.Join(allowed, ", "))
		}
		list = append(list, item)
	}
	return list, nil
}

// notNegative refuses whole numbers below 0.
func (f *flags) notNegative(names ...string) error {
	for _, name := range names {
		if n := f.Lookup(name).Value.(flag.Getter).Get().(int); n < 0 {
			return pipeline.Usagef("%s: -%s %d: allowed are 0 and more", f.Name(), name, n)
		}
	}
	return nil
}

// chooseBackend puts -backend in the place of the config's.
func (f *flags) chooseBackend(cfg *configs.Config) error {
	return pipeline.ChooseBackend(cfg, f.backend)
}

// parseAnywhere is flag.FlagSet.Parse for flags and words in any order.
func (f *flags) parseAnywhere(args []string) error {
	var words []string
	for {
		if err := f.Parse(args); err != nil {
			return err
		}
		rest := f.Args()
		if at := len(args) - len(rest); len(rest) == 0 || at > 0 && args[at-1] == "--" {
			words = append(words, rest...)
			break
		}
		words, args = append(words, rest[0]), rest[1:]
	}
	return f.Parse(append([]string{"--"}, words...))
}

// near suggests the flag that a word looks like.
func (f *flags) near(word, value string) string {
	var names []string
	f.VisitAll(func(g *flag.Flag) { names = append(names, g.Name) })
	if name := configs.Nearest(strings.TrimLeft(word, "-–—"), names); name != "" {
		return "; did you mean -" + name + value + "?"
	}
	return ""
}

// load reads the config that the flags name.
func (f *flags) load() (configs.Config, error) {
	if f.config == "" && !f.configOptional {
		return configs.Config{}, pipeline.Usagef("%s: -config is missing, for example -config configs/demo.toml", f.Name())
	}
	cfg, err := configs.Load(f.config, f.set)
	if err != nil {
		return cfg, pipeline.UsageError{Err: err}
	}
	if err := pipeline.Mount(&cfg); err != nil {
		return cfg, pipeline.InFile(f.config, pipeline.UsageError{Err: err})
	}
	f.noteOldKeys()
	return cfg, f.chooseBackend(&cfg)
}

// noteOldKeys says once what keys of earlier versions are called now; they are
// read all the same.
func (f *flags) noteOldKeys() {
	if note := configs.OldKeysNote(f.config, f.set); note != "" && !f.quiet && !f.noted {
		f.noted = true
		fmt.Fprintln(stderr, note)
	}
}
