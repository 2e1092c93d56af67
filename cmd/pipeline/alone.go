package pipeline

import (
	"os"

	"wsss/checkpoints/files"
	"wsss/checkpoints/files/lock"
	"wsss/configs"
)

// OpenAlone is Open for work of which one process at a time may do: it takes the
// run's folder, others get a *lock.HeldError before anything is written, and
// Close gives it back.
func OpenAlone(l configs.Link, o Options) (*Run, error) {
	if err := Mount(&l.Config); err != nil {
		return nil, InFile(l.File, UsageError{Err: err})
	}
	held, err := Hold(l.Config.Out)
	if err != nil {
		return nil, err
	}
	o.File = l.File
	p, err := Open(l.Config, o)
	if err != nil {
		held.Release()
		return nil, err
	}
	p.held = held
	return p, nil
}

// Hold takes a folder for this command, and removes what killed ones left half
// written in it.
func Hold(dir string) (*lock.Lock, error) {
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

// Close gives the folder back that OpenAlone took.
func (p *Run) Close() { p.held.Release() }

// checkFree refuses to begin what would end at a training that another process
// is at.
func checkFree(cfg configs.Config, nets ...string) error {
	p := &Run{Config: cfg}
	for _, net := range nets {
		if err := lock.Check(p.Path("train", net)); err != nil {
			return err
		}
	}
	return nil
}
