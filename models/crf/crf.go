// Package crf is the fully connected conditional random field of Krähenbühl
// and Koltun (2011) with Potts compatibility, solved by mean field: a Gaussian
// kernel over positions and a bilateral one over positions and colours
// (docs/sources.md §8.1, §6.3, §11). Kernels carry symmetric normalisation, as the
// library that the papers use does.
package crf

import (
	"fmt"
	"math"

	"wsss/data"
)

// Params are the field's weights and standard deviations.
type Params struct {
	Iterations      int     `toml:"iterations"`
	GaussianXY      float32 `toml:"gaussian_xy"`      // pixels
	GaussianWeight  float32 `toml:"gaussian_weight"`  // 0 = off
	BilateralXY     float32 `toml:"bilateral_xy"`     // pixels
	BilateralRGB    float32 `toml:"bilateral_rgb"`    // 0..255 levels
	BilateralWeight float32 `toml:"bilateral_weight"` // 0 = off

	// Exact sums over all pairs of pixels where the lattice, which the reference
	// uses, comes near it. Its time grows with the square of the pixels.
	Exact bool `toml:"exact"`
}

// DeepLab are the values of deeplab-pytorch, L2G and CLIP-ES (docs/sources.md §8.1,
// §6.3).
func DeepLab() Params { return Params{10, 1, 3, 67, 3, 4, false} }

// IRN are the values that IRN refines CAMs with (docs/sources.md §11.2).
func IRN() Params { return Params{10, 3, 3, 50, 5, 10, false} }

// PSA are the values that AffinityNet's labels are refined with (docs/sources.md §11.3).
func PSA() Params { return Params{10, 3, 3, 80, 13, 10, false} }

// Validate names the first key that is out of range.
func (p Params) Validate() error {
	switch {
	case p.Iterations < 0 || p.Iterations > 1000:
		return fmt.Errorf("iterations = %d: allowed are 0..1000", p.Iterations)
	case p.GaussianWeight != 0 && !(p.GaussianXY > 0):
		return fmt.Errorf("gaussian_xy = %v: allowed are numbers > 0", p.GaussianXY)
	case p.BilateralWeight != 0 && !(p.BilateralXY > 0):
		return fmt.Errorf("bilateral_xy = %v: allowed are numbers > 0", p.BilateralXY)
	case p.BilateralWeight != 0 && !(p.BilateralRGB > 0):
		return fmt.Errorf("bilateral_rgb = %v: allowed are numbers > 0", p.BilateralRGB)
	}
	return nil
}

// Image is what the bilateral kernel sees: w×h pixels of three bytes. The
// order of the channels does not matter.
type Image struct {
	W, H int
	RGB  []uint8 // len 3·W·H, row-major
}

// UnaryFromProbs is -log(clip(p, 1e-5, 1)) of probabilities of any shape
// (docs/sources.md §8.1). The scores need not sum to 1: CLIP-ES passes unnormalised
// ones (docs/sources.md §6.3).
func UnaryFromProbs(probs []float32) []float32 {
	u := make([]float32, len(probs))
	for i, p := range probs {
		u[i] = -float32(math.Log(float64(min(max(p, 1e-5), 1))))
	}
	return u
}

// UnaryFromLabels is -log(confidence) for the given label and
// -log((1-confidence)/(classes-1)) for the others; void pixels get the same
// energy for every class (docs/sources.md §8.1). The result is pixels × classes.
func UnaryFromLabels(m *data.LabelMap, classes int, confidence float64) ([]float32, error) {
	if confidence <= 0 || confidence >= 1 || classes < 2 {
		return nil, fmt.Errorf("crf: confidence %v and %d classes: allowed are (0, 1) and at least 2", confidence, classes)
	}
	if err := m.CheckRange(classes); err != nil {
		return nil, err
	}
	hit, miss := float32(-math.Log(confidence)), float32(-math.Log((1-confidence)/float64(classes-1)))
	even := float32(math.Log(float64(classes)))
	u := make([]float32, len(m.Pix)*classes)
	for i, v := range m.Pix {
		row := u[i*classes : (i+1)*classes]
		for c := range row {
			row[c] = miss
		}
		if v == data.Ignore {
			for c := range row {
				row[c] = even
			}
		} else {
			row[v] = hit
		}
	}
	return u, nil
}

// Infer returns the posterior, pixels × classes, rows summing to 1. unary is
// pixels × classes of energies (negative log probabilities). The same input
// gives the same bits whatever the number of CPUs.
func Infer(img Image, unary []float32, classes int, p Params) ([]float32, error) {
	n := img.W * img.H
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("crf: %w", err)
	}
	if n == 0 || classes < 1 || len(unary) != n*classes || len(img.RGB) != 3*n {
		return nil, fmt.Errorf("crf: image %d×%d with %d colour bytes and %d energies of %d classes do not fit together",
			img.W, img.H, len(img.RGB), len(unary), classes)
	}
	f, err := newField(img, unary, classes, p)
	if err != nil {
		return nil, err
	}
	f.start()
	for range p.Iterations {
		f.step()
	}
	return f.posterior(), nil
}

// Labels is the arg-max of a posterior; pixels whose best value is below
// minConfidence become void (CLIP-ES saves its labels with 0.95, docs/sources.md §6.3;
// 0 keeps all).
func Labels(posterior []float32, w, h, classes int, minConfidence float32) *data.LabelMap {
	m := data.NewLabelMap(w, h)
	for i := range m.Pix {
		row := posterior[i*classes : (i+1)*classes]
		best := 0
		for c, v := range row {
			if v > row[best] {
				best = c
			}
		}
		m.Pix[i] = uint8(best)
		if row[best] < minConfidence {
			m.Pix[i] = data.Ignore
		}
	}
	return m
}

func positions(img Image, xy float32) []float32 {
	f := make([]float32, 0, 2*img.W*img.H)
	for y := range img.H {
		for x := range img.W {
			f = append(f, float32(x)/xy, float32(y)/xy)
		}
	}
	return f
}

func bilateral(img Image, xy, rgb float32) []float32 {
	f := make([]float32, 0, 5*img.W*img.H)
	for y := range img.H {
		for x := range img.W {
			px := img.RGB[3*(y*img.W+x):]
			f = append(f, float32(x)/xy, float32(y)/xy, float32(px[0])/rgb, float32(px[1])/rgb, float32(px[2])/rgb)
		}
	}
	return f
}
