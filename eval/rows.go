package eval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"wsss/configs"
	"wsss/data"
	"wsss/models"
)

// RowKind is a kind of row in the table, which [[eval.row]] names: something
// that labels the validation split, such as a segmenter of another program.
type RowKind struct {
	// Check decodes and checks the options before any work begins; the error
	// names the key, which begins with section ("eval.row[0].options").
	Check func(section string, options map[string]any) error
	// Open makes what predicts. It is closed after use if it has a method Close,
	// and its method Hash() (string, error), if any, tells whether predictions of
	// an earlier call are its own.
	Open         func(env RowEnv) (models.Predictor, error)
	NeedsBackend bool
}

// RowEnv is what a row is made of.
type RowEnv struct {
	Section string // of the options, for errors
	Options map[string]any
	Dataset data.Dataset
	Backend compute.Backend // nil unless RowKind.NeedsBackend
}

var (
	rowKinds = map[string]RowKind{}
	rowNames []string // in the order of registration
)

func init() { configs.Allow(configs.RowKinds, RowKinds) }

// RegisterRow adds a kind of row; it panics on a duplicate name. Call it from
// init in the kind's own file.
func RegisterRow(kind string, k RowKind) {
	if _, twice := rowKinds[kind]; twice {
		panic("eval: kind of row registered twice: " + kind)
	}
	rowKinds[kind], rowNames = k, append(rowNames, kind)
}

// RowKinds lists the registered kinds, in the order of their registration.
func RowKinds() []string { return slices.Clone(rowNames) }

// FindRow returns a registered kind; key names the config key in the error.
func FindRow(key, kind string) (RowKind, error) {
	k, ok := rowKinds[kind]
	if !ok {
		return RowKind{}, fmt.Errorf("%s = %q: allowed is one of %s", key, kind, strings.Join(rowNames, ", "))
	}
	return k, nil
}
