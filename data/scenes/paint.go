package scenes

import "math"

// rgb is a colour with channels 0..255.
type rgb [3]float64

func (c rgb) scale(s float64) rgb { return rgb{c[0] * s, c[1] * s, c[2] * s} }

func blend(a, b rgb, t float64) rgb {
	return rgb{lerp(a[0], b[0], t), lerp(a[1], b[1], t), lerp(a[2], b[2], t)}
}

func (c rgb) distance(d rgb) float64 {
	return math.Sqrt((c[0]-d[0])*(c[0]-d[0]) + (c[1]-d[1])*(c[1]-d[1]) + (c[2]-d[2])*(c[2]-d[2]))
}

// hsv converts hue in degrees, saturation and value in 0..1.
func hsv(h, s, v float64) rgb {
	channel := func(n float64) float64 {
		k := math.Mod(n+h/60+12, 6)
		return 255 * v * (1 - s*max(0, min(k, 4-k, 1)))
	}
	return rgb{channel(5), channel(3), channel(1)}
}

// tint is a range of colours: an object's base colour is drawn from one of its
// class's tints. Tints are shared between classes and with the backgrounds, so
// colour alone does not tell the class.
type tint struct{ h, dh, s, v float64 }

var (
	red    = tint{0, 10, 0.80, 0.82}
	orange = tint{28, 8, 0.85, 0.92}
	yellow = tint{50, 7, 0.80, 0.94}
	green  = tint{110, 20, 0.60, 0.58}
	lime   = tint{75, 10, 0.65, 0.72}
	teal   = tint{178, 12, 0.60, 0.68}
	blue   = tint{218, 14, 0.72, 0.78}
	purple = tint{278, 14, 0.55, 0.70}
	pink   = tint{335, 12, 0.50, 0.92}
	brown  = tint{22, 8, 0.60, 0.50}
	cream  = tint{42, 10, 0.22, 0.93}
	white  = tint{200, 40, 0.05, 0.95}
	silver = tint{210, 20, 0.08, 0.70}
)

func (t tint) draw(r *rng) rgb {
	return hsv(t.h+r.between(-t.dh, t.dh)+360, min(1, t.s*r.between(0.85, 1.12)), min(1, t.v*r.between(0.86, 1.06)))
}

type pattern int

const (
	plain pattern = iota
	stripes
	spots
	sectors
	scales
	bricks
	veins
	mottled
	bands
)

// paint colours a part of an object in the object's own coordinates.
type paint struct {
	a, b    rgb
	pattern pattern
	freq    float64
	seed    uint64
	round   float64 // 0 flat .. 1 shaded like a sphere
}

// at is the colour at (u, v); light is the direction the light comes from, in
// the object's coordinates.
func (p *paint) at(u, v float64, light point) rgb {
	c := blend(p.a, p.b, p.mixture(u, v))
	c = c.scale(0.93 + 0.14*fractal(p.seed, 5*u, 5*v, 2))
	shade := 1 + 0.16*(u*light.x+v*light.y)
	if p.round > 0 {
		rest := max(0, 1-u*u-v*v)
		lambert := 0.62 + 0.5*max(0, 0.75*(u*light.x+v*light.y)+0.66*math.Sqrt(rest))
		shade = lerp(shade, lambert, p.round)
		gleam := smoothstep(1 - 4.5*math.Hypot(u-0.42*light.x, v-0.42*light.y))
		c = blend(c, rgb{255, 255, 255}, 0.55*p.round*gleam)
	}
	return c.scale(shade)
}

// mixture is how much of colour b there is, 0..1.
func (p *paint) mixture(u, v float64) float64 {
	edge := func(x float64) float64 { return smoothstep(0.5 + 2.5*x) }
	switch p.pattern {
	case stripes:
		return edge(math.Sin(p.freq * u))
	case bands:
		return edge(math.Sin(p.freq * v))
	case spots:
		x, y := p.freq*u/3, p.freq*v/3
		fx, fy := math.Floor(x), math.Floor(y)
		ox := 0.3 + 0.4*noise(p.seed, fx*1.7, fy*1.3)
		oy := 0.3 + 0.4*noise(p.seed+1, fx*1.3, fy*1.7)
		return edge(2 * (0.3 - math.Hypot(x-fx-ox, y-fy-oy)))
	case sectors:
		return edge(math.Sin(p.freq * math.Atan2(v, u)))
	case scales:
		row := math.Floor(p.freq * v)
		x := p.freq*u + 0.5*math.Mod(row+64, 2)
		return 0.75 * smoothstep(1.4*math.Hypot(x-math.Floor(x)-0.2, 0.6*(p.freq*v-row-0.5)))
	case bricks:
		row := math.Floor(p.freq * v)
		x := p.freq*u/2 + 0.5*math.Mod(row+64, 2)
		fx, fy := x-math.Floor(x), p.freq*v-row
		if fx < 0.1 || fy < 0.2 {
			return 1
		}
		return 0
	case veins:
		mid := 1 - smoothstep(math.Abs(u)*16-0.4)
		side := 1 - smoothstep(5*math.Abs(math.Sin(p.freq*(v+0.8*math.Abs(u)))))
		return max(mid, 0.7*side)
	case mottled:
		return smoothstep(2.2*fractal(p.seed, p.freq*u, p.freq*v, 3) - 0.6)
	}
	return 0
}
