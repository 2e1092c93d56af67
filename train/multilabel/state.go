package multilabel

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints"
	"wsss/train/runlog"
)

// open takes up the newest checkpoint, or starts afresh.
func (r *run) open() error {
	start, err := r.net.Start()
	if err != nil {
		return err
	}
	r.meta = checkpoints.Meta{
		Seed: r.Seed, Images: len(r.train.IDs), Log: runlog.File,
		Model:   checkpoints.Model{Classes: r.Dataset.Classes().Names},
		Dataset: r.Dataset.Name(), Split: r.Split, ConfigHash: r.ConfigHash, LabelsHash: r.train.hash(), DataHash: r.data.Hash(), InitHash: start,
		Backend: r.Backend.Name(), Versions: checkpoints.Versions(),
	}
	maps.Copy(r.meta.Versions, r.Versions)
	c, err := checkpoints.Latest(r.OutDir, r.Warn)
	switch {
	case err == nil:
		defer c.Close()
		m := c.Meta
		if m.ConfigHash != r.ConfigHash || m.InitHash != start || m.Seed != r.Seed {
			return fmt.Errorf("%s %w (config %s, labels %s, start %.8s; now %s, %s, %.8s): remove the folder, or choose another out",
				r.OutDir, ErrOtherRun, m.ConfigHash, m.LabelsHash, m.InitHash, r.ConfigHash, r.meta.LabelsHash, start)
		}
		if changed := r.changed(m); changed != "" {
			r.Warn(fmt.Sprintf("trained again: %s since %s was trained", changed, r.OutDir))
			if err := removeAll(r.OutDir); err != nil {
				return err
			}
			break
		}
		if c.Meta.Backend != r.Backend.Name() && c.Meta.Step < r.total {
			r.Warn(fmt.Sprintf("going on with backend %s what began on %s: the result is as good, but not the same to the last bit", r.Backend.Name(), c.Meta.Backend))
			c.Meta.Backend = r.Backend.Name()
		}
		r.meta, r.step, r.from, r.last = c.Meta, c.Meta.Step, c.Meta.Step, c.Path
		r.meta.DataHash = r.data.Hash()
		if err := restore(r.net, c); err != nil {
			return err
		}
	case !errors.Is(err, checkpoints.ErrNone):
		return err
	}
	if err := os.MkdirAll(r.OutDir, 0o755); err != nil {
		return err
	}
	if err := r.noteData(); err != nil {
		return err
	}
	path := filepath.Join(r.OutDir, runlog.File)
	if r.meta.LogBytes, err = runlog.Repair(path, r.meta.LogBytes, r.Warn); err != nil {
		return err
	}
	if r.log, err = runlog.Open(path, r.meta.LogBytes); err != nil {
		return err
	}
	r.pending, err = r.unvalidated()
	return err
}

func (r *run) save() error {
	size, err := r.log.Sync()
	if err != nil {
		return err
	}
	r.meta.Step, r.meta.LogBytes, r.meta.Drawn = r.step, size, int64(r.step)*int64(r.Batch)
	r.meta.Epoch = r.meta.Drawn / int64(len(r.train.IDs))
	values, err := state(r.net)
	if err != nil {
		return err
	}
	if r.last, err = checkpoints.Save(r.OutDir, r.meta, values); err != nil {
		return err
	}
	return checkpoints.Prune(r.OutDir, r.Keep, r.regular, r.meta.BestStep)
}

// optScope holds what an optimiser adds to the network's variables and a
// checkpoint keeps.
const optScope = "/" + checkpoints.OptimizerPrefix + "/"

// state lists the variables to save by their names in a checkpoint.
func state(n Net) (map[string]*tensors.Tensor, error) {
	values := map[string]*tensors.Tensor{}
	for v := range n.Store().IterVariables() {
		name := checkpoints.WeightPrefix + v.Path()
		switch path := v.Path(); {
		case strings.HasPrefix(path, optScope):
			name = path[1:]
		case !n.IsWeight(path):
			continue
		}
		t, err := v.Value()
		if err != nil {
			return nil, err
		}
		values[name] = t
	}
	return values, nil
}

// restore gives the variables the values of a checkpoint.
func restore(n Net, c *checkpoints.Checkpoint) error {
	for _, name := range c.Names() {
		path := "/" + name
		if rest, ok := strings.CutPrefix(name, checkpoints.WeightPrefix+"/"); ok {
			path = "/" + rest
		}
		t, err := c.Tensor(name)
		if err != nil {
			return err
		}
		v := n.Store().GetVariable(path)
		switch {
		case v == nil && strings.HasPrefix(path, optScope):
			n.Store().VariableWithValue(path, t).SetTrainable(false)
		case v == nil:
			return fmt.Errorf("%s: variable %s is not of this network", c.Path, path)
		case !v.Shape().Equal(t.Shape()):
			return fmt.Errorf("%s: %s is %s, the network's %s", c.Path, path, t.Shape(), v.Shape())
		default:
			if err := v.SetValue(t); err != nil {
				return fmt.Errorf("%s: %w", c.Path, err)
			}
		}
	}
	return nil
}
