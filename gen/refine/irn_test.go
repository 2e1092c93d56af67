package refine

import (
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	_ "wsss/gen/cam"
	"wsss/models/backend/backendtest"
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
