package mask2former

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models"
	"wsss/models/backend/backendtest"
)

// TestJudge: the network is judged by the labels in the middle of the pixels of
// its masks.
func TestJudge(t *testing.T) {
	n := smallNet(t, "swin")
	h, w := 4, 5 // 16 pixels of the image each
	out := model.MustCallOnceN(backendtest.One(t), model.NewStore(), func(_ *model.Scope, in []*Node) (out []*Node) {
		g := in[0].Graph()
		p := prediction{classes: Zeros(g, shapes.Make(dtypes.Float32, 2, n.Queries, classes+1)), masks: Zeros(g, shapes.Make(dtypes.Float32, 2, h, w, n.Queries))}
		l := models.Lesson{Images: in[0], Labels: in[1], Present: in[2], Judge: func(_, labels *Node) { out = append(out, labels) }}
		q := &question{network: n, layers: 1, batch: 2, h: h, w: w, truth: n.newTruth(l, 1)}
		q.judge(p, l)
		return out
	}, picture(), labelled(), presence(n))
	all := tensors.MustCopyFlatData[uint8](labelled())
	got := tensors.MustCopyFlatData[uint8](out[0])
	for i, v := range got {
		image, y, x := i/(h*w), i/w%h, i%w
		if want := all[(image*height+16*y+8)*width+16*x+8]; v != want {
			t.Errorf("image %d, pixel %d,%d: class %d, want %d", image, y, x, v, want)
		}
	}
	if len(got) != 2*h*w {
		t.Errorf("%d labels", len(got))
	}
}
