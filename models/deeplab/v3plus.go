package deeplab

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/models/layers"
)

// Variables have the names of VAINF's networks (docs/sources.md §8.2).
var v3Rates = []int{12, 24, 36} // dilations of ASPP at output stride 8; half of them at 16

const (
	v3Inner    = 256 // channels of ASPP's branches and of the decoder
	v3LowLevel = 48  // channels of the reduced first stage
	poolConv   = "aspp/convs/4/1"
	poolNorm   = "aspp/convs/4/2"
)

// v3Plus is where the two DeepLab-v3+ differ (docs/sources.md §8.2), but for the
// placement of the backbone's dilations.
type v3Plus struct {
	asppDropout  float64
	decoder      []float64 // a 3×3 convolution each, followed by so much dropout
	alignCorners bool      // of every upsampling
	lowLast      bool      // the decoder sees the first stage's channels after ASPP's
	bnMomentum   float64   // of the backbone's normalisations, unless configured
}

var (
	v3Usual     = v3Plus{asppDropout: 0.1, decoder: []float64{0}, bnMomentum: 0.01}
	v3MultiGrid = v3Plus{asppDropout: 0.5, decoder: []float64{0.5, 0.1}, alignCorners: true, lowLast: true, bnMomentum: 0.1}
)

// after is where the decoder's Sequential goes on behind a step at a place:
// convolution, normalisation, ReLU and, if there is any, dropout.
func (v3Plus) after(at int, dropout float64) int {
	if dropout > 0 {
		return at + 4
	}
	return at + 3
}

// inner scales a channel count of the head with the network's width.
func (n *network) inner(c int) int {
	if n.width == 0 {
		return c
	}
	return max(1, int(math.Round(float64(c)*n.width)))
}

// v3plus is the network: [batch, h, w, 3] to logits [batch, h, w, classes].
func (n *network) v3plus(net layers.Net, scope *model.Scope, images *Node) *Node {
	backbone := net
	if backbone.Momentum == 0 {
		backbone.Momentum = n.v3.bnMomentum
	}
	stages := n.stages(backbone, scope, images)
	head := scope.At(headScope)
	net.FanIn = true // as both references start their heads (docs/sources.md §8.2)
	low := net.ConvNorm(head, "project.0", "project.1", stages[0], n.inner(v3LowLevel), 1, layers.ConvOptions{ReLU: true})
	x := n.asppPooled(net, head, stages[3])
	x = net.Resize(x, low, n.v3.alignCorners)
	if n.v3.lowLast {
		x, low = low, x
	}
	x = Concatenate([]*Node{low, x}, -1)
	// The decoder is a Sequential: convolution, normalisation, ReLU and, if
	// there is any, dropout per step; then the classes.
	at := 0
	for _, p := range n.v3.decoder {
		x = net.ConvNorm(head, fmt.Sprintf("classifier.%d", at), fmt.Sprintf("classifier.%d", at+1), x, n.inner(v3Inner), 3, layers.ConvOptions{Pad: 1, ReLU: true})
		x = net.Dropout(head, x, p)
		at = n.v3.after(at, p)
	}
	x = net.Conv(head, fmt.Sprintf("classifier.%d", at), x, n.classes, 1, true, layers.Kaiming(1, 1, n.inner(v3Inner)), layers.ConvOptions{})
	x = ConvertDType(x, images.DType())
	return net.Resize(x, images, n.v3.alignCorners)
}

// asppPooled is ASPP with image pooling: a 1×1 branch, three dilated 3×3 ones
// and the image's mean, joined by a 1×1 convolution and dropout.
func (n *network) asppPooled(net layers.Net, head *model.Scope, x *Node) *Node {
	c := n.inner(v3Inner)
	branches := []*Node{net.ConvNorm(head, "aspp.convs.0.0", "aspp.convs.0.1", x, c, 1, layers.ConvOptions{ReLU: true})}
	for i, rate := range v3Rates {
		d := rate * 8 / n.stride
		name := fmt.Sprintf("aspp.convs.%d.", i+1)
		branches = append(branches, net.ConvNorm(head, name+"0", name+"1", x, c, 3, layers.ConvOptions{Dilation: d, Pad: d, ReLU: true}))
	}
	mean := ConvertDType(net.MeanImage(ConvertDType(x, dtypes.Float32)), x.DType())
	pooled := net.ConvNorm(head, dotted(poolConv), dotted(poolNorm), mean, c, 1, layers.ConvOptions{ReLU: true})
	like := branches[0].Shape()
	branches = append(branches, BroadcastToShape(pooled, like))
	y := net.ConvNorm(head, "aspp.project.0", "aspp.project.1", Concatenate(branches, -1), c, 1, layers.ConvOptions{ReLU: true})
	return net.Dropout(head, y, n.v3.asppDropout)
}

func dotted(path string) string { return strings.ReplaceAll(path, "/", ".") }
