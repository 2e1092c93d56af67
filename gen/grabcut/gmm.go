package grabcut

import (
	"math"
	"math/rand/v2"

	"wsss/data/fastexp"
)

// Components is the number of Gaussians of each colour model, as in Rother et
// al. (2004).
const Components = 5

// minVariance is added to every colour variance (8-bit levels squared). It
// stands for sensor and quantisation noise, and keeps a flat region's
// covariance invertible.
const minVariance = 1

// kmeansSample and kmeansRounds bound the start of a colour model: the
// Gaussians are fitted to all pixels afterwards, so a sample is enough.
const (
	kmeansSample = 3000
	kmeansRounds = 10
)

// gaussian is one component, ready for evaluation: log(weight · density) at z
// is bias − ½ dᵀ·inv·d with d = z − mean.
type gaussian struct {
	mean [3]float32
	inv  [6]float32 // upper triangle of the inverse covariance, off-diagonal doubled
	bias float32
}

// gmm is a full-covariance Gaussian mixture over RGB in 0..255. The zero value
// is empty.
type gmm struct {
	part [Components]gaussian
	n    int // components in use, at the front
}

// moments collects what a Gaussian is fitted from.
type moments struct {
	n   float64
	sum [3]float64
	sq  [6]float64 // rr rg rb gg gb bb
}

func (m *moments) add(r, g, b float32) {
	x, y, z := float64(r), float64(g), float64(b)
	m.n++
	m.sum[0] += x
	m.sum[1] += y
	m.sum[2] += z
	m.sq[0] += x * x
	m.sq[1] += x * y
	m.sq[2] += x * z
	m.sq[3] += y * y
	m.sq[4] += y * z
	m.sq[5] += z * z
}

// fit returns the Gaussian of the collected pixels with the given share of
// the mixture.
func (m *moments) fit(share float64) gaussian {
	mx, my, mz := m.sum[0]/m.n, m.sum[1]/m.n, m.sum[2]/m.n
	a := m.sq[0]/m.n - mx*mx + minVariance
	b := m.sq[1]/m.n - mx*my
	c := m.sq[2]/m.n - mx*mz
	d := m.sq[3]/m.n - my*my + minVariance
	e := m.sq[4]/m.n - my*mz
	f := m.sq[5]/m.n - mz*mz + minVariance
	det := a*(d*f-e*e) - b*(b*f-c*e) + c*(b*e-c*d)
	return gaussian{
		mean: [3]float32{float32(mx), float32(my), float32(mz)},
		inv: [6]float32{
			float32((d*f - e*e) / det), float32(2 * (c*e - b*f) / det), float32(2 * (b*e - c*d) / det),
			float32((a*f - c*c) / det), float32(2 * (b*c - a*e) / det), float32((a*d - b*b) / det),
		},
		bias: float32(math.Log(share) - 0.5*math.Log(det)),
	}
}

// set fits the mixture to one set of moments per component.
func (g *gmm) set(parts *[Components]moments) {
	var total float64
	for i := range parts {
		total += parts[i].n
	}
	g.n = 0
	for i := range parts {
		if parts[i].n > 0 {
			g.part[g.n] = parts[i].fit(parts[i].n / total)
			g.n++
		}
	}
}

// best is the component that explains z best. The mixture must not be empty.
func (g *gmm) best(r, gr, b float32) uint8 {
	_, k := g.densities(r, gr, b)
	return uint8(k)
}

// densities is the log of weight · density of every component at z, up to a
// constant that all mixtures share, and the greatest one's index.
func (g *gmm) densities(r, gr, b float32) (e [Components]float32, best int) {
	for k := range g.n {
		p := &g.part[k]
		x, y, z := r-p.mean[0], gr-p.mean[1], b-p.mean[2]
		q := x*(p.inv[0]*x+p.inv[1]*y+p.inv[2]*z) + y*(p.inv[3]*y+p.inv[4]*z) + p.inv[5]*z*z
		e[k] = p.bias - 0.5*q
		if e[k] > e[best] {
			best = k
		}
	}
	return e, best
}

// logDensity is log p(z), up to that constant, and the best component.
func (g *gmm) logDensity(r, gr, b float32) (float32, uint8) {
	e, best := g.densities(r, gr, b)
	sum := float32(1)
	for k := range g.n {
		// What lies e⁻⁸ below the best component does not count.
		if d := e[k] - e[best]; k != best && d > -8 {
			sum += fastexp.Rough(d)
		}
	}
	if sum == 1 {
		return e[best], uint8(best)
	}
	return e[best] + float32(math.Log(float64(sum))), uint8(best)
}

// start fits the mixture to pixels of rgb (three values each) whose indices
// are given, by k-means++ on a sample; idx is shuffled in place.
func (g *gmm) start(rgb []float32, idx []int32, rng *rand.Rand) {
	g.n = 0
	if len(idx) == 0 {
		return
	}
	sample := idx
	if len(idx) > kmeansSample {
		for i := range kmeansSample {
			j := i + rng.IntN(len(idx)-i)
			idx[i], idx[j] = idx[j], idx[i]
		}
		sample = idx[:kmeansSample]
	}
	centres := kmeans(rgb, sample, rng)
	var parts [Components]moments
	for _, i := range idx {
		p := rgb[i*3 : i*3+3 : i*3+3]
		parts[nearest(centres, p)].add(p[0], p[1], p[2])
	}
	g.set(&parts)
}

// kmeans returns up to Components cluster centres of the sampled pixels.
func kmeans(rgb []float32, sample []int32, rng *rand.Rand) [][3]float32 {
	at := func(i int32) []float32 { return rgb[i*3 : i*3+3 : i*3+3] }
	first := at(sample[rng.IntN(len(sample))])
	centres := [][3]float32{{first[0], first[1], first[2]}}
	far := make([]float64, len(sample)) // squared distance to the nearest centre
	for len(centres) < Components {
		var total float64
		for k, i := range sample {
			p := at(i)
			far[k] = float64(distance(centres[nearest(centres, p)], p))
			total += far[k]
		}
		if total == 0 {
			break // fewer colours than components
		}
		pick := rng.Float64() * total
		k := 0
		for ; k < len(far)-1 && pick >= far[k]; k++ {
			pick -= far[k]
		}
		p := at(sample[k])
		centres = append(centres, [3]float32{p[0], p[1], p[2]})
	}
	for range kmeansRounds {
		var parts [Components]moments
		for _, i := range sample {
			p := at(i)
			parts[nearest(centres, p)].add(p[0], p[1], p[2])
		}
		for k := range centres {
			if n := parts[k].n; n > 0 {
				for c := range 3 {
					centres[k][c] = float32(parts[k].sum[c] / n)
				}
			}
		}
	}
	return centres
}

func nearest(centres [][3]float32, p []float32) int {
	best, least := 0, float32(math.MaxFloat32)
	for k, c := range centres {
		if d := distance(c, p); d < least {
			best, least = k, d
		}
	}
	return best
}

func distance(c [3]float32, p []float32) float32 {
	x, y, z := c[0]-p[0], c[1]-p[1], c[2]-p[2]
	return x*x + y*y + z*z
}
