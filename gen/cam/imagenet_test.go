package cam

import (
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/models/backend/backendtest"
	"wsss/models/imagenet"
	. "wsss/models/onnximport/onnxtest"
)

var pets = data.Classes{Names: []string{"background", "cat", "dog", "wug"}}

// reds is a classifier that takes red for a beagle (162) and blue for a tabby
// (281), on a quarter of the image's pixels. end is what makes logits of the
// features [1, 2, h, w].
func reds(t *testing.T, end string) string {
	t.Helper()
	weights := make([]float32, 2*1000)
	weights[2*162], weights[2*281+1] = 5, 5
	g := &protos.GraphProto{
		Input:  []*protos.ValueInfoProto{Port("x", "n", 3, "h", "w")},
		Output: []*protos.ValueInfoProto{Port("y", "n", 1000)},
		Node: []*protos.NodeProto{
			Node("AveragePool", "small", []string{"x"}, Ints("kernel_shape", 4, 4), Ints("strides", 4, 4)),
			Node("Conv", "mixed", []string{"small", "kernel"}),
			Node("Relu", "features", []string{"mixed"}),
		},
		Initializer: []*protos.TensorProto{Floats("kernel", []float32{1, -1, 0, 0, -1, 1}, 2, 3, 1, 1)},
	}
	nodes := map[string][]*protos.NodeProto{
		"gemm": {Node("GlobalAveragePool", "pooled", []string{"features"}), Node("Flatten", "flat", []string{"pooled"}),
			Node("Gemm", "logits", []string{"flat", "w", "b"}, Int("transB", 1)), Node("Softmax", "y", []string{"logits"})},
		"matmul": {Node("ReduceMean", "flat", []string{"features"}, Ints("axes", 2, 3), Int("keepdims", 0)),
			Node("MatMul", "product", []string{"flat", "across"}), Node("Add", "y", []string{"product", "b"})},
		"conv": {Node("GlobalAveragePool", "pooled", []string{"features"}), Node("Conv", "logits", []string{"pooled", "w4", "b"}), Node("Flatten", "y", []string{"logits"})},
		"none": {Node("GlobalAveragePool", "pooled", []string{"features"}), Node("Flatten", "y", []string{"pooled"})},
		"max":  {Node("GlobalMaxPool", "pooled", []string{"features"}), Node("Flatten", "flat", []string{"pooled"}), Node("Gemm", "y", []string{"flat", "w", "b"}, Int("transB", 1))},
	}
	g.Node = append(g.Node, nodes[end]...)
	across := make([]float32, len(weights))
	for i, v := range weights {
		across[i%2*1000+i/2] = v
	}
	g.Initializer = append(g.Initializer, Floats("w", weights, 1000, 2), Floats("w4", weights, 1000, 2, 1, 1), Floats("across", across, 2, 1000), Floats("b", make([]float32, 1000), 1000))
	return Write(t, "reds", g)
}

// halves is red on the left, blue on the right, and black below.
func halves(tags ...int) *data.Sample {
	img := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			c := color.NRGBA{A: 255}
			switch {
			case y < 32 && x < 32:
				c.R = 255
			case y < 32:
				c.B = 255
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return &data.Sample{ID: "halves", Image: img, Weak: data.WeakLabels{Tags: tags}}
}

func openPets(t *testing.T, options map[string]any) (gen.Method, error) {
	t.Helper()
	return gen.New(gen.Env{Backend: backendtest.One(t), Classes: pets, Weak: data.WeakTags, Gen: configs.Gen{Method: "imagenet-cam", Weak: "tags", Options: options}})
}

// TestImageNetCAM: each half of the photo gets the tag whose ImageNet class it
// shows, however the file's linear layer is written, and a class without one
// gets nothing.
func TestImageNetCAM(t *testing.T) {
	for _, end := range []string{"gemm", "matmul", "conv"} {
		t.Run(end, func(t *testing.T) {
			m, err := openPets(t, map[string]any{"classifier": reds(t, end), "map": map[string]any{"wug": []string{}}, "scales": []float64{1, 0.5}})
			if err != nil {
				t.Fatal(err)
			}
			masks, err := m.Generate(t.Context(), halves(1, 2, 3))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, mask := range masks {
				b := mask.Bits.Bounds()
				got += fmt.Sprintf("%d %v; ", mask.Class, image.Rect(b.Min.X/16, b.Min.Y/16, (b.Max.X+15)/16, (b.Max.Y+15)/16))
			}
			if want := "1 (2,0)-(4,3); 2 (0,0)-(2,3); "; got != want {
				t.Errorf("in sixteenths: %s, want %s", got, want)
			}
			bare := halves()
			bare.Weak.Tags = []int{}
			if masks, err := m.Generate(t.Context(), bare); err != nil || len(masks) != 0 {
				t.Errorf("a photo without anything: %v, %v", masks, err)
			}
		})
	}
}

// TestImageNetErrors names the key and what is wrong with it.
func TestImageNetErrors(t *testing.T) {
	none := map[string]any{"wug": []string{}}
	for _, c := range []struct {
		options map[string]any
		want    string
	}{
		{map[string]any{}, "classifier is missing"},
		{map[string]any{"classifier": reds(t, "gemm")}, "gen.options.map.wug"},
		{map[string]any{"classifier": reds(t, "gemm"), "map": map[string]any{"wug": []string{"blicket"}}}, "blicket"},
		{map[string]any{"classifier": reds(t, "gemm"), "map": map[string]any{"dax": []string{"dog"}}}, "dax"},
		{map[string]any{"classifier": reds(t, "none"), "map": none}, "no linear layer"},
		{map[string]any{"classifier": reds(t, "max"), "map": none}, "GlobalMaxPool"},
		{map[string]any{"classifier": reds(t, "gemm"), "map": none, "stride": 16}, "stride"},
		{map[string]any{"classifier": reds(t, "gemm"), "map": none, "temperature": 0.0}, "temperature"},
		{map[string]any{"classifier": reds(t, "gemm"), "map": none, "norm": "grey"}, `norm = "grey": allowed are bytes, caffe, clip, half, imagenet, signed, unit`},
		{map[string]any{"classifier": "tiny-sam", "map": none}, "family sam"},
		{map[string]any{"classifier": fixtures + "res50_cam.pth", "map": none}, "fc.weight"},
		{map[string]any{"classifier": fixtures + "parity.pth", "map": none}, "known are EfficientNet-Lite"},
		{map[string]any{"classifier": reds(t, "gemm"), "map": none, "saliency": map[string]any{"model": "mobile-sam"}}, "wanted is saliency"},
	} {
		if _, err := openPets(t, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.options, err)
		}
	}
}

// TestImageNetNorms: signed and its older name half are the same, and not
// ImageNet's, which is the default of an ONNX file.
func TestImageNetNorms(t *testing.T) {
	scores := func(norm string) []float32 {
		t.Helper()
		m, err := openPets(t, map[string]any{"classifier": reds(t, "gemm"), "map": map[string]any{"wug": []string{}}, "norm": norm})
		if err != nil {
			t.Fatal(err)
		}
		net := m.(*imageNet).net
		logits, err := net.Logits(t.Context(), imageproc.FromImage(halves().Image))
		if err != nil {
			t.Fatal(err)
		}
		return logits
	}
	signed := scores("signed")
	if !slices.Equal(signed, scores("half")) {
		t.Error("half is not signed")
	}
	if plain := scores(""); !slices.Equal(plain, scores("imagenet")) || slices.Equal(plain, signed) {
		t.Error("the default is not imagenet")
	}
}

// TestImageNetTogether: photos that share runs have the maps that each has alone,
// of an ONNX file and of weights.
func TestImageNetTogether(t *testing.T) {
	backendtest.Each(t, backendtest.Names(t), func(t *testing.T, b compute.Backend) {
		net, err := imagenet.Open(b, reds(t, "gemm"), imagenet.Options{Scales: []float64{1}, Flip: true, MaxSide: 256})
		if err != nil {
			t.Fatal(err)
		}
		photo := imageproc.FromImage(halves().Image)
		t.Run("onnx", func(t *testing.T) {
			backendtest.SharedRuns(t, 5, 1e-5, func(i int) ([]float32, error) {
				maps, err := net.Maps(t.Context(), photo.Crop(image.Rect(4*(i%2), 0, 64, 64)), [][]int{{162}}, 1)
				if err != nil {
					return nil, err
				}
				return maps[0][0].Values, nil
			})
		})
	})
}
