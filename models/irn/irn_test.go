package irn

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/models/weights/weightstest"
)

const fixtureRadius, fixtureClasses = 4, 4

func fixture(t *testing.T, names ...string) map[string]*tensors.Tensor {
	t.Helper()
	f := weightstest.Open(t, "testdata/parity.pth")
	out := map[string]*tensors.Tensor{}
	for _, name := range names {
		out[name] = weightstest.Tensor(t, f, name)
	}
	return out
}

// TestParity: boundaries, displacements, losses and gradients are PyTorch's
// within 1e-4, on a file with IRN's names.
func TestParity(t *testing.T) {
	grads := map[string]string{
		"/fc_edge1/0/weight": "fc_edge1.0.weight", "/fc_edge3/1/bias": "fc_edge3.1.bias", "/fc_edge6/bias": "fc_edge6.bias",
		"/fc_dp5/0/weight": "fc_dp5.0.weight", "/fc_dp7/3/weight": "fc_dp7.3.weight",
	}
	names := []string{"images", "labels", "edges", "displacements", "losses"}
	for _, name := range grads {
		names = append(names, "grad/"+name)
	}
	for _, spec := range backendtest.Names(t) {
		t.Run(spec, func(t *testing.T) {
			f := fixture(t, names...) // tensors belong to the engine that saw them
			b := backendtest.Open(t, spec)
			n, err := Open("testdata/res50_irn.pth")
			if err != nil {
				t.Fatal(err)
			}
			store := n.Store
			if c := n.Config(); c.Backbone != "resnet50" || c.Head != 0.25 {
				t.Fatalf("layout %+v", c)
			}
			exec, err := model.NewExec(b, store, func(scope *model.Scope, inputs []*Node) []*Node {
				images, labels := inputs[0], inputs[1]
				store.SetTraining(images.Graph(), true)
				edges, way := n.Outputs(scope, images, true)
				l := Loss(edges, way, reduced(labels), fixtureClasses, fixtureRadius)
				out := []*Node{edges, way, l.Same, l.Different, l.Displacement, l.Background, l.Total()}
				var vars []*Node
				for _, path := range order(grads) {
					vars = append(vars, store.GetVariable(path).NodeValue(images.Graph()))
				}
				return append(out, Gradient(l.Total(), vars...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			out, err := exec.Call(f["images"], f["labels"])
			if err != nil {
				t.Fatal(err)
			}
			weightstest.Close(t, "edges", out[0], f["edges"], 1e-4)
			weightstest.Close(t, "displacements", out[1], f["displacements"], 1e-4)
			want := tensors.MustCopyFlatData[float32](f["losses"])
			for i, what := range []string{"same", "different", "displacement", "background", "total"} {
				if got := tensors.ToScalar[float32](out[2+i]); math.Abs(float64(got-want[i])) > 1e-5 {
					t.Errorf("loss %s = %v, want %v", what, got, want[i])
				}
			}
			for i, path := range order(grads) {
				got, err := layers.ToTorch(out[7+i])
				if err != nil {
					t.Fatal(err)
				}
				weightstest.Close(t, path, got, f["grad/"+grads[path]], 1e-4)
			}
		})
	}
}

func order(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestSaveOpen: what is saved has the names and values of the file it came from,
// and the shift of displacements counts outside training.
func TestSaveOpen(t *testing.T) {
	n, err := Open("testdata/res50_irn.pth")
	if err != nil || n.Crop != Crop {
		t.Fatalf("%+v, %v", n, err)
	}
	path := filepath.Join(t.TempDir(), "irn.safetensors")
	if err := n.Save(path, n.Store.RootScope(), 96); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path)
	if err != nil || again.Config() != n.Config() || again.Crop != 96 {
		t.Fatalf("%+v, %v", again, err)
	}
	shift := tensors.MustCopyFlatData[float32](again.Store.GetVariable("/mean_shift/running_mean").MustValue())
	if !slices.Equal(shift, []float32{0.3, -0.2}) {
		t.Errorf("shift %v", shift)
	}
	for v := range n.Store.RootScope().IterVariables() {
		if o := again.Store.GetVariable(v.Path()); o == nil || !v.MustValue().Equal(o.MustValue()) {
			t.Errorf("%s differs", v.Path())
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, c := range []Config{
		{Backbone: "vgg16", Width: 1, Head: 1, StrideIn: "3x3"}, {Backbone: "resnet50", Width: 1, Head: 0.1, StrideIn: "3x3"},
		{Backbone: "resnet50", Width: 99, Head: 1, StrideIn: "3x3"}, {Backbone: "resnet50", Width: 1, Head: 1, StrideIn: "2x2"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	if _, err := Open("../camnet/testdata/res50_cam.pth"); err == nil || !strings.Contains(err.Error(), "no IRN network") {
		t.Errorf("a CAM classifier: %v", err)
	}
}

// TestLine: a line holds what lies less than a pixel from it, both ends included.
func TestLine(t *testing.T) {
	if got := line(2, 1); !slices.Equal(got, []Offset{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}, {2, 1}}) {
		t.Errorf("%v", got)
	}
	if got := line(0, 3); !slices.Equal(got, []Offset{{0, 0}, {0, 1}, {0, 2}, {0, 3}}) {
		t.Errorf("%v", got)
	}
	if n := len(neighbours(5)); n != 34 { // of 69 pixels nearer than 5, half without the centre
		t.Errorf("%d neighbours", n)
	}
}

// TestEdges: boundaries of an image and its mirror image are averaged before the
// sigmoid, as in IRN; a mirrored image has mirrored boundaries.
func TestEdges(t *testing.T) {
	img, err := data.ReadImage("../camnet/testdata/photo.png")
	if err != nil {
		t.Fatal(err)
	}
	f := fixture(t, "photo")
	want := tensors.MustCopyFlatData[float32](f["photo"])
	for _, spec := range backendtest.Names(t) {
		t.Run(spec, func(t *testing.T) {
			n, err := Open("testdata/res50_irn.pth")
			if err != nil {
				t.Fatal(err)
			}
			n.Crop = 96
			m := NewMapper(backendtest.Open(t, spec), n)
			defer m.Close()
			got, err := m.Edges(imageproc.FromImage(img))
			if err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for i, v := range got.Strength {
				worst = max(worst, math.Abs(float64(v-want[i])))
			}
			if d := f["photo"].Shape().Dimensions; got.H != d[0] || got.W != d[1] || worst > 1e-4 {
				t.Errorf("%d×%d boundaries differ by %.1e", got.W, got.H, worst)
			}
		})
	}
}

// TestEdgesTogether: images that share runs get what each gets alone.
func TestEdgesTogether(t *testing.T) {
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		n, err := Open("testdata/res50_irn.pth")
		if err != nil {
			t.Fatal(err)
		}
		n.Crop = 64
		m := NewMapper(b, n)
		defer m.Close()
		a, store, err := OpenAffinityNet("testdata/affinity_vgg16.pth")
		if err != nil {
			t.Fatal(err)
		}
		f := NewFeaturer(b, a, store)
		defer f.Close()
		photo := func(i int) *imageproc.RGB {
			p := imageproc.NewRGB(50+i, 64-i)
			for k := range p.Pix {
				p.Pix[k] = uint8(k * (k + i) / 7)
			}
			return p
		}
		t.Run("edges", func(t *testing.T) {
			backendtest.SharedRuns(t, 5, 1e-4, func(i int) ([]float32, error) {
				e, err := m.Edges(photo(i))
				if err != nil {
					return nil, err
				}
				return e.Strength, nil
			})
		})
		t.Run("features", func(t *testing.T) {
			backendtest.SharedRuns(t, 5, 1e-4, func(i int) ([]float32, error) {
				r, err := f.Features(photo(i))
				if err != nil {
					return nil, err
				}
				return r.Values, nil
			})
		})
	})
}

// reduced takes every fourth label of each axis, as PIL does to a quarter of the
// size by nearest neighbour; height and width are multiples of four.
func reduced(labels *Node) *Node {
	h, w := labels.Shape().Dim(1), labels.Shape().Dim(2)
	return Slice(labels, AxisRange(), AxisRange(Stride/2, h).Stride(Stride), AxisRange(Stride/2, w).Stride(Stride))
}
