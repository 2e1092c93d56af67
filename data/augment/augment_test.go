package augment

import (
	"encoding/json"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/data"
)

type parity struct {
	Nearest []struct {
		Src, Dst int
		Index    []int
	}
	Image  []uint8
	Linear []struct {
		W, H   int
		Pixels []float32
	}
	PIL []struct {
		W, H   int
		Pixels []float32
	}
}

func loadParity(t *testing.T) (p parity) {
	t.Helper()
	raw, err := os.ReadFile("testdata/parity.json")
	if err != nil {
		t.Fatal(err)
	}
	var loose struct {
		Nearest json.RawMessage
		Image   []int
		Linear  json.RawMessage
		PIL     json.RawMessage
	}
	for _, err := range []error{json.Unmarshal(raw, &loose), json.Unmarshal(loose.Nearest, &p.Nearest), json.Unmarshal(loose.Linear, &p.Linear), json.Unmarshal(loose.PIL, &p.PIL)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range loose.Image {
		p.Image = append(p.Image, uint8(v))
	}
	return p
}

func TestNearestEqualsPIL(t *testing.T) {
	for _, c := range loadParity(t).Nearest {
		if got := nearestTable(c.Src, c.Dst); !reflect.DeepEqual(got, c.Index) {
			t.Errorf("%d → %d: %v, PIL gives %v", c.Src, c.Dst, got, c.Index)
		}
	}
}

// plain is an input that changes nothing, to look at pixel values.
func plain() Input {
	return Input{order: [3]int{0, 1, 2}, scale: [3]float32{1, 1, 1}}
}

func TestLinearEqualsPyTorch(t *testing.T) {
	p := loadParity(t)
	img := image.NewNRGBA(image.Rect(0, 0, 7, 5))
	for i := range 35 {
		copy(img.Pix[4*i:4*i+3], p.Image[3*i:3*i+3])
	}
	const crop = 16
	o := Options{Crop: crop, Input: plain()}
	pixels, labels := make([]float32, crop*crop*3), make([]uint8, crop*crop)
	for _, c := range p.Linear {
		if err := o.Apply(pixels, labels, img, data.NewLabelMap(7, 5), Draw{W: c.W, H: c.H}); err != nil {
			t.Fatal(err)
		}
		for y := range c.H {
			for x := range c.W * 3 {
				got, want := pixels[y*crop*3+x], c.Pixels[y*c.W*3+x]
				if math.Abs(float64(got-want)) > 1e-3 {
					t.Fatalf("%d×%d: row %d value %d is %g, PyTorch gives %g", c.W, c.H, y, x, got, want)
				}
			}
		}
	}
}

func noise(w, h int, seed uint64) (*image.NRGBA, *data.LabelMap) {
	rng := rand.New(rand.NewPCG(seed, 1))
	img, m := image.NewNRGBA(image.Rect(0, 0, w, h)), data.NewLabelMap(w, h)
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.IntN(256))
	}
	for i := range m.Pix {
		m.Pix[i] = uint8(rng.IntN(5))
	}
	return img, m
}

// TestWindow: a crop computed alone equals the same window of the whole scaled
// image, for any draw.
func TestWindow(t *testing.T) {
	img, m := noise(23, 17, 3)
	const crop, full = 9, 64
	o := Options{Crop: crop, Scales: []float64{0.3, 0.5, 1, 1.7, 2.5}, Flip: true, Input: Caffe()}
	whole := o
	whole.Crop = full
	for i := range int64(200) {
		d := o.Draw(RNG(1, 2, i), 23, 17)
		a, la := make([]float32, crop*crop*3), make([]uint8, crop*crop)
		b, lb := make([]float32, full*full*3), make([]uint8, full*full)
		if err := o.Apply(a, la, img, m, d); err != nil {
			t.Fatal(err)
		}
		if err := whole.Apply(b, lb, img, m, Draw{W: d.W, H: d.H}); err != nil {
			t.Fatal(err)
		}
		for y := range crop {
			for x := range crop {
				sx := x
				if d.Flip {
					sx = crop - 1 - x
				}
				at := (d.At.Y+y)*full + d.At.X + sx
				if la[y*crop+x] != lb[at] {
					t.Fatalf("draw %+v: label (%d,%d) is %d, want %d", d, x, y, la[y*crop+x], lb[at])
				}
				for c := range 3 {
					if a[(y*crop+x)*3+c] != b[at*3+c] {
						t.Fatalf("draw %+v: pixel (%d,%d)", d, x, y)
					}
				}
			}
		}
	}
}

func TestPadding(t *testing.T) {
	img, m := noise(4, 3, 5)
	o := Options{Crop: 6, Input: Torch()}
	pixels, labels := make([]float32, 6*6*3), make([]uint8, 36)
	if err := o.Apply(pixels, labels, img, m, Draw{W: 4, H: 3}); err != nil {
		t.Fatal(err)
	}
	for y := range 6 {
		for x := range 6 {
			outside := x >= 4 || y >= 3
			if (labels[y*6+x] == data.Ignore) != outside {
				t.Fatalf("label (%d,%d) = %d", x, y, labels[y*6+x])
			}
			if outside && pixels[(y*6+x)*3] != 0 {
				t.Fatalf("padding (%d,%d) = %g, want the mean, 0", x, y, pixels[(y*6+x)*3])
			}
		}
	}
}

// TestAntialiasEqualsPIL: images are scaled as by PIL to a grey level, its
// rounding between the two directions.
func TestAntialiasEqualsPIL(t *testing.T) {
	p := loadParity(t)
	img := image.NewNRGBA(image.Rect(0, 0, 7, 5))
	for i := range 35 {
		copy(img.Pix[4*i:], append(append([]uint8{}, p.Image[3*i:3*i+3]...), 255))
	}
	truth := &data.LabelMap{W: 7, H: 5, Pix: make([]uint8, 35)}
	if len(p.PIL) < 5 {
		t.Fatal("no values of PIL")
	}
	for _, want := range p.PIL {
		side := max(want.W, want.H)
		o := Options{Crop: side, Input: Input{order: [3]int{0, 1, 2}, scale: [3]float32{1, 1, 1}}, Antialias: true}
		pixels, labels := make([]float32, 3*side*side), make([]uint8, side*side)
		if err := o.Apply(pixels, labels, img, truth, Draw{W: want.W, H: want.H}); err != nil {
			t.Fatal(err)
		}
		for y := range want.H {
			for i := range 3 * want.W {
				if got, ref := pixels[3*y*side+i], want.Pixels[3*y*want.W+i]; math.Abs(float64(got-ref)) > 1.01 {
					t.Fatalf("%d×%d: row %d, value %d is %g, PIL's %g", want.W, want.H, y, i, got, ref)
				}
			}
		}
	}
}

// TestAround: a small image lies in black that is labelled background, as far
// from the edges as the reference puts it; a flip mirrors the whole crop.
func TestAround(t *testing.T) {
	img, m := noise(4, 3, 5)
	o := Options{Crop: 7, Input: Torch(), Around: true}
	// Width 4 pads all sides by (1 + 7 − 4) / 2 = 2; height 3 + 4 is enough.
	if b := o.border(4, 3); b != 2 {
		t.Fatalf("border %d, want 2", b)
	}
	if b := o.border(9, 3); b != 2 { // only the height is short: (1 + 7 − 3) / 2
		t.Fatalf("border %d, want 2", b)
	}
	if b := o.border(6, 1); b != 1+2 { // 1 for the width, then 3 rows are short by 4
		t.Fatalf("border %d, want 3", b)
	}
	for i := range int64(20) {
		d := o.Draw(RNG(1, 0, i), 4, 3)
		if d.At.X < -2 || d.At.X > -1 || d.At.Y != -2 {
			t.Fatalf("draw %+v", d)
		}
	}
	pixels, labels := make([]float32, 7*7*3), make([]uint8, 49)
	for _, flip := range []bool{false, true} {
		if err := o.Apply(pixels, labels, img, m, Draw{W: 4, H: 3, At: image.Pt(-1, -2), Flip: flip}); err != nil {
			t.Fatal(err)
		}
		for y := range 7 {
			for x := range 7 {
				sx, sy := x-1, y-2
				if flip {
					sx = 6 - x - 1
				}
				inside := sx >= 0 && sx < 4 && sy >= 0 && sy < 3
				want := uint8(0)
				if inside {
					want = m.Pix[sy*4+sx]
				}
				if labels[y*7+x] != want {
					t.Errorf("flip %t: label (%d,%d) = %d, want %d", flip, x, y, labels[y*7+x], want)
				}
				if v := pixels[3*(y*7+x)]; !inside && v != o.Input.shift[0] {
					t.Errorf("flip %t: padding (%d,%d) = %g, want black", flip, x, y, v)
				}
			}
		}
	}
}

func TestInputs(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	copy(img.Pix, []uint8{10, 20, 30, 255})
	for _, c := range []struct {
		in   Input
		want [3]float64
	}{
		{Caffe(), [3]float64{30 - 104.008, 20 - 116.669, 10 - 122.675}},
		{Torch(), [3]float64{(10./255 - .485) / .229, (20./255 - .456) / .224, (30./255 - .406) / .225}},
	} {
		got := make([]float32, 3)
		c.in.Stretch(got, image.Pt(1, 1), img)
		for i := range 3 {
			if math.Abs(float64(got[i])-c.want[i]) > 1e-4 {
				t.Fatalf("channel %d: %g, want %g", i, got[i], c.want[i])
			}
		}
	}
}

func TestDraw(t *testing.T) {
	o := Options{Crop: 10, ScaleRange: []float64{0.5, 2}, Flip: true}
	var flips int
	sizes := map[int]bool{}
	for i := range int64(400) {
		d := o.Draw(RNG(9, 0, i), 20, 30)
		if d != o.Draw(RNG(9, 0, i), 20, 30) {
			t.Fatal("the same key gave another draw")
		}
		if d.W < 10 || d.W > 40 || d.At.X < 0 || d.At.X > max(0, d.W-10) || d.At.Y > max(0, d.H-10) {
			t.Fatalf("draw %+v out of range", d)
		}
		if d.Flip {
			flips++
		}
		sizes[d.W] = true
	}
	if flips < 150 || flips > 250 || len(sizes) < 20 {
		t.Fatalf("%d flips of 400, %d widths: not random", flips, len(sizes))
	}
	if RNG(1, 2, 3).Uint64() == RNG(1, 3, 2).Uint64() {
		t.Fatal("epoch and index are exchangeable")
	}
}

func TestErrors(t *testing.T) {
	img, _ := noise(4, 3, 5)
	o := Options{Crop: 2}
	err := o.Apply(make([]float32, 12), make([]uint8, 4), img, data.NewLabelMap(3, 4), Draw{W: 4, H: 3})
	if err == nil || !strings.Contains(err.Error(), "image is 4×3, its labels are 3×4") {
		t.Fatalf("error %v", err)
	}
	if _, err := FromConfig(configs.Train{TrainNetwork: configs.TrainNetwork{Input: "bgr"}}); err == nil || !strings.Contains(err.Error(), "caffe, torch") {
		t.Fatalf("error %v", err)
	}
}

func BenchmarkApply(b *testing.B) {
	img, m := noise(500, 375, 1)
	o := Options{Crop: 321, Input: Caffe()}
	pixels, labels := make([]float32, 321*321*3), make([]uint8, 321*321)
	for b.Loop() {
		if err := o.Apply(pixels, labels, img, m, Draw{W: 625, H: 468, At: image.Pt(50, 60)}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCentre compares with torchvision's Resize(320) and CenterCrop(320).
func TestCentre(t *testing.T) {
	o := Options{Crop: 320, Centre: true}
	for _, c := range []struct {
		w, h int
		want Draw
	}{
		{500, 375, Draw{W: 426, H: 320, At: image.Pt(53, 0)}},
		{333, 500, Draw{W: 320, H: 480, At: image.Pt(0, 80)}},
		{500, 333, Draw{W: 480, H: 320, At: image.Pt(80, 0)}},
		{100, 101, Draw{W: 320, H: 323, At: image.Pt(0, 2)}}, // 1.5 rounds to even
		{320, 320, Draw{W: 320, H: 320}},
	} {
		if got := o.Draw(RNG(1, 0, 0), c.w, c.h); got != c.want {
			t.Errorf("%d×%d: %+v, want %+v", c.w, c.h, got, c.want)
		}
	}
}
