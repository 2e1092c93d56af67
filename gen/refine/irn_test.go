package refine

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	_ "wsss/gen/cam"
	"wsss/models/backend/backendtest"
	"wsss/models/irn"
)

const (
	irnFile   = "../../models/irn/testdata/res50_irn.pth"
	camFile   = "../../models/camnet/testdata/res50_cam.pth"
	photoFile = "../../models/camnet/testdata/photo.png"
)

func newIRNMethod(t *testing.T, spec string, o options) (gen.Method, error) {
	t.Helper()
	classes := data.Classes{Names: []string{"background", "a", "b", "c"}}
	return gen.New(gen.Env{Backend: backendtest.Open(t, spec), Classes: classes, Weak: data.WeakTags, Gen: configs.Gen{Method: "irn", Weak: "tags", Options: o}})
}

// TestIRN: the boundaries of the network steer the walk: labels are those of
// random-walk with the same boundaries from a folder; the sidecar knows both
// files of weights.
func TestIRN(t *testing.T) {
	img, err := data.ReadImage(photoFile)
	if err != nil {
		t.Fatal(err)
	}
	s := &data.Sample{ID: "photo", Image: img, Weak: data.WeakLabels{Tags: []int{1, 3}}}
	from := options{"method": "cam", "options": options{"classifier": camFile, "scales": []any{1.0}, "flip": false}, "threshold": 0.3}
	for _, spec := range backendtest.Names(t) {
		t.Run(spec, func(t *testing.T) {
			m, err := newIRNMethod(t, spec, options{"from": from, "network": irnFile, "squarings": 3})
			if err != nil {
				t.Fatal(err)
			}
			masks, err := m.Generate(t.Context(), s)
			if err != nil || len(masks) == 0 {
				t.Fatalf("%d masks, %v", len(masks), err)
			}
			for _, mask := range masks {
				if !slices.Contains([]int{1, 3}, mask.Class) || mask.From.Source != "irn" {
					t.Errorf("mask of class %d from %q", mask.Class, mask.From.Source)
				}
			}
			w := gen.WeightsOf(m)
			if len(w["res50_irn.pth"]) != 64 || len(w["res50_cam.pth"]) != 64 {
				t.Errorf("weights %v", w)
			}
		})
	}
}

func TestIRNRefuses(t *testing.T) {
	from := options{"scores": "testdata/cams"}
	for want, o := range map[string]options{
		"network is missing": {"from": from},
		"no IRN network":     {"from": from, "network": camFile},
		"radius = 1":         {"from": from, "network": irnFile, "radius": 1},
		"no such file":       {"from": from, "network": "nowhere.pth"},
		"stride":             {"from": from, "network": irnFile, "stride": 8},
	} {
		if _, err := newIRNMethod(t, "go", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", o, err, want)
		}
	}
}

// TestAffinityNet: labels are those of random-walk with the features of the network
// from a folder, by psa's values.
func TestAffinityNet(t *testing.T) {
	const file = "../../models/irn/testdata/affinity_vgg16.pth"
	img, err := data.ReadImage(photoFile)
	if err != nil {
		t.Fatal(err)
	}
	s := &data.Sample{ID: "photo", Image: img, Weak: data.WeakLabels{Tags: []int{1, 3}}}
	classes := data.Classes{Names: []string{"background", "a", "b", "c"}}
	from := options{"method": "cam", "options": options{"classifier": camFile, "scales": []any{1.0}, "flip": false}}
	b := backendtest.One(t)
	open := func(method string, o options) gen.Method {
		m, err := gen.New(gen.Env{Backend: b, Classes: classes, Weak: data.WeakTags, Gen: configs.Gen{Method: method, Weak: "tags", Options: o}})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	net, store, err := irn.OpenAffinityNet(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := irn.NewFeaturer(b, net, store).Features(imageproc.FromImage(img))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d, %d), }", f.Channels, f.H, f.W)
	header += strings.Repeat(" ", 117-len(header)) + "\n"
	raw := append([]byte("\x93NUMPY\x01\x00\x76\x00"), header...)
	for _, v := range f.Values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	if err := os.WriteFile(filepath.Join(dir, "photo.npy"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	own := open("affinitynet", options{"from": from, "network": file, "squarings": 3})
	got, err := own.Generate(t.Context(), s)
	if err != nil || len(got) == 0 || got[0].From.Source != "affinitynet" {
		t.Fatalf("%d masks, %v", len(got), err)
	}
	from["background"], from["alpha"] = "power", 16.0
	want, err := open("random-walk", options{"from": from, "features": dir, "stride": 8, "beta": 8.0, "squarings": 3}).Generate(t.Context(), s)
	if err != nil || len(want) != len(got) {
		t.Fatalf("%d masks, %v", len(want), err)
	}
	for i, m := range want {
		if m.Class != got[i].Class || !reflect.DeepEqual(m.Bits, got[i].Bits) {
			t.Errorf("mask %d of class %d differs", i, m.Class)
		}
	}
	if w := gen.WeightsOf(own); len(w["affinity_vgg16.pth"]) != 64 {
		t.Errorf("weights %v", w)
	}
	for want, o := range map[string]options{
		"network is missing": {"from": from}, "no AffinityNet": {"from": from, "network": irnFile},
	} {
		_, err := gen.New(gen.Env{Backend: b, Classes: classes, Weak: data.WeakTags, Gen: configs.Gen{Method: "affinitynet", Weak: "tags", Options: o}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", o, err, want)
		}
	}
}
