package blip2

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models/foundation"
	"wsss/models/foundation/tokenize"
)

func words(t *testing.T) *tokenize.BERT {
	t.Helper()
	bert, err := tokenize.LoadBERT("../gdino/testdata/vocab.txt")
	if err != nil {
		t.Fatal(err)
	}
	return bert
}

func port(name string, t dtypes.DType, dims ...int) foundation.Port {
	return foundation.Port{Name: name, DType: t, Dims: dims}
}

// fake scores the id of the first word.
type fake struct {
	in, out []foundation.Port
	seen    []string
}

func (f *fake) Inputs() []foundation.Port  { return f.in }
func (f *fake) Outputs() []foundation.Port { return f.out }
func (f *fake) Run(_ context.Context, in map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	for name, t := range in {
		f.seen = append(f.seen, fmt.Sprint(name, t.Shape().Dimensions))
	}
	var word float32
	if t := in["input_ids"]; t != nil {
		word = float32(tensors.MustCopyFlatData[int64](t)[1])
	}
	var out *tensors.Tensor
	switch want[0] {
	case "itm_logits":
		out = tensors.FromFlatDataAndDimensions([]float32{1, word}, 1, 2)
	case "image_features": // two queries
		out = tensors.FromFlatDataAndDimensions([]float32{1, 0, 0, 2}, 1, 2, 2)
	case "text_features":
		out = tensors.FromFlatDataAndDimensions([]float32{3, word - 4}, 1, 2)
	}
	return map[string]*tensors.Tensor{want[0]: out}, nil
}

func TestScores(t *testing.T) {
	const f32, i64 = dtypes.Float32, dtypes.Int64
	text := []foundation.Port{port("input_ids", i64, -1, 32), port("attention_mask", i64, -1, 32)}
	one := &fake{in: append([]foundation.Port{port("pixel_values", f32, -1, 3, 16, 16)}, text...), out: []foundation.Port{port("itm_logits", f32, -1, 2)}}
	m, err := New(one, nil, words(t))
	if err != nil {
		t.Fatal(err)
	}
	img := imageproc.NewRGB(10, 20)
	got, err := m.Scores(context.Background(), img, []string{"A (Dog)!", "cat"}) // ids 9 and 8
	if err != nil || fmt.Sprint(got) != "[0 7]" {                                // "a" is unknown, id 1
		t.Errorf("matching: %v %v", got, err)
	}
	image := &fake{in: []foundation.Port{port("pixel_values", f32, -1, 3, -1, -1)}, out: []foundation.Port{port("image_features", f32)}}
	words2 := &fake{in: text, out: []foundation.Port{port("text_features", f32)}}
	if m, err = New(image, words2, words(t)); err != nil {
		t.Fatal(err)
	}
	got, err = m.Scores(context.Background(), img, []string{"cat"}) // text (3, 4): cosines 0.6, 0.8
	if err != nil || got[0] < 0.7999 || got[0] > 0.8001 {
		t.Errorf("similarity: %v %v", got, err)
	}
	if image.seen[0] != "pixel_values[1 3 224 224]" {
		t.Errorf("image %v", image.seen)
	}
	if _, err := New(image, nil, words(t)); err == nil || !strings.Contains(err.Error(), "itm_logits") {
		t.Errorf("towers without text: %v", err)
	}
	if _, err := New(words2, nil, words(t)); err == nil || !strings.Contains(err.Error(), "pixel_values") {
		t.Errorf("no image: %v", err)
	}
}

func TestClean(t *testing.T) {
	if got := Clean(`  A "Photo" of (a) DOG: #1; nice~*! `); got != "a photo of a dog 1 nice" {
		t.Errorf("%q", got)
	}
}

// bright scores a text's first letter by the crop's mean brightness.
type bright struct{ crop *imageproc.RGB }

func (b *bright) Scores(_ context.Context, img *imageproc.RGB, texts []string) ([]float32, error) {
	b.crop = img
	sum := 0
	for _, v := range img.Pix {
		sum += int(v)
	}
	level := float32(sum) / float32(len(img.Pix))
	out := make([]float32, len(texts))
	for i, t := range texts {
		out[i] = level
		if t == "dark" {
			out[i] = 100 - level
		}
	}
	return out, nil
}

func TestClassifyCrops(t *testing.T) {
	img := imageproc.NewRGB(12, 10)
	bits := make([]uint8, 120)
	for y := 2; y < 6; y++ {
		for x := 3; x < 7; x++ {
			bits[y*12+x] = 1
			copy(img.Pix[3*(y*12+x):], []uint8{200, 200, 200})
		}
	}
	mask := data.EncodeRLE(bits, 12, 10)
	list := []Candidate{{0, "dark"}, {4, "light"}, {4, "bright"}}
	s := &bright{}
	class, share, err := Classify(context.Background(), s, img, mask, list, CropOptions{})
	if err != nil || class != 4 || share != 1 {
		t.Errorf("class %d share %v %v", class, share, err)
	}
	even := []Candidate{{4, "light"}, {2, "light"}, {4, "light"}, {0, "light"}}
	if class, share, err = Classify(context.Background(), s, img, mask, even, CropOptions{}); err != nil || class != 4 || share != 0.5 {
		t.Errorf("equal texts: class %d share %v %v", class, share, err)
	}
	if s.crop.W != 4 || s.crop.H != 4 {
		t.Errorf("crop %d×%d", s.crop.W, s.crop.H)
	}
	crop := Crop(img, mask, CropOptions{Margin: 1, Grey: true})
	if crop.W != 11 || crop.H != 10 || crop.Pix[0] != mean[0] || crop.Pix[3*(3*11+4)] != 200 {
		t.Errorf("crop %d×%d, corner %v", crop.W, crop.H, crop.Pix[:3])
	}
	if _, _, err := Classify(context.Background(), s, img, data.EncodeRLE(make([]uint8, 120), 12, 10), list, CropOptions{}); err == nil {
		t.Error("an empty mask passed")
	}
	if _, _, err := Classify(context.Background(), s, img, mask, nil, CropOptions{}); err == nil {
		t.Error("no texts passed")
	}
}
