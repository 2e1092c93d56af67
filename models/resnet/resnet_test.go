package resnet

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
)

// Sizes and channels of the stages, and the number of variables, for every
// depth and output stride. models/deeplab compares values with PyTorch.
func TestStages(t *testing.T) {
	b := backendtest.One(t)
	for _, c := range []struct {
		config Config
		want   string
		vars   int // kernels and four per normalisation
	}{
		{Config{18, models.BackboneOptions{OutputStride: 32}}, "[1 17 23 64] [1 9 12 128] [1 5 6 256] [1 3 3 512]", 5 * 20},
		{Config{34, models.BackboneOptions{OutputStride: 16, Width: 0.5}}, "[1 17 23 32] [1 9 12 64] [1 5 6 128] [1 5 6 256]", 5 * 36},
		{Config{50, models.BackboneOptions{OutputStride: 8, Dilation: models.DilateLate}}, "[1 17 23 256] [1 9 12 512] [1 9 12 1024] [1 9 12 2048]", 5 * 53},
		{Config{50, models.BackboneOptions{OutputStride: 8, Width: 0.25, StrideIn1x1: true, CeilPool: true}}, "[1 17 23 64] [1 9 12 128] [1 9 12 256] [1 9 12 512]", 5 * 53},
		{Config{50, models.BackboneOptions{OutputStride: 16, Width: 0.25, Dilation: models.DilateNone, CutAfter: 2}}, "[1 17 23 64] [1 9 12 128] [1 5 6 256] [1 5 6 512]", 5 * 53},
		{Config{101, models.BackboneOptions{OutputStride: 16, Width: 0.001, Dilation: models.DilateMultiGrid}}, "[1 17 23 4] [1 9 12 4] [1 5 6 4] [1 5 6 4]", 5 * 104},
	} {
		t.Run(fmt.Sprintf("%+v", c.config), func(t *testing.T) {
			store := model.NewStore()
			got := ""
			exec := model.MustNewExec1(b, store, func(scope *model.Scope, x *Node) *Node {
				stages := c.config.Stages(layers.Net{}, scope, x)
				for i, s := range stages {
					got += fmt.Sprint(" ", s.Shape().Dimensions)
					if s.Shape().Dim(3) != c.config.Channels(i) {
						t.Errorf("Channels(%d) = %d", i, c.config.Channels(i))
					}
				}
				return stages[3]
			})
			if _, err := exec.Compile(shapes.Make(dtypes.Float32, 1, 65, 89, 3)); err != nil {
				t.Fatal(err)
			}
			if got = strings.TrimSpace(got); got != c.want {
				t.Errorf("stages %s, want %s", got, c.want)
			}
			if store.NumVariables() != c.vars {
				t.Errorf("%d variables, want %d", store.NumVariables(), c.vars)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for want, c := range map[string]Config{
		"depth 19":        {19, models.BackboneOptions{OutputStride: 8}},
		"output stride 4": {18, models.BackboneOptions{OutputStride: 4}},
		"after stage 4":   {18, models.BackboneOptions{OutputStride: 8, CutAfter: 4}},
		"width -1":        {18, models.BackboneOptions{OutputStride: 8, Width: -1}},
		"width NaN":       {18, models.BackboneOptions{OutputStride: 8, Width: math.NaN()}},
	} {
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", c, err, want)
		}
	}
}
