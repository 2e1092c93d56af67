package sam

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/foundation"
)

// TestFits: a pair that belongs together finds a disc; a decoder that gets
// embeddings of another kind does not, and the error says so.
func TestFits(t *testing.T) {
	for name, m := range map[string]*Model{"Meta's": fakeMeta(t, true), "Hugging Face's": fakeHF(t), "EfficientSAM": fakeEfficient(t)} {
		if err := m.Fits(context.Background()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := fakeMeta(t, true)
	stranger := build(t, upsideDown{m.enc}, m.dec)
	if err := stranger.Fits(context.Background()); err == nil || !strings.Contains(err.Error(), "do not fit") {
		t.Errorf("of another model: %v", err)
	}
}

// upsideDown is an encoder whose embeddings lie upside down.
type upsideDown struct{ foundation.Session }

func (u upsideDown) Run(ctx context.Context, in map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	out, err := u.Session.Run(ctx, in, want...)
	for name, x := range out {
		const plane = fakeLow * fakeLow
		v := tensors.MustCopyFlatData[float32](x)
		for c := range len(v) / plane {
			slices.Reverse(v[c*plane : (c+1)*plane])
		}
		out[name] = tensors.FromFlatDataAndDimensions(v, x.Shape().Dimensions...)
	}
	return out, err
}
