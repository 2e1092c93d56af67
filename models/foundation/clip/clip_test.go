package clip

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/datatest"
	"wsss/data/imageproc"
	"wsss/data/vector"
	"wsss/models/foundation"
	"wsss/models/foundation/tokenize"
)

// tower embeds a text as the counts of its first ids, an image as the means
// of its channels.
type tower struct {
	in, out []foundation.Port
	seen    [][]int
}

func (f *tower) Inputs() []foundation.Port  { return f.in }
func (f *tower) Outputs() []foundation.Port { return f.out }
func (f *tower) Run(_ context.Context, in map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	row := make([]float32, 3)
	if t := in["input_ids"]; t != nil {
		for i, id := range tensors.MustCopyFlatData[int64](t) {
			row[i%3] += float32(id)
		}
		f.seen = append(f.seen, t.Shape().Dimensions)
		if m := in["attention_mask"]; m != nil {
			sum := int64(0)
			for _, v := range tensors.MustCopyFlatData[int64](m) {
				sum += v
			}
			f.seen = append(f.seen, []int{int(sum)})
		}
	} else {
		pix := tensors.MustCopyFlatData[float32](in["pixel_values"])
		for i, v := range pix {
			row[i*3/len(pix)] += v
		}
		f.seen = append(f.seen, in["pixel_values"].Shape().Dimensions)
	}
	return map[string]*tensors.Tensor{want[0]: tensors.FromFlatDataAndDimensions(row, 1, 3)}, nil
}

func port(name string, t dtypes.DType, dims ...int) foundation.Port {
	return foundation.Port{Name: name, DType: t, Dims: dims}
}

// letters is a tokenizer without merges: one token per letter.
func letters(t *testing.T) *tokenize.CLIP {
	t.Helper()
	path := filepath.Join(t.TempDir(), "merges.txt")
	datatest.Write(t, path, "#version: 0.2\n")
	c, err := tokenize.LoadCLIP(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func model(t *testing.T) (*Model, *tower, *tower) {
	t.Helper()
	vision := &tower{in: []foundation.Port{port("pixel_values", dtypes.Float32, -1, 3, 16, 16)}, out: []foundation.Port{port("image_embeds", dtypes.Float32, -1, 3)}}
	text := &tower{in: []foundation.Port{port("input_ids", dtypes.Int64, -1, -1), port("attention_mask", dtypes.Int64, -1, -1)}, out: []foundation.Port{port("text_embeds", dtypes.Float32, -1, 3)}}
	m, err := New(vision, text, letters(t))
	if err != nil {
		t.Fatal(err)
	}
	return m, vision, text
}

func TestTowers(t *testing.T) {
	m, vision, textTower := model(t)
	ctx := context.Background()
	images, err := m.Image(ctx, imageproc.NewRGB(40, 20), imageproc.NewRGB(16, 16))
	if err != nil {
		t.Fatal(err)
	}
	texts, err := m.Text(ctx, "cat")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range append(images, texts...) {
		if math.Abs(vector.Length(v)-1) > 1e-6 {
			t.Errorf("length %v", vector.Length(v))
		}
	}
	if got := fmt.Sprint(vision.seen, textTower.seen); got != "[[1 3 16 16] [1 3 16 16]] [[1 77] [5]]" {
		t.Errorf("inputs %s", got)
	}
	for text, want := range map[string]int{"cat": 5, "!!!": 5, "!?": 4, "<|endoftext|> cat": 2} { // tokens, start and first end included
		if _, err := m.Text(ctx, text); err != nil || textTower.seen[len(textTower.seen)-1][0] != want {
			t.Errorf("%q: %v attended to, want %d (%v)", text, textTower.seen[len(textTower.seen)-1], want, err)
		}
	}
	if _, err := m.Text(ctx, strings.Repeat("x", 100)); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a long text: %v", err)
	}
}

func TestEnsembleIsTheMeanOfDirections(t *testing.T) {
	m, _, _ := model(t)
	ctx := context.Background()
	got, err := m.Ensemble(ctx, []string{"a {}", "the {} b"}, []Words{{"cat", "kitten"}, {"dog"}})
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, 3)
	for _, text := range []string{"a cat", "the cat b", "a kitten", "the kitten b"} {
		rows, err := m.Text(ctx, text)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range rows[0] {
			want[k] += v
		}
	}
	vector.Normalise(want)
	for k := range want {
		if math.Abs(float64(got[0][k]-want[k])) > 1e-6 {
			t.Errorf("%v, want %v", got[0], want)
		}
	}
	for _, bad := range []struct {
		templates []string
		classes   []Words
		want      string
	}{{nil, nil, "no prompt"}, {[]string{"a"}, []Words{{"x"}}, "lacks {}"}, {[]string{"{}"}, []Words{{}}, "no words"}} {
		if _, err := m.Ensemble(ctx, bad.templates, bad.classes); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestScores(t *testing.T) {
	logits := Logits([]float32{0.6, 0.8}, [][]float32{{1, 0}, {0, 1}, {0.6, 0.8}}, 10)
	if fmt.Sprint(logits) != "[6 8 10]" {
		t.Errorf("logits %v", logits)
	}
	p := Softmax(logits)
	sum := p[0] + p[1] + p[2]
	if math.Abs(float64(sum)-1) > 1e-6 || math.Abs(float64(p[2])-0.8668133) > 1e-6 {
		t.Errorf("softmax %v", p)
	}
	if got := Softmax([]float32{1000, 1000}); got[0] != 0.5 {
		t.Errorf("large logits: %v", got)
	}
	if got := fmt.Sprint(TopN([]float32{1, 3, 3, 2}, 3), TopN([]float32{1}, 5), TopN(nil, 2), TopN([]float32{1}, -1)); got != "[1 2 3] [0] [] []" {
		t.Errorf("TopN %s", got)
	}
	both := MultiLabel([]float32{5, 5, -5}, []float32{0, 0})
	if both[0] != both[1] || both[0] < 0.98 || both[2] > 0.01 {
		t.Errorf("two present classes: %v", both)
	}
}

func TestNewRefusesPlainTransformers(t *testing.T) {
	m, _, text := model(t)
	plain := &tower{in: []foundation.Port{port("pixel_values", dtypes.Float32, 1, 3, 16, 16)}, out: []foundation.Port{port("pooler_output", dtypes.Float32)}}
	if _, err := New(plain, text, m.t); err == nil || !strings.Contains(err.Error(), "pooler_output") {
		t.Errorf("vision: %v", err)
	}
	if _, err := New(m.vision, plain, m.t); err == nil || !strings.Contains(err.Error(), "text model") {
		t.Errorf("text: %v", err)
	}
}

func TestScorerRemembersWords(t *testing.T) {
	m, _, text := model(t)
	s := m.NewScorer(nil)
	ctx := context.Background()
	img := imageproc.NewRGB(20, 20)
	first, err := s.Scores(ctx, img, []string{"cat", "dog"})
	if err != nil {
		t.Fatal(err)
	}
	calls := len(text.seen)
	again, err := s.Scores(ctx, img, []string{"dog", "cat"})
	if err != nil || len(text.seen) != calls || first[0] != again[1] || first[1] != again[0] {
		t.Errorf("%v, then %v; %d calls more; %v", first, again, len(text.seen)-calls, err)
	}
}
