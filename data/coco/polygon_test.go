package coco

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
)

// TestPolygonsEqualReference compares with masks by COCO's own C code
// (testdata/gen_polygons.py): every pixel must be equal.
func TestPolygonsEqualReference(t *testing.T) {
	var cases []struct {
		W, H   int
		XY     []float64
		Counts string
		Area   int
	}
	datatest.JSON(t, "testdata/polygons.json", &cases)
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	for i, c := range cases {
		want, err := data.ParseCOCOString(c.Counts, c.W, c.H)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		got, err := fillPolygon(c.XY, c.W, c.H)
		if err != nil {
			t.Errorf("case %d: %v", i, err)
			continue
		}
		if err := got.Validate(); err != nil {
			t.Errorf("case %d: %v", i, err)
		}
		if !bytes.Equal(got.Decode(), want.Decode()) || got.Area() != c.Area {
			t.Errorf("case %d (%d×%d, %v): area %d, want %d", i, c.W, c.H, c.XY, got.Area(), c.Area)
		}
	}
}

// TestRealPolygonsEqualReference compares the masks of 914 real polygons, by
// the digests that testdata/gen_polygons.py prints.
func TestRealPolygonsEqualReference(t *testing.T) {
	for name, want := range map[string]string{
		"instances_train2017.json": "2173bc06ef7187e14a352952b82d511ab339875e0a9420207ddeea21df687291",
		"instances_val2017.json":   "280a0aa42b2a921433a31560b9296bcf016b3243ae6940220f98be4dd38e1022",
	} {
		var file struct {
			Images      []struct{ ID, Width, Height int }
			Annotations []struct {
				ImageID      int `json:"image_id"`
				Segmentation json.RawMessage
			}
		}
		datatest.JSON(t, datatest.Path(t, "tiny_coco", "annotations", name), &file)
		sides := map[int][2]int{}
		for _, i := range file.Images {
			sides[i.ID] = [2]int{i.Width, i.Height}
		}
		digest := sha256.New()
		for _, a := range file.Annotations {
			var polygons [][]float64
			if json.Unmarshal(a.Segmentation, &polygons) != nil {
				continue // run lengths
			}
			for _, xy := range polygons {
				mask, err := fillPolygon(xy, sides[a.ImageID][0], sides[a.ImageID][1])
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(digest, mask.COCOString())
			}
		}
		if got := hex.EncodeToString(digest.Sum(nil)); got != want {
			t.Errorf("%s: digest %s, want %s", name, got, want)
		}
	}
}

func BenchmarkFillPolygon(b *testing.B) {
	xy := []float64{10, 10, 300.5, 40.25, 500, 200, 350.75, 330, 120, 350, 40, 180}
	for b.Loop() {
		if _, err := fillPolygon(xy, 640, 480); err != nil {
			b.Fatal(err)
		}
	}
}
