package load

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/models/backend/backendtest"
	"wsss/models/foundation"
	"wsss/models/foundation/sam"
)

// TestPhotosShareRuns: photos that share runs of CLIP's encoder, beside others or
// alone, get the same numbers to the last bit, and what they get by themselves.
func TestPhotosShareRuns(t *testing.T) {
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		s, err := Open(b, "../zoo/clip_vision.onnx", Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		both := foundation.Together(s, func(int) int { return 4 })
		if both == foundation.Session(s) {
			t.Fatal("the zoo's CLIP takes one image at a time")
		}
		side := s.Inputs()[0].Dims[3]
		embed := func(on foundation.Session, i int) []float32 {
			pixels := make([]float32, 3*side*side)
			for k := range pixels {
				pixels[k] = float32((k*(i+3))%17)/8 - 1
			}
			out, err := on.Run(t.Context(), map[string]*tensors.Tensor{"pixel_values": tensors.FromFlatDataAndDimensions(pixels, 1, 3, side, side)}, "image_embeds")
			if err != nil {
				t.Error(err)
				return nil
			}
			return tensors.MustCopyFlatData[float32](out["image_embeds"])
		}
		beside := make([][]float32, 7)
		var wg sync.WaitGroup
		for i := range beside {
			wg.Go(func() { beside[i] = embed(both, i) })
		}
		wg.Wait()
		for i, got := range beside {
			if alone := embed(both, i); !slices.Equal(alone, got) {
				t.Errorf("photo %d: other numbers beside others", i)
			}
			for k, v := range embed(s, i) {
				if d := math.Abs(float64(v - got[k])); !(d <= 1e-4) {
					t.Fatalf("photo %d: %v, by itself %v", i, got[k], v)
				}
			}
		}
	})
}

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
