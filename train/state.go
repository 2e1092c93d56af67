package train

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints"
	"wsss/train/optim"
)

// tensorName is what a variable is called in a checkpoint; "" where it is not
// part of one.
func tensorName(path string) string {
	switch {
	case strings.HasPrefix(path, optim.Scope):
		return path[1:]
	case optim.IsNetwork(path), path == optim.RNGPath:
		return checkpoints.WeightPrefix + path
	}
	return ""
}

// variablePath is the inverse of tensorName.
func variablePath(name string) string {
	if rest, ok := strings.CutPrefix(name, checkpoints.WeightPrefix+"/"); ok {
		return "/" + rest
	}
	return "/" + name
}

// state lists the variables to save, by their names in a checkpoint.
func (n *network) state() (map[string]*tensors.Tensor, error) {
	values := map[string]*tensors.Tensor{}
	for v := range n.store.IterVariables() {
		name := tensorName(v.Path())
		if name == "" {
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

// restore makes the network's variables with the values of a checkpoint, for
// an image of side×side pixels. If the training goes on they are the weights
// and the optimiser's state, else what is best to predict with.
func (n *network) restore(c *checkpoints.Checkpoint, side int, goesOn bool) error {
	from := &source{c: c, have: map[string]bool{}}
	for _, name := range c.Names() {
		from.have[name] = true
		from.average = from.average || !goesOn && strings.HasPrefix("/"+name, optim.AverageScope+"/")
	}
	n.store.SetLoader(from)
	defer n.store.SetLoader(nil)
	if _, err := n.probe(side); err != nil {
		what, _, _ := strings.Cut(err.Error(), "\n") // a trace of the graph follows
		return fmt.Errorf("%s: its tensors are not of the network that its header describes: %s", c.Path, what)
	}
	if from.err != nil {
		return from.err
	}
	if len(from.missing) > 0 {
		return fmt.Errorf("%s: %d variables of the network are missing, %s first: made for another network", c.Path, len(from.missing), from.missing[0])
	}
	for _, name := range c.Names() {
		path := variablePath(name)
		if optim.IsNetwork(path) || !goesOn {
			continue
		}
		t, err := c.Tensor(name)
		if err != nil {
			return err
		}
		if v := n.store.GetVariable(path); v != nil {
			err = v.SetValue(t)
		} else {
			n.store.VariableWithValue(path, t).SetTrainable(false)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.Path, err)
		}
	}
	return from.err
}

// source gives a store the values of a checkpoint as the network asks for its
// variables. It implements model.Loader.
type source struct {
	c       *checkpoints.Checkpoint
	have    map[string]bool
	average bool // take the moving average instead of the weights
	missing []string
	err     error
}

// LoadVariable reads one value.
func (s *source) LoadVariable(_ *model.Store, path string) (*tensors.Tensor, bool) {
	name := tensorName(path)
	if s.average && optim.IsNetwork(path) {
		name = tensorName(optim.AverageScope + path)
	}
	if !s.have[name] {
		if optim.IsNetwork(path) {
			s.missing = append(s.missing, path)
		}
		return nil, false
	}
	t, err := s.c.Tensor(name)
	if err != nil {
		s.err = err
		return nil, false
	}
	return t, true
}

// DeleteVariable does nothing: a checkpoint is never changed.
func (s *source) DeleteVariable(*model.Store, string) error { return nil }
