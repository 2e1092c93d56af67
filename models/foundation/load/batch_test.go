package load

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation/sam"
)

// counted counts the calls of a session.
type counted struct {
	*Session
	calls int
}

func (c *counted) Run(ctx context.Context, in map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	c.calls++
	return c.Session.Run(ctx, in, want...)
}

func (c *counted) RunEach(ctx context.Context, in map[string]*tensors.Tensor, each []string, want ...string) (map[string]*tensors.Tensor, error) {
	c.calls++
	return c.Session.RunEach(ctx, in, each, want...)
}

// TestPromptsShareCalls: a decoder that was exported for one prompt answers eight
// in a call, the same as one by one, and its masks are enlarged where it runs.
func TestPromptsShareCalls(t *testing.T) {
	ctx := t.Context()
	img := picture(100, 80)
	var prompts []sam.Prompt
	for i := range 8 {
		x := float32(5 * i)
		prompts = append(prompts, sam.Prompt{Box: &data.Box{X0: x, Y0: 10 + x/2, X1: x + 40, Y1: 60}})
	}
	prompts = append(prompts, sam.Prompt{Points: []sam.Point{{X: 50, Y: 40}}}) // also two tokens
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		ask := func(together bool) (calls int, logits [][]float32, outlines []sam.Outline) {
			enc, err := Open(b, "../zoo/sam_encoder.onnx", Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer enc.Close()
			s, err := Open(b, "../zoo/sam_decoder.onnx", Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			dec := &counted{Session: s}
			m, err := sam.New(enc, dec)
			if err != nil {
				t.Fatal(err)
			}
			if together {
				m.ScoreOn(b)
			}
			e, err := m.Embed(ctx, img)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Free()
			results, err := m.Predict(ctx, e, prompts)
			if err != nil {
				t.Fatal(err)
			}
			defer sam.Free(results)
			var asked []sam.Asked
			for _, r := range results {
				asked = append(asked, sam.Asked{Result: r})
				logits = append(logits, low(t, r, 0))
			}
			if outlines, err = m.Outlines(ctx, e, asked, 1, 0); err != nil {
				t.Fatal(err)
			}
			return dec.calls, logits, outlines
		}
		alone, want, shapes := ask(false)
		shared, got, outlines := ask(true)
		if alone != len(prompts) || shared != 2 {
			t.Errorf("%d and %d calls for %d prompts, want one each and two", alone, shared, len(prompts))
		}
		for i := range want {
			for k, v := range want[i] {
				if d := math.Abs(float64(v - got[i][k])); !(d <= 1e-3) {
					t.Fatalf("prompt %d: a logit of %v differs by %v", i, v, d)
				}
			}
			all, apart := shapes[i].Bits.Area(), 0
			a, c := shapes[i].Bits.Decode(), outlines[i].Bits.Decode()
			for p := range a {
				if a[p] != c[p] {
					apart++
				}
			}
			if all == 0 || apart > 2 {
				t.Errorf("prompt %d: %d of %d pixels differ", i, apart, all)
			}
		}
	})
}
