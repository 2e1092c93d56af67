package layers

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"
)

// MakeVariables makes those variables of a network that the store lacks by
// building the network's graph for an image of side×side pixels, which is never
// run. The go backend does it whatever the network will run on, because it
// compiles nothing.
func MakeVariables(store *model.Store, side int, network func(scope *model.Scope, images *Node) []*Node) error {
	b, err := compute.NewWithConfig("go")
	if err != nil {
		return err
	}
	defer b.Finalize()
	exec, err := model.NewExec(b, store, network)
	if err != nil {
		return err
	}
	defer exec.Finalize()
	_, err = exec.Compile(shapes.Make(dtypes.Float32, 1, side, side, 3))
	return err
}

// NewVariables is MakeVariables in a new store; seed is that of the initial
// weights.
func NewVariables(seed int64, side int, network func(scope *model.Scope, images *Node) []*Node) (*model.Store, error) {
	store := model.NewStore()
	store.SetParam("/"+model.ParamInitialSeed, seed)
	return store, MakeVariables(store, side, network)
}
