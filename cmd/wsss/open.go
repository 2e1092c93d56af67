package main

import (
	"wsss/cmd/pipeline"
	"wsss/configs"
)

// openPipeline opens the run of the config that the flags name.
func openPipeline(f *flags) (*pipeline.Run, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	return pipeline.Open(cfg, f.options())
}

// openAlone opens the run for a command that writes its scores or its report,
// which one process at a time may do (pipeline.OpenAlone).
func openAlone(f *flags) (*pipeline.Run, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	return pipeline.OpenAlone(configs.Link{File: f.config, Config: cfg}, f.options())
}

// chain is the config that the flags name, behind those that it needs.
func (f *flags) chain() ([]configs.Link, error) {
	if _, err := f.load(); err != nil {
		return nil, err
	}
	return pipeline.ReadChain(f.config, f.set, f.chooseBackend)
}
