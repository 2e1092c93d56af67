package multilabel

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints"
	"wsss/models/backend"
	"wsss/train/loop"
	"wsss/train/runlog"
)

// open takes up the newest checkpoint, or starts afresh.
func (r *run) open() error {
	start, err := r.net.Start()
	if err != nil {
		return err
	}
	first := checkpoints.Meta{
		Seed: r.Seed, Images: len(r.train.IDs), Log: runlog.File,
		Model:   checkpoints.Model{Classes: r.Dataset.Classes().Names},
		Dataset: r.Dataset.Name(), Split: r.Split, ConfigHash: r.ConfigHash, LabelsHash: r.train.hash(), DataHash: r.data.Hash(), InitHash: start,
		Backend: r.Backend.Name(), Versions: checkpoints.Versions(),
	}
	maps.Copy(first.Versions, r.Versions)
	r.loop = &loop.Loop{
		Task: r, Table: r.Table, Dir: r.OutDir, Total: r.total, Drawn: r.Batch, Images: len(r.train.IDs), LR: r.LR,
		SaveEvery: cmp.Or(r.CheckpointEvery.Updates(r.perEpoch), r.perEpoch), ValEvery: r.ValEvery.Updates(r.perEpoch), Validates: r.val != nil,
		Ahead: backend.KindOf(r.Backend) == backend.XLA, Keep: r.Keep, Measure: "mAP",
		Identity: loop.Identity{
			New: first, Data: r.data, Restart: r.Restart,
			Same: func(m checkpoints.Meta) bool {
				return m.ConfigHash == r.ConfigHash && m.InitHash == start && m.Seed == r.Seed
			},
			Describe: func(m checkpoints.Meta) string {
				return fmt.Sprintf("config %s, labels %s, start %.8s", m.ConfigHash, m.LabelsHash, m.InitHash)
			},
		},
		Progress: r.Progress, Log: r.Log, Warn: r.Warn,
		Event: func(step int, text string) any { return Record{Step: step, Event: text} },
		Validated: func(line []byte, step int) bool {
			var rec Record
			return json.Unmarshal(line, &rec) == nil && rec.Val != nil && rec.Step == step
		},
	}
	_, err = r.loop.Resume()
	return err
}

// State is loop.Task's.
func (r *run) State() (map[string]*tensors.Tensor, error) { return state(r.net) }

// Restore is loop.Task's.
func (r *run) Restore(c *checkpoints.Checkpoint) error { return restore(r.net, c) }

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
