package irn

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/weights/weightstest"
)

// affinityGrads are the gradients that gen_affinitynet.py keeps.
var affinityGrads = map[string][]string{
	"wrn38": {"b5_1.conv_branch2a.weight", "b4.conv_branch1.weight", "f8_3.weight", "f8_5.weight", "f9.weight"},
	"vgg16": {"conv4_1.weight", "fc6.weight", "gn8_4.weight", "f8_4.weight", "f9.weight"},
}

// TestAffinityNetParity: features, losses and gradients are PyTorch's within 1e-4,
// on files with psa's names.
func TestAffinityNetParity(t *testing.T) {
	f := weightstest.Open(t, "testdata/affinitynet.pth")
	read := func(name string) *tensors.Tensor { return weightstest.Tensor(t, f, name) }
	for _, kind := range []string{"wrn38", "vgg16"} {
		for _, spec := range backendtest.Names(t) {
			t.Run(kind+"/"+spec, func(t *testing.T) {
				n, store, err := OpenAffinityNet("testdata/affinity_" + kind + ".pth")
				if err != nil {
					t.Fatal(err)
				}
				if c := n.Config(); c.Backbone != kind || c.Head != 0.125 || c.Width != 1.0/64 {
					t.Fatalf("layout %+v", c)
				}
				// Gradients pass the cut here.
				o := models.BackboneOptions{Width: 1.0 / 64, OutputStride: 8, Dilation: models.DilateLate, NoDropout: true}
				if kind == "wrn38" {
					n.backbone, err = models.BackboneByName("", kind, o)
				}
				if err != nil {
					t.Fatal(err)
				}
				exec, err := model.NewExec(backendtest.Open(t, spec), store, func(scope *model.Scope, in []*Node) []*Node {
					store.SetTraining(in[0].Graph(), true)
					features := n.Features(scope, in[0], false)
					l := AffinityLoss(features, in[1], 4, 4)
					var vars []*Node
					for _, name := range affinityGrads[kind] {
						vars = append(vars, store.GetVariable("/"+strings.ReplaceAll(n.Rename(name), ".", "/")).NodeValue(in[0].Graph()))
					}
					return append([]*Node{features, l.Background, l.Object, l.Different, l.Total()}, Gradient(l.Total(), vars...)...)
				})
				if err != nil {
					t.Fatal(err)
				}
				defer exec.Finalize()
				out, err := exec.Call(read("images"), read("labels"))
				if err != nil {
					t.Fatal(err)
				}
				weightstest.Close(t, "features", out[0], read(kind+"/features"), 1e-4)
				want := tensors.MustCopyFlatData[float32](read(kind + "/losses"))
				for i, what := range []string{"background", "object", "different", "total"} {
					if got := tensors.ToScalar[float32](out[1+i]); !(math.Abs(float64(got-want[i])) <= 1e-4) {
						t.Errorf("loss %s = %v, want %v", what, got, want[i])
					}
				}
				for i, name := range affinityGrads[kind] {
					got, err := layers.ToTorch(out[5+i])
					if err != nil {
						t.Fatal(err)
					}
					weightstest.Close(t, name, got, read(kind+"/grad/"+name), 1e-4)
				}
			})
		}
	}
}

// TestAffinityNetFile: what is saved reads back; the groups are what psa trains;
// files of other networks and impossible layouts are refused.
func TestAffinityNetFile(t *testing.T) {
	n, store, err := OpenAffinityNet("testdata/affinity_vgg16.pth")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := n.Save(path, store.RootScope()); err != nil {
		t.Fatal(err)
	}
	again, other, err := OpenAffinityNet(path)
	if err != nil || again.Config() != n.Config() {
		t.Fatalf("%+v, %v", again, err)
	}
	for v := range store.RootScope().IterVariables() {
		if o := other.GetVariable(v.Path()); o == nil || !v.MustValue().Equal(o.MustValue()) {
			t.Errorf("%s differs", v.Path())
		}
	}
	for path, want := range map[string]models.Group{
		"/backbone/conv2_2/weight": models.GroupFrozen, "/backbone/conv3_1/bias": models.GroupBackbone, "/f8_3/weight": models.GroupHead, "/gn8_5/bias": models.GroupBackbone, "/f9/weight": models.GroupHead,
	} {
		if got := n.Group(path); got != want {
			t.Errorf("%s: group %d, want %d", path, got, want)
		}
	}
	if _, _, err := OpenAffinityNet("testdata/res50_irn.pth"); err == nil || !strings.Contains(err.Error(), "no AffinityNet") {
		t.Errorf("IRN's network: %v", err)
	}
	for _, c := range []Config{{Backbone: "wrn38", Width: 1, Head: 0.3}, {Backbone: "vgg19", Width: 1, Head: 1}, {Backbone: "wrn38", Width: 99, Head: 1}} {
		if _, err := NewAffinityNet(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// TestFeatures: an image has the features of the graph, whatever it is filled up to.
func TestFeatures(t *testing.T) {
	img, err := data.ReadImage("../camnet/testdata/photo.png")
	if err != nil {
		t.Fatal(err)
	}
	var first []float32
	for _, spec := range backendtest.Names(t) {
		n, store, err := OpenAffinityNet("testdata/affinity_vgg16.pth")
		if err != nil {
			t.Fatal(err)
		}
		f := NewFeaturer(backendtest.Open(t, spec), n, store)
		f.bucket = AffinityStride
		got, err := f.Features(imageproc.FromImage(img))
		f.Close()
		if err != nil || got.W != 10 || got.H != 8 || got.Channels != 56 {
			t.Fatalf("%s: %+v, %v", spec, got, err)
		}
		if first == nil {
			first = got.Values
		}
		for i, v := range got.Values {
			if math.Abs(float64(v-first[i])) > 1e-4 {
				t.Fatalf("%s: feature %d is %v, not %v", spec, i, v, first[i])
			}
		}
		if slices.Max(got.Values) <= 0 {
			t.Error("no feature is positive")
		}
	}
}
