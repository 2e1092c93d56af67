package scenes

import (
	"fmt"
	"sync"

	"wsss/data"
)

// Config describes a generated set. Equal configs give equal bytes.
type Config struct {
	Train   int   `toml:"train" json:"train"`       // pictures of the split train (and train_aug)
	Val     int   `toml:"val" json:"val"`           // pictures of the split val
	MinSize int   `toml:"min_size" json:"min_size"` // shortest side, pixels
	MaxSize int   `toml:"max_size" json:"max_size"` // longest side, pixels
	Classes int   `toml:"classes" json:"classes"`   // object classes 2..10, background not counted
	Seed    int64 `toml:"seed" json:"seed"`
}

// DefaultConfig is the set of the demo: 200 + 60 pictures of 128–160 pixels,
// seven object classes.
func DefaultConfig() Config {
	return Config{Train: 200, Val: 60, MinSize: 128, MaxSize: 160, Classes: 7, Seed: 1}
}

// RangeError is a value of a Config that is out of bounds.
type RangeError struct {
	Key                string // as in TOML
	Value, Least, Most int
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("%s = %d: allowed are %d..%d", e.Key, e.Value, e.Least, e.Most)
}

func (c Config) check() error {
	for _, f := range []struct {
		key       string
		v, lo, hi int
	}{
		{"train", c.Train, 1, 1_000_000}, {"val", c.Val, 0, 1_000_000},
		{"min_size", c.MinSize, 32, 1024}, {"max_size", c.MaxSize, c.MinSize, 1024},
		{"classes", c.Classes, 2, len(classes)},
	} {
		if f.v < f.lo || f.v > f.hi {
			return &RangeError{f.key, f.v, f.lo, f.hi}
		}
	}
	return nil
}

// names are the classes of a folder, background first.
func (c Config) names() []string { return allClasses().Names[:c.Classes+1] }

// ClassNames are the names of all classes that Config.Classes counts from, in
// label order, without the background.
func ClassNames() []string {
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = c.name
	}
	return names
}

// allClasses are the background and all ClassNames.
var allClasses = sync.OnceValue(func() data.Classes {
	return data.Classes{Names: append([]string{"background"}, ClassNames()...)}
})
