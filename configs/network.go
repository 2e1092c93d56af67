package configs

// Network is a network that another run trained, scored beside this run's own:
// one table then holds networks trained on the labels of several methods.
type Network struct {
	Name       string `toml:"name"`       // in the table
	Checkpoint string `toml:"checkpoint"` // a file, or the folder of a training, whose newest one is taken
	Bound      bool   `toml:"bound"`      // it learned from true masks

	Published string `toml:"published"` // the row of a paper that this is, "box2024 1 17"
}

func (n Network) validate(v *validator, key string) {
	v.that(n.Name != "", key+".name", n.Name, "a name for the table")
	v.that(n.Checkpoint != "", key+".checkpoint", n.Checkpoint, "a checkpoint file, or a folder of them")
}
