package sam

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/foundation"
)

// TestSignatures runs the same point through every signature: the masks must
// be the same, as the made-up model is.
func TestSignatures(t *testing.T) {
	ctx := context.Background()
	img := picture(64, 64) // square: EfficientSAM would squash others
	var first string
	for _, tt := range []struct {
		name string
		m    *Model
	}{{"meta", fakeMeta(t, false)}, {"hf", fakeHF(t)}} {
		e, err := tt.m.Embed(ctx, img)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		res, err := tt.m.Predict(ctx, e, []Prompt{{Points: []Point{{X: 30, Y: 25}}}, {Points: []Point{{X: 5, Y: 50}}}})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		text := ""
		for _, r := range res {
			i, err := r.Pick(Third)
			if err != nil {
				t.Fatal(err)
			}
			mask := Threshold(e.Upscale(logits(t, r, i), r.LowSide))
			text += fmt.Sprint(mask, r.IoU[i])
		}
		if first == "" {
			first = text
		}
		if text != first || !strings.Contains(text, "1") {
			t.Errorf("%s: another mask than %s", tt.name, "meta")
		}
	}
}

func TestEfficientSAM(t *testing.T) {
	ctx := context.Background()
	m := fakeEfficient(t)
	e, err := m.Embed(ctx, picture(90, 40))
	if err != nil {
		t.Fatal(err)
	}
	if e.InW != fakeSide || e.InH != fakeSide {
		t.Fatalf("the image must fill the square, got %+v", e.Frame)
	}
	// The low-resolution logits count as the image's size.
	dec := m.dec.(*fakeDecoder)
	dec.scale = float64(fakeSide) / float64(m.sig.low)
	res, err := m.Predict(ctx, e, []Prompt{{Box: box}, {Points: []Point{{X: 80, Y: 30}, {X: 1, Y: 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	if dec.calls != 1 {
		t.Errorf("%d calls for two prompts of two tokens", dec.calls)
	}
	x, y := 34.5*fakeSide/90, 28.5*fakeSide/40 // the middle of the box in the square
	low, _ := dec.one(tensors.MustCopyFlatData[float32](e.parts[0]), x, y)
	if fmt.Sprint(logits(t, res[0], 0)) != fmt.Sprint(low[:fakeLow*fakeLow]) {
		t.Error("the box's logits differ: its coordinates are scaled wrongly")
	}
	outside := *box
	outside.X0, outside.X1 = -30, 99 // the middle stays, were it not cut at 0
	res, err = m.Predict(ctx, e, []Prompt{{Box: &outside}})
	if err != nil {
		t.Fatal(err)
	}
	low, _ = dec.one(tensors.MustCopyFlatData[float32](e.parts[0]), 49.5*fakeSide/90, y)
	if fmt.Sprint(logits(t, res[0], 0)) != fmt.Sprint(low[:fakeLow*fakeLow]) {
		t.Error("a negative corner is not cut at 0")
	}
	many := Prompt{Points: make([]Point, 5), Box: box}
	if _, err := m.Predict(ctx, e, []Prompt{many}); err == nil || !strings.Contains(err.Error(), "6 tokens") {
		t.Errorf("seven tokens: %v", err)
	}
}

func TestRawEncoderEqualsPrepared(t *testing.T) {
	ctx := context.Background()
	img := picture(90, 70)
	a, err := fakeMeta(t, false).Embed(ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fakeRaw(t).Embed(ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	prepared, raw := tensors.MustCopyFlatData[float32](a.parts[0]), tensors.MustCopyFlatData[float32](b.parts[0])
	for i, v := range prepared {
		if d := v - raw[i]; d > 1e-5 || d < -1e-5 {
			t.Fatalf("value %d: %v and %v", i, v, raw[i])
		}
	}
}

func TestPredictBatches(t *testing.T) {
	ctx := context.Background()
	m := fakeMeta(t, true)
	dec := m.dec.(*fakeDecoder)
	e, err := m.Embed(ctx, picture(90, 70))
	if err != nil {
		t.Fatal(err)
	}
	mask := make([]float32, m.sig.low*m.sig.low)
	prompts := []Prompt{{Points: make([]Point, 1)}, {Box: box}, {Points: make([]Point, 1), Mask: mask}, {Points: make([]Point, 2)}}
	for range 70 {
		prompts = append(prompts, Prompt{Box: box})
	}
	together, err := m.Predict(ctx, e, prompts)
	if err != nil {
		t.Fatal(err)
	}
	// Two tokens: point, box | point with mask | 64 boxes | 6 boxes; three tokens: one.
	if fmt.Sprint(dec.hadIn) != "[0 1 0 0 0]" {
		t.Errorf("has_mask_input of the calls: %v", dec.hadIn)
	}
	for i, p := range prompts {
		alone, err := m.Predict(ctx, e, []Prompt{p})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(alone[0].IoU, logits(t, alone[0], 2)) != fmt.Sprint(together[i].IoU, logits(t, together[i], 2)) {
			t.Fatalf("prompt %d: another result in a batch", i)
		}
	}
}

func TestIterateFeedsMasks(t *testing.T) {
	ctx := context.Background()
	m := fakeMeta(t, false)
	dec := m.dec.(*fakeDecoder)
	e, err := m.Embed(ctx, picture(90, 70))
	if err != nil {
		t.Fatal(err)
	}
	p := Prompt{Points: []Point{{X: 10, Y: 10}, {X: 30, Y: 30}, {X: 80, Y: 60, Background: true}}}
	results, picks, err := m.Iterate(ctx, e, []Prompt{p}, func(int) Choice { return Third })
	if err != nil || picks[0] != 3 {
		t.Fatalf("picked %d, %v", picks, err)
	}
	var tokens []int
	for _, s := range dec.seen {
		tokens = append(tokens, s["point_coords"][1])
	}
	if fmt.Sprint(tokens, dec.hadIn) != "[2 3 4] [0 1 1]" {
		t.Errorf("tokens and has_mask_input per pass: %v %v", tokens, dec.hadIn)
	}
	// Beside a prompt of one point, in calls of several, it gets the same.
	together, _, err := fakeMeta(t, true).Iterate(ctx, e, []Prompt{{Points: p.Points[:1]}, p}, func(int) Choice { return Third })
	if err != nil || fmt.Sprint(together[1].IoU) != fmt.Sprint(results[0].IoU) {
		t.Errorf("%v, alone %v (%v)", together, results[0].IoU, err)
	}
}

// logits are those of a result's mask.
func logits(t testing.TB, r Result, i int) []float32 {
	t.Helper()
	values, err := r.Logits(i)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// TestFixedPoints: an export bound to three points gets padding, and no more.
func TestFixedPoints(t *testing.T) {
	ctx := context.Background()
	free := fakeMeta(t, false)
	dec := *free.dec.(*fakeDecoder)
	dec.ports = append([]foundation.Port{}, dec.ports...)
	dec.ports[1] = port("point_coords", f32, 1, 3, 2)
	bound := build(t, free.enc, &dec)
	e, err := bound.Embed(ctx, picture(90, 70))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bound.Predict(ctx, e, []Prompt{{Box: box}}); err != nil || dec.seen[0]["point_coords"][1] != 3 {
		t.Errorf("a box: %v, %v", dec.seen, err)
	}
	if _, err := bound.Predict(ctx, e, []Prompt{{Points: make([]Point, 3)}}); err == nil || !strings.Contains(err.Error(), "takes 3") {
		t.Errorf("four tokens: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	hf := fakeHF(t)
	e, err := hf.Embed(ctx, picture(20, 20))
	if err != nil {
		t.Fatal(err)
	}
	for want, p := range map[string]Prompt{"points only": {Box: box}, "iterative": {Mask: make([]float32, 4)}, "empty": {}} {
		if _, err := hf.Predict(ctx, e, []Prompt{p}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	meta := fakeMeta(t, false)
	if _, err := meta.Predict(ctx, e, []Prompt{{Mask: make([]float32, 4)}}); err == nil || !strings.Contains(err.Error(), "32×32") {
		t.Errorf("mask of the wrong size: %v", err)
	}
	if _, err := New(meta.enc, &fakeDecoder{ports: []foundation.Port{port("x", f32, 1)}, out: []string{"a", "b"}}); err == nil || !strings.Contains(err.Error(), "its inputs are x") {
		t.Errorf("unknown decoder: %v", err)
	}
	if _, err := New(meta.enc, hf.dec); err == nil || !strings.Contains(err.Error(), "image_embeddings") {
		t.Errorf("an encoder of another export: %v", err)
	}
}

// TestSizesDiffer: encoder and decoder of one signature, made for images of different
// sizes.
func TestSizesDiffer(t *testing.T) {
	large, small := fakeMeta(t, false), fakeMeta(t, false)
	enc := &fakeEncoder{in: port("input_image", f32, 1, 3, 2*fakeSide, 2*fakeSide), out: []string{"embeddings"}, low: 2 * fakeLow}
	if _, err := New(enc, small.dec); err == nil || !strings.Contains(err.Error(), "made for images of different sizes") {
		t.Errorf("%v", err)
	}
	if _, err := New(large.enc, small.dec); err != nil {
		t.Error(err)
	}
}
