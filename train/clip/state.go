package clip

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints"
)

// state lists the variables to save by their names in a checkpoint.
func (n *network) state() (map[string]*tensors.Tensor, error) {
	values := map[string]*tensors.Tensor{}
	for v := range n.store.IterVariables() {
		name := checkpoints.WeightPrefix + v.Path()
		switch path := v.Path(); {
		case strings.HasPrefix(path, optScope):
			name = path[1:]
		case !isWeight(path):
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
func (n *network) restore(c *checkpoints.Checkpoint) error {
	for _, name := range c.Names() {
		path := "/" + name
		if rest, ok := strings.CutPrefix(name, checkpoints.WeightPrefix+"/"); ok {
			path = "/" + rest
		}
		t, err := c.Tensor(name)
		if err != nil {
			return err
		}
		v := n.store.GetVariable(path)
		switch {
		case v == nil && strings.HasPrefix(path, optScope):
			n.store.VariableWithValue(path, t).SetTrainable(false)
		case v == nil:
			return fmt.Errorf("%s: variable %s is not of this encoder", c.Path, path)
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
