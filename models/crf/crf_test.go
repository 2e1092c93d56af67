package crf

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/fastexp"
)

// exact is the same inference with every pair of pixels summed: O(n²).
func exact(img Image, unary []float32, classes int, p Params) []float64 {
	n := img.W * img.H
	kern := func(f []float32, d int) [][]float64 {
		k := make([][]float64, n)
		norm := make([]float64, n)
		for i := range n {
			k[i] = make([]float64, n)
			for j := range n {
				var s float64
				for a := range d {
					x := float64(f[i*d+a] - f[j*d+a])
					s += x * x
				}
				k[i][j] = math.Exp(-s / 2)
				norm[i] += k[i][j]
			}
		}
		for i := range n {
			for j := range n {
				k[i][j] /= math.Sqrt(norm[i] * norm[j])
			}
		}
		return k
	}
	kg := kern(positions(img, p.GaussianXY), 2)
	kb := kern(bilateral(img, p.BilateralXY, p.BilateralRGB), 5)
	q := make([]float64, n*classes)
	soft := func(x []float64) {
		for i := range n {
			row := x[i*classes : (i+1)*classes]
			top, sum := row[0], 0.0
			for _, v := range row {
				top = max(top, v)
			}
			for _, v := range row {
				sum += math.Exp(v - top)
			}
			for c, v := range row {
				q[i*classes+c] = math.Exp(v-top) / sum
			}
		}
	}
	next := make([]float64, n*classes)
	for i, u := range unary {
		next[i] = -float64(u)
	}
	soft(next)
	for range p.Iterations {
		for i := range n {
			for c := range classes {
				s := -float64(unary[i*classes+c])
				for j := range n {
					s += (float64(p.GaussianWeight)*kg[i][j] + float64(p.BilateralWeight)*kb[i][j]) * q[j*classes+c]
				}
				next[i*classes+c] = s
			}
		}
		soft(next)
	}
	return q
}

// scene is a two-tone image with noise and a weak, noisy unary.
func scene(w, h, classes int, seed uint64) (Image, []float32) {
	r := rand.New(rand.NewPCG(seed, 1))
	img := Image{W: w, H: h, RGB: make([]uint8, 3*w*h)}
	probs := make([]float32, w*h*classes)
	for y := range h {
		for x := range w {
			i, c := y*w+x, 0
			if (x-w/2)*(x-w/2)+(y-h/2)*(y-h/2) < w*h/9 {
				c = 1 + (x*classes/w)%(classes-1)
			}
			for k := range 3 {
				img.RGB[3*i+k] = uint8(40 + 60*((c+k)%3) + r.IntN(12))
			}
			for k := range classes {
				probs[i*classes+k] = 0.4 * r.Float32() / float32(classes)
			}
			probs[i*classes+c] += 0.3
		}
	}
	return img, UnaryFromProbs(probs)
}

func exactly(p Params) Params {
	p.Exact = true
	return p
}

func TestInferNearExact(t *testing.T) {
	for _, tt := range []struct {
		name   string
		p      Params
		mean   float64 // mean absolute error of the posterior
		worst  float64 // of any pixel
		labels float64 // share of pixels with the same arg-max
	}{
		{"gaussian only", Params{10, 3, 3, 1, 1, 0, false}, 1e-4, 1e-4, 1},
		{"wide gaussian", Params{10, 7, 3, 1, 1, 0, false}, 0.005, 0.1, 0.97},
		{"deeplab", DeepLab(), 0.001, 0.1, 0.99},
		{"irn", IRN(), 0.001, 0.1, 0.99},
		{"wide gaussian, exact", Params{10, 7, 3, 1, 1, 0, true}, 1e-5, 1e-4, 1},
		{"deeplab, exact", exactly(DeepLab()), 1e-5, 1e-4, 1},
		{"irn, exact", exactly(IRN()), 1e-5, 1e-4, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			img, unary := scene(24, 20, 4, 3)
			want := exact(img, unary, 4, tt.p)
			got, err := Infer(img, unary, 4, tt.p)
			if err != nil {
				t.Fatal(err)
			}
			var sum, worst float64
			same := 0
			for i := range got {
				e := math.Abs(float64(got[i]) - want[i])
				sum += e
				worst = max(worst, e)
			}
			for i := range img.W * img.H {
				bg, bw := 0, 0
				for c := range 4 {
					if got[i*4+c] > got[i*4+bg] {
						bg = c
					}
					if want[i*4+c] > want[i*4+bw] {
						bw = c
					}
				}
				if bg == bw {
					same++
				}
			}
			mean, share := sum/float64(len(got)), float64(same)/float64(img.W*img.H)
			t.Logf("mean |error| %.2g, worst %.2g, same label %.4f", mean, worst, share)
			if mean > tt.mean || worst > tt.worst || share < tt.labels {
				t.Errorf("mean error %.6f (want <= %v), worst %.6f (want <= %v), same label %.4f (want >= %v)", mean, tt.mean, worst, tt.worst, share, tt.labels)
			}
		})
	}
}

func TestInferSameBitsOnAnyCPUCount(t *testing.T) {
	img, unary := scene(60, 45, 5, 9)
	one := func(procs int) []float32 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		q, err := Infer(img, unary, 5, DeepLab())
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	a, b := one(1), one(3)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("value %d differs: %v with one CPU, %v with three", i, a[i], b[i])
		}
	}
}

func TestVectorCodeEqualsGeneric(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	v := func() []float32 {
		s := make([]float32, 24)
		for i := range s {
			s[i] = r.Float32() - 0.5
		}
		return s
	}
	src, y := append(append(v(), v()...), v()...), append(v(), v()[:8]...)
	for _, c := range []int{1, 8, 24} {
		got, want := append([]float32(nil), y[:c]...), append([]float32(nil), y[:c]...)
		idx, w := []int32{2, 0, 1, 2}, []float32{0.3, -1, 0.7, 0.1}
		gather(got, src, idx, w)
		gatherGeneric(want, src, idx, w)
		if !slices.Equal(got, want) {
			t.Errorf("gather of %d: %v, generic %v", c, got, want)
		}
	}
	for _, c := range []int{8, 24, 32} {
		got, want := append([]float32(nil), src[:c]...), append([]float32(nil), src[:c]...)
		rows := make([]float32, 6*c)
		for i := range rows {
			rows[i] = r.Float32()
		}
		w := []float32{0.3, -1, 0.7}
		stride(got, rows, 1, 2, w)
		strideGeneric(want, rows, 1, 2, w)
		if !slices.Equal(got, want) {
			t.Errorf("stride of %d: %v, generic %v", c, got, want)
		}
		got, want = slices.Clone(rows), slices.Clone(rows)
		softmaxRows(got, rows, c)
		softmaxGeneric(want, rows, c)
		if !slices.Equal(got, want) {
			t.Errorf("softmax of %d: %v, generic %v", c, got, want)
		}
		other, chain := slices.Clone(rows), []int32{^2, 0, 5, ^1, 4}
		blurChains(rows, chain, c)
		blurGeneric(other, chain, c)
		if !slices.Equal(rows, other) {
			t.Errorf("blur of %d: %v, generic %v", c, rows, other)
		}
	}
	x := []float32{0, -0.1, -1, -3.7, -20, -86.9, -87.1, -1e9}
	got, want := make([]float32, 8), make([]float32, 8)
	for range 9 {
		expRow(got, x)
		expGeneric(want, x)
		if !slices.Equal(got, want) {
			t.Errorf("exp: %v, generic %v", got, want)
		}
		for i := range x {
			x[i] -= 0.37
		}
	}
}

// TestSeparableEqualsSum: the Gaussian over positions, against every pair of
// pixels, on shapes narrower than its reach too.
func TestSeparableEqualsSum(t *testing.T) {
	for _, size := range [][2]int{{24, 20}, {3, 17}, {1, 1}} {
		img, unary := scene(size[0], size[1], 4, 3)
		p := Params{3, 2.5, 3, 1, 1, 0, false}
		want := exact(img, unary, 4, p)
		got, err := Infer(img, unary, 4, p)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if e := math.Abs(float64(got[i]) - want[i]); e > 1e-4 {
				t.Fatalf("%v: value %d is %v, want %v", size, i, got[i], want[i])
			}
		}
	}
}

func TestExp32(t *testing.T) {
	for x := float32(0); x > -87; x -= 0.0137 {
		got, want := float64(fastexp.Exp(x)), math.Exp(float64(x))
		if math.Abs(got-want) > 2e-7*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestUnaryFromLabels(t *testing.T) {
	m := &data.LabelMap{W: 3, H: 1, Pix: []uint8{0, 2, data.Ignore}}
	u, err := UnaryFromLabels(m, 3, 0.7)
	if err != nil {
		t.Fatal(err)
	}
	hit, miss, even := -math.Log(0.7), -math.Log(0.15), math.Log(3)
	for i, want := range []float64{hit, miss, miss, miss, miss, hit, even, even, even} {
		if math.Abs(float64(u[i])-want) > 1e-6 {
			t.Errorf("energy %d = %v, want %v", i, u[i], want)
		}
	}
}

func TestErrors(t *testing.T) {
	img, unary := scene(4, 4, 2, 1)
	bad := DeepLab()
	bad.BilateralRGB = 0
	for _, tt := range []struct {
		name string
		run  func() error
		want string
	}{
		{"rgb 0", func() error { _, err := Infer(img, unary, 2, bad); return err }, "bilateral_rgb"},
		{"shape", func() error { _, err := Infer(img, unary[:5], 2, DeepLab()); return err }, "do not fit"},
		{"exact on a large image", func() error {
			_, err := Infer(Image{W: 300, H: 300, RGB: make([]uint8, 270000)}, make([]float32, 180000), 2, exactly(DeepLab()))
			return err
		}, "at most 65536"},
		{"too fine", func() error { p := DeepLab(); p.BilateralRGB = 0.01; _, err := Infer(img, unary, 2, p); return err }, "standard deviation"},
		{"label", func() error {
			_, err := UnaryFromLabels(&data.LabelMap{W: 1, H: 1, Pix: []uint8{9}}, 3, 0.5)
			return err
		}, "value 9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.run(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
