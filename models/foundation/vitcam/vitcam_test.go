package vitcam

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/data/datatest"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/onnximport"
	"wsss/models/onnximport/onnxfile"
	"wsss/models/onnximport/vit"
)

// fixtures are what testdata/gen_vitcam.py wrote.
type fixtures struct {
	Scale float32
	Last  int
	Texts [][]float32
	Cases []struct {
		Export        string
		Width, Height int
		Softmax       bool
		ClassToken    bool `json:"class_token"`
		Classes       []int
		Among         []int
		CAMs          [][]float32
		Activations   []float32
		Attention     []float32
	}
}

func readFixtures(t *testing.T) (f fixtures) {
	t.Helper()
	datatest.JSON(t, "testdata/maps.json", &f)
	return f
}

func engines(t *testing.T) map[string]compute.Backend {
	t.Helper()
	return backendtest.All(t, backendtest.Quick(t))
}

// picture is the generator's.
func picture(w, h int) *imageproc.RGB {
	m := imageproc.NewRGB(w, h)
	for y := range h {
		for x := range w {
			copy(m.Pix[3*(y*w+x):], []uint8{uint8(x*7 + y*3), uint8(x * y % 251), uint8(x*2 + y*y)})
		}
	}
	return m
}

// difference is the largest, relative to the largest value.
func difference(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var diff, scale float64
	for i := range got {
		diff, scale = max(diff, math.Abs(float64(got[i]-want[i]))), max(scale, math.Abs(float64(want[i])))
	}
	return diff / scale
}

// TestParity compares maps and attention with PyTorch's, at sizes that are no
// squares and no multiples of the patch.
func TestParity(t *testing.T) {
	const tolerance = 1e-3
	f := readFixtures(t)
	ctx := context.Background()
	worst := 0.0
	for name, b := range engines(t) {
		for _, c := range f.Cases {
			t.Run(fmt.Sprintf("%s/%s_%dx%d_%v", name, c.Export, c.Width, c.Height, c.ClassToken), func(t *testing.T) {
				path := filepath.Join("testdata", c.Export+".onnx")
				opt := Options{Output: "image_embeds", Texts: f.Texts, Scale: f.Scale, Softmax: c.Softmax, ClassToken: c.ClassToken, Blocks: f.Last}
				if c.Export == "classifier" {
					opt.Output, opt.Texts = "logits", nil
				}
				m, err := Open(b, path, opt)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				im, err := m.Embed(ctx, picture(c.Width, c.Height))
				if err != nil {
					t.Fatal(err)
				}
				check := func(what string, got, want []float32) {
					d := difference(got, want)
					if worst = max(worst, d); !(d <= tolerance) {
						t.Errorf("%s: relative difference %.2g", what, d)
					}
				}
				cams, err := m.CAMs(ctx, im, c.Classes, c.Among)
				if err != nil {
					t.Fatal(err)
				}
				for i, class := range c.Classes {
					check(fmt.Sprint("map of class ", class), cams[i], c.CAMs[i])
				}
				if c.Attention != nil {
					check("attention", im.Attention, c.Attention)
					check("activations", activations(t, m, im), c.Activations)
				}
			})
		}
	}
	t.Logf("largest relative difference %.2g", worst)
}

// activations are those that the maps are sums of.
func activations(t *testing.T, m *Model, im *Image) []float32 {
	t.Helper()
	cut, err := onnximport.Open(m.last.Path(), onnximport.Options{Outputs: []string{m.tower.Norm}, Edit: func(f *onnxfile.File) error {
		m.tower.Cut(f)
		return m.tower.Resize(f, m.positions.Tokens())
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Close()
	r, err := onnximport.NewRunner(m.backend, cut, onnximport.RunnerOptions{NoORT: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in := map[string]*tensors.Tensor{vit.StreamInput: im.stream, vit.PositionsInput: m.positions.Resized(im.W, im.H)}
	for _, p := range cut.Inputs() {
		if p.Name == "input_ids" {
			in[p.Name] = tensors.FromFlatDataAndDimensions([]int64{1}, 1, 1)
		}
	}
	in[m.tower.Input] = im.pixels
	out, err := r.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	values, err := tensors.CopyFlatData[float32](out[m.tower.Norm])
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestSizes(t *testing.T) {
	patch := &vit.Tower{Patch: 16}
	for _, c := range []struct {
		opt        Options
		w, h, W, H int
	}{
		{Options{Step: 16, Zoom: 1, MaxSide: 1024}, 500, 333, 512, 336},
		{Options{Step: 16, Zoom: 1, MaxSide: 1024}, 16, 1, 16, 16},
		{Options{Step: 64, Zoom: 1, MaxSide: 1024}, 500, 333, 512, 384},
		{Options{Step: 16, Zoom: 0.5, MaxSide: 1024}, 500, 333, 256, 176},
		{Options{Step: 16, Zoom: 1, MaxSide: 1024}, 4000, 3000, 1024, 768},
		{Options{Step: 16, Zoom: 2, MaxSide: 600}, 500, 333, 608, 400},
	} {
		m := &Model{opt: c.opt, tower: patch}
		if w, h := m.Size(c.w, c.h); w != c.W || h != c.H {
			t.Errorf("%+v: %d×%d becomes %d×%d, want %d×%d", c.opt, c.w, c.h, w, h, c.W, c.H)
		}
	}
}

// TestShapesAreBounded: only the latest sizes stay compiled, and one that went
// comes back with the same map.
func TestShapesAreBounded(t *testing.T) {
	f := readFixtures(t)
	b := backendtest.One(t)
	m, err := Open(b, "testdata/hf.onnx", Options{Output: "image_embeds", Texts: f.Texts, Scale: 1, MaxShapes: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx := context.Background()
	var first []float32
	for _, size := range [][2]int{{24, 24}, {16, 8}, {8, 16}, {24, 24}} {
		im, err := m.Embed(ctx, picture(size[0], size[1]))
		if err != nil {
			t.Fatal(err)
		}
		cams, err := m.CAMs(ctx, im, []int{2}, nil)
		if err != nil {
			t.Fatal(err)
		}
		cam := cams[0]
		if n := m.shapes.Len(); n > 2 {
			t.Fatalf("%d sizes are kept", n)
		}
		if im.Free(); first == nil {
			first = cam
		} else if size == [2]int{24, 24} && difference(cam, first) != 0 {
			t.Errorf("the map is %v, before %v", cam, first)
		}
	}
}

// TestManyClasses: maps made together are those made one by one.
func TestManyClasses(t *testing.T) {
	f := readFixtures(t)
	b := backendtest.One(t)
	m, err := Open(b, "testdata/hf.onnx", Options{Output: "image_embeds", Texts: f.Texts, Scale: 10, Softmax: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx := context.Background()
	im, err := m.Embed(ctx, picture(24, 16))
	if err != nil {
		t.Fatal(err)
	}
	classes := []int{3, 0, 2, 1, 3, 2}
	together, err := m.CAMs(ctx, im, classes, []int{0, 1, 2})
	if err != nil || len(together) != len(classes) {
		t.Fatalf("%d maps, %v", len(together), err)
	}
	for i, class := range classes {
		alone, err := m.CAMs(ctx, im, []int{class}, []int{0, 1, 2})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(together[i], alone[0]) {
			t.Errorf("class %d: together %v, alone %v", class, together[i], alone[0])
		}
	}
}

// TestTogether: images that share runs get what each gets alone, in every kind of
// export; one that takes a single image at a time is asked so.
func TestTogether(t *testing.T) {
	f := readFixtures(t)
	for name, b := range engines(t) {
		for _, export := range []string{"hf", "classifier", "openai"} {
			t.Run(name+"/"+export, func(t *testing.T) {
				opt := Options{Output: "image_embeds", Texts: f.Texts, Scale: f.Scale, Softmax: true}
				if export == "classifier" {
					opt = Options{Output: "logits", ClassToken: true}
				}
				m, err := Open(b, "testdata/"+export+".onnx", opt)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				backendtest.SharedRuns(t, 5, 1e-4, func(i int) ([]float32, error) {
					img := picture(40, 24)
					for k := range img.Pix {
						img.Pix[k] += uint8(k % (i + 2) * 31)
					}
					im, err := m.Embed(t.Context(), img)
					if err != nil {
						return nil, err
					}
					defer im.Free()
					cams, err := m.CAMs(t.Context(), im, []int{3, 0, 2, 1, 3}[:2+i%2*3], []int{0, 1, 2})
					return slices.Concat(append(cams, im.Attention)...), err
				})
				if one := m.one || m.embeds.Single() && m.cams.Single(); one != (export == "openai") {
					t.Errorf("one image at a time: %t", one)
				}
			})
		}
	}
}

func TestErrors(t *testing.T) {
	b := backendtest.One(t)
	ctx := context.Background()
	texts := [][]float32{make([]float32, 5)}
	for _, c := range []struct {
		path string
		opt  Options
		want string
	}{
		{"../zoo/clip_text.onnx", Options{Output: "text_embeds"}, "not made of one token"},
		{"../zoo/sam_encoder.onnx", Options{Output: "embeddings"}, "not the output of a transformer"},
		{"testdata/hf.onnx", Options{Output: "nothing"}, `"nothing"`},
		{"testdata/hf.onnx", Options{Output: "image_embeds", Step: 12}, "multiples of the patch, 8"},
		{"testdata/hf.onnx", Options{Output: "image_embeds", Texts: texts}, "width 12, the embeddings of words 5"},
	} {
		m, err := Open(b, c.path, c.opt)
		if err == nil {
			defer m.Close()
			var im *Image
			if im, err = m.Embed(ctx, picture(9, 9)); err == nil {
				_, err = m.CAMs(ctx, im, []int{0}, nil)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %+v: %v, want %q", c.path, c.opt, err, c.want)
		}
	}
	if _, _, err := (&Model{classes: 3}).targets([]int{3}, nil); err == nil {
		t.Error("class 3 of 0..2 passed")
	}
	if d := difference([]float32{1}, []float32{1, 2}); !math.IsInf(d, 1) {
		t.Error("differing lengths pass")
	}
}
