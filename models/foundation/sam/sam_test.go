package sam

import (
	"context"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/datatest"
	"wsss/data/imageproc"
)

type fixtures struct {
	Auto []struct {
		Size    [2]int
		Options map[string]float64
		Masks   []struct {
			Box, Crop      [4]int
			IoU, Stability float64
			Point          [2]float64
			Area, Hash     int
		}
	}
	Upscale []struct {
		Size              [2]int
		Low               []float32
		At                []int
		Bilinear, Bicubic []float64
	}
}

func load(t *testing.T) (f fixtures) {
	t.Helper()
	datatest.JSON(t, "testdata/fixtures.json", &f)
	return f
}

// TestUpscaleEqualsPyTorch: absolute difference below 3e-5 on logits of ±15.
func TestUpscaleEqualsPyTorch(t *testing.T) {
	for _, c := range load(t).Upscale {
		f := NewFrame(c.Size[0], c.Size[1], fakeSide)
		for name, want := range map[string][]float64{"bilinear": c.Bilinear, "bicubic": c.Bicubic} {
			f.Squash = name == "bicubic"
			got := f.Upscale(c.Low, fakeLow)
			if len(got) != c.Size[0]*c.Size[1] {
				t.Fatalf("%v: %d logits", c.Size, len(got))
			}
			for i, at := range c.At {
				if math.Abs(float64(got[at])-want[i]) > 3e-5 {
					t.Errorf("%v %s at %d: %v, want %v", c.Size, name, at, got[at], want[i])
				}
			}
		}
	}
}

func autoOptions(m map[string]float64) AutoOptions {
	return AutoOptions{
		PointsPerSide: int(m["points_per_side"]), PointsPerBatch: int(m["points_per_batch"]), PredIoUThresh: m["pred_iou_thresh"],
		StabilityThresh: m["stability_score_thresh"], StabilityOffset: m["stability_score_offset"], BoxNMSThresh: m["box_nms_thresh"],
		CropLayers: int(m["crop_n_layers"]), CropNMSThresh: m["crop_nms_thresh"], CropOverlap: m["crop_overlap_ratio"],
		CropPointsDownscale: int(m["crop_n_points_downscale_factor"]), MinRegionArea: int(m["min_mask_region_area"]),
	}
}

// TestAutoEqualsReference: the same masks in the same order, every pixel.
func TestAutoEqualsReference(t *testing.T) {
	m := fakeMeta(t, false)
	for i, c := range load(t).Auto {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			got, err := m.Auto(context.Background(), picture(c.Size[0], c.Size[1]), autoOptions(c.Options))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(c.Masks) {
				t.Fatalf("%d masks, want %d", len(got), len(c.Masks))
			}
			for k, want := range c.Masks {
				g := got[k]
				if g.Box != (Extrema{want.Box[0], want.Box[1], want.Box[2], want.Box[3]}) || g.Bits.Area() != want.Area || hash(g.Bits) != want.Hash {
					t.Errorf("mask %d: box %v area %d, want %v %d", k, g.Box, g.Bits.Area(), want.Box, want.Area)
				}
				if g.Crop != image.Rect(want.Crop[0], want.Crop[1], want.Crop[2], want.Crop[3]) {
					t.Errorf("mask %d: crop %v, want %v", k, g.Crop, want.Crop)
				}
				if math.Abs(g.Point[0]-want.Point[0]) > 1e-9 || math.Abs(g.Point[1]-want.Point[1]) > 1e-9 ||
					math.Abs(float64(g.IoU)-want.IoU) > 1e-6 || math.Abs(float64(g.Stability)-want.Stability) > 1e-6 {
					t.Errorf("mask %d: %v %v %v, want %+v", k, g.Point, g.IoU, g.Stability, want)
				}
			}
		})
	}
}

// hash is the sum that testdata/gen_fixtures.py makes of a mask's pixels.
func hash(r data.RLE) int {
	sum := 0
	r.Each(func(x, y0, y1 int) {
		for y := y0; y < y1; y++ {
			sum += (x*31 + y*17) % 1009
		}
	})
	return sum
}

func TestAutoOptionsCheck(t *testing.T) {
	if err := DefaultAutoOptions().Check(); err != nil {
		t.Fatal(err)
	}
	change := func(f func(*AutoOptions)) AutoOptions { o := DefaultAutoOptions(); f(&o); return o }
	for want, o := range map[string]AutoOptions{
		"points_per_side":        change(func(o *AutoOptions) { o.PointsPerSide = 0 }),
		"pred_iou_thresh":        change(func(o *AutoOptions) { o.PredIoUThresh = math.NaN() }),
		"0..1, and -1 for":       change(func(o *AutoOptions) { o.PredIoUThresh = -2 }),
		"crop_n_layers":          change(func(o *AutoOptions) { o.CropLayers = 6 }),
		"point_grids":            change(func(o *AutoOptions) { o.Grids = make([][][2]float64, 2) }),
		"stability_score_offset": change(func(o *AutoOptions) { o.StabilityOffset = -1 }),
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}

func TestAutoExplicitGrid(t *testing.T) {
	o := DefaultAutoOptions()
	o.PredIoUThresh, o.StabilityThresh, o.BoxNMSThresh = 0, 0, 1
	o.Grids = [][][2]float64{{{0.25, 0.5}}}
	got, err := fakeMeta(t, false).Auto(context.Background(), picture(80, 60), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Point != [2]float64{20, 30} {
		t.Fatalf("%d masks, first at %v", len(got), got)
	}
}

func TestTokens(t *testing.T) {
	f := NewFrame(200, 100, 1024) // × 5.12
	box := &data.Box{X0: 10, Y0: 20, X1: 30, Y1: 40}
	points := []Point{{X: 5, Y: 7}, {X: 100, Y: 50, Background: true}}
	tests := []struct {
		name string
		p    Prompt
		pad  bool
		want []token
	}{
		{"points", Prompt{Points: points}, false, []token{{25.6, 35.84, 1}, {512, 256, 0}}},
		{"points padded", Prompt{Points: points}, true, []token{{25.6, 35.84, 1}, {512, 256, 0}, {0, 0, -1}}},
		{"box needs no padding", Prompt{Box: box}, true, []token{{51.2, 102.4, 2}, {153.6, 204.8, 3}}},
		{"points before the box", Prompt{Points: points[:1], Box: box}, true, []token{{25.6, 35.84, 1}, {51.2, 102.4, 2}, {153.6, 204.8, 3}}},
		{"mask alone", Prompt{Mask: []float32{1}}, true, []token{{0, 0, -1}}},
	}
	for _, tt := range tests {
		got, err := f.tokens(tt.p, tt.pad)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v %v, want %v", tt.name, got, err, tt.want)
		}
	}
	if _, err := f.tokens(Prompt{}, true); err == nil {
		t.Error("an empty prompt passed")
	}
}

func TestNewFrame(t *testing.T) {
	for _, c := range []struct{ w, h, inW, inH int }{
		{500, 375, 1024, 768}, {375, 500, 768, 1024}, {1024, 1024, 1024, 1024}, {3, 2000, 2, 1024}, {1, 4000, 1, 1024}, {640, 427, 1024, 683},
	} {
		if f := NewFrame(c.w, c.h, 1024); f.InW != c.inW || f.InH != c.inH {
			t.Errorf("%d×%d: %d×%d inside, want %d×%d", c.w, c.h, f.InW, f.InH, c.inW, c.inH)
		}
	}
}

func TestPick(t *testing.T) {
	four := Result{IoU: []float32{0.99, 0.5, 0.7, 0.6}}
	three := Result{IoU: []float32{0.5, 0.7, 0.6}, first: 1}
	one := Result{IoU: []float32{0.5}, first: oneMask}
	for _, tt := range []struct {
		r    Result
		c    Choice
		want int
	}{{four, Single, 0}, {four, Best, 2}, {four, Third, 3}, {three, Single, 1}, {three, Best, 1}, {three, Third, 2}, {one, Single, 0}, {one, Best, 0}} {
		if got, err := tt.r.Pick(tt.c); err != nil || got != tt.want {
			t.Errorf("%s of %d: %d %v, want %d", tt.c, len(tt.r.IoU), got, err, tt.want)
		}
	}
	if _, err := one.Pick(Third); err == nil || !strings.Contains(err.Error(), "multi-mask export") {
		t.Errorf("third of one: %v", err)
	}
	if _, err := ParseChoice("gen.options.mask", "second"); err == nil || !strings.Contains(err.Error(), "single, best, third") {
		t.Errorf("ParseChoice: %v", err)
	}
}

func TestRegions(t *testing.T) {
	draw := func(rows ...string) []uint8 {
		var bits []uint8
		for _, r := range rows {
			for _, c := range r {
				bits = append(bits, map[rune]uint8{'#': 1, '.': 0}[c])
			}
		}
		return bits
	}
	bits := draw("####.#", "#..#..", "####..", "......")
	if !fillHoles(bits, 6, 4, 3) || fmt.Sprint(bits) != fmt.Sprint(draw("####.#", "####..", "####..", "......")) {
		t.Errorf("holes: %v", bits)
	}
	if !removeIslands(bits, 6, 4, 3) || fmt.Sprint(bits) != fmt.Sprint(draw("####..", "####..", "####..", "......")) {
		t.Errorf("islands: %v", bits)
	}
	if removeIslands(bits, 6, 4, 3) {
		t.Error("a large island counts as a change")
	}
	if !removeIslands(bits, 6, 4, 100) || bits[0] != 1 {
		t.Error("the only island, small, must stay and count as a change")
	}
}

func TestCacheKeepsEmbeddings(t *testing.T) {
	m := fakeMeta(t, false)
	enc := m.enc.(*fakeEncoder)
	dir := t.TempDir()
	ctx := context.Background()
	c, err := OpenCache(dir, "weights", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	img := picture(50, 40)
	first, err := c.Embed(ctx, m, img)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Embed(ctx, m, img)
	if err != nil || enc.runs != 1 || sumOf(t, again) != sumOf(t, first) || again.Frame != first.Frame {
		t.Fatalf("%d runs of the encoder, %v", enc.runs, err)
	}
	if _, err := c.Embed(ctx, m, picture(50, 41)); err != nil || enc.runs != 2 {
		t.Fatalf("another image: %d runs, %v", enc.runs, err)
	}
	other, err := OpenCache(dir, "other weights", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Embed(ctx, m, img); err != nil || enc.runs != 3 {
		t.Fatalf("other weights: %d runs, %v", enc.runs, err)
	}
	for _, path := range kept(t, dir) { // damage
		raw, _ := os.ReadFile(path)
		raw[len(raw)-2] ^= 1
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Embed(ctx, m, img); err != nil || enc.runs != 4 {
		t.Fatalf("damaged: %d runs, %v", enc.runs, err)
	}
}

func sumOf(t *testing.T, e *Embedding) string {
	t.Helper()
	sum, err := digest(e.parts)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestCacheIsBounded(t *testing.T) {
	m := fakeMeta(t, false)
	const limit = 40_000 // three embeddings of 3·32·32 floats
	dir := t.TempDir()
	c, err := OpenCache(dir, "weights", limit)
	if err != nil {
		t.Fatal(err)
	}
	for w := 20; w < 30; w++ {
		if _, err := c.Embed(context.Background(), m, picture(w, 20)); err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, path := range kept(t, dir) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			sum += info.Size()
		}
		if sum == 0 || sum > limit {
			t.Fatalf("%d bytes kept, the limit is %d", sum, limit)
		}
	}
	if _, err := OpenCache(t.TempDir(), "", 0); err == nil {
		t.Error("a limit of 0 passed")
	}
}

// kept are the files of a cache.
func kept(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"+cacheSuffix))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in the cache: %v", err)
	}
	return paths
}

// picture is the made image of testdata/gen_fixtures.py.
func picture(w, h int) *imageproc.RGB {
	m := imageproc.NewRGB(w, h)
	for y := range h {
		for x := range w {
			bx, by, texture := x/23, y/19, (x*3+y*5)%6
			copy(m.Pix[3*(y*w+x):], []uint8{uint8(bx*45 + texture), uint8(by*60 + texture), uint8(bx*by*29 + texture)})
		}
	}
	return m
}
