package clipes

import (
	"sync"
	"testing"

	"github.com/gomlx/compute"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/models/backend"
	"wsss/models/backend/backendtest"
)

// TestMasksTogether: photos that share runs of the transformer get the masks that
// each gets alone, but for a pixel in two hundred, where two classes are as good.
func TestMasksTogether(t *testing.T) {
	ds := openScenes(t, 6)
	ids, err := ds.IDs("train")
	if err != nil {
		t.Fatal(err)
	}
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		m, err := gen.New(gen.Env{Backend: b, Classes: ds.Classes(), Weak: data.WeakTags, Gen: configs.Gen{
			Method: "clip-es", Weak: "tags", Options: map[string]any{"clip": "tiny-clip", "absent": true, "zoom": 0.5, "step": 64, "min_confidence": 0, "crf": false}}})
		if err != nil {
			t.Fatal(err)
		}
		label := func(id string) []uint8 {
			s, err := ds.Load(id, data.WantImage|data.WantWeak)
			if err != nil {
				t.Error(err)
				return nil
			}
			masks, err := m.Generate(t.Context(), s)
			if err != nil {
				t.Error(err)
			}
			out := make([]uint8, s.Image.Rect.Dx()*s.Image.Rect.Dy())
			for _, mask := range masks {
				for i, bit := range mask.Bits.Decode() {
					if bit != 0 {
						out[i] = uint8(mask.Class)
					}
				}
			}
			return out
		}
		alone := make([][]uint8, len(ids))
		for i, id := range ids {
			alone[i] = label(id)
		}
		t.Setenv(backend.EnvAtOnce, "3")
		beside := make([][]uint8, len(ids))
		var wg sync.WaitGroup
		for i, id := range ids {
			wg.Go(func() { beside[i] = label(id) })
		}
		wg.Wait()
		found := 0
		for i := range ids {
			apart := 0
			for k, class := range alone[i] {
				if class != 0 {
					found++
				}
				if len(beside[i]) != len(alone[i]) || beside[i][k] != class {
					apart++
				}
			}
			if t.Logf("%s: %d of %d pixels differ", ids[i], apart, len(alone[i])); 200*apart > len(alone[i]) {
				t.Errorf("%s: %d of %d pixels differ", ids[i], apart, len(alone[i]))
			}
		}
		if found == 0 {
			t.Error("no pixel has a class")
		}
	})
}
