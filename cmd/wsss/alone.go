package main

import (
	"os"

	"wsss/checkpoints/files"
	"wsss/checkpoints/files/lock"
	"wsss/configs"
)

// openAlone opens the run for a command that writes its scores or its report,
// which one process at a time may do: others get a *lock.HeldError before
// anything is written. close gives the run back.
func openAlone(f *flags) (*pipeline, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	return openLink(configs.Link{File: f.config, Config: cfg}, f.options())
}

// openLink is openAlone for a config that is read already.
func openLink(l configs.Link, o options) (*pipeline, error) {
	held, err := hold(l.Config.Out)
	if err != nil {
		return nil, err
	}
	o.file = l.File
	p, err := newPipeline(l.Config, o)
	if err != nil {
		held.Release()
		return nil, err
	}
	p.held = held
	return p, nil
}

// hold takes a folder for this command, and removes what killed ones left half
// written in it.
func hold(dir string) (*lock.Lock, error) {
	command := "wsss"
	if len(os.Args) > 1 {
		command = os.Args[1]
	}
	held, err := lock.Acquire(dir, command)
	if err == nil {
		files.SweepAll(dir)
	}
	return held, err
}

func (p *pipeline) close() { p.held.Release() }

// checkFree refuses to begin what would end at a training that another process
// is at.
func checkFree(cfg configs.Config, nets ...string) error {
	p := &pipeline{cfg: cfg}
	for _, net := range nets {
		if err := lock.Check(p.path("train", net)); err != nil {
			return err
		}
	}
	return nil
}
