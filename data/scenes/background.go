package scenes

import "math"

// material is a textured surface; at returns its colour at pixel (x, y), with
// lengths in units of the image's shorter side.
type material func(x, y float64) rgb

// ground, wall and sky are the families of background materials.
var (
	ground = []func(*rng) material{grass, sand, wood, water}
	wall   = []func(*rng) material{brickwork, plaster, sky, foliage}
)

func grass(r *rng) material {
	seed, a := r.next(), hsv(r.between(75, 125), r.between(0.35, 0.55), r.between(0.35, 0.5))
	return func(x, y float64) rgb {
		blades := fractal(seed, 60*x, 18*y, 2)
		return a.scale(0.55 + 0.5*blades + 0.4*fractal(seed+1, 5*x, 5*y, 3))
	}
}

func foliage(r *rng) material {
	seed, a := r.next(), hsv(r.between(90, 150), r.between(0.3, 0.5), r.between(0.28, 0.42))
	return func(x, y float64) rgb {
		return a.scale(0.45 + 1.1*fractal(seed, 11*x, 11*y, 4))
	}
}

func sand(r *rng) material {
	seed, a := r.next(), hsv(r.between(32, 46), r.between(0.22, 0.40), r.between(0.68, 0.85))
	return func(x, y float64) rgb {
		ripple := math.Sin(40*y + 6*fractal(seed, 3*x, 6*y, 2))
		return a.scale(0.82 + 0.04*ripple + 0.26*fractal(seed+1, 45*x, 45*y, 3))
	}
}

func wood(r *rng) material {
	seed, a := r.next(), hsv(r.between(18, 34), r.between(0.40, 0.58), r.between(0.45, 0.66))
	plank := r.between(0.16, 0.3)
	return func(x, y float64) rgb {
		row := math.Floor(y / plank)
		grain := math.Sin(70*y + 9*fractal(seed+uint64(int64(row)+9), 2*x, 12*y, 3))
		c := a.scale(0.82 + 0.08*grain + 0.25*noise(seed+3, row*3.7, 0.5))
		if y/plank-row < 0.06 {
			c = c.scale(0.6)
		}
		return c
	}
}

func water(r *rng) material {
	seed, a := r.next(), hsv(r.between(190, 215), r.between(0.35, 0.55), r.between(0.45, 0.62))
	return func(x, y float64) rgb {
		return a.scale(0.78 + 0.45*fractal(seed, 6*x, 30*y, 3))
	}
}

func brickwork(r *rng) material {
	seed, a := r.next(), hsv(r.between(8, 24), r.between(0.30, 0.50), r.between(0.48, 0.62))
	mortar, h := hsv(35, 0.1, r.between(0.6, 0.75)), r.between(0.07, 0.11)
	return func(x, y float64) rgb {
		row := math.Floor(y / h)
		u := x/(2.2*h) + 0.5*math.Mod(row+64, 2)
		col := math.Floor(u)
		if y/h-row < 0.13 || u-col < 0.06 {
			return mortar.scale(0.85 + 0.25*noise(seed, 50*x, 50*y))
		}
		return a.scale(0.7 + 0.35*noise(seed+1, 3.3*col, 5.1*row) + 0.22*fractal(seed+2, 40*x, 40*y, 2))
	}
}

func plaster(r *rng) material {
	seed, a := r.next(), hsv(r.between(0, 360), r.between(0.04, 0.22), r.between(0.55, 0.85))
	return func(x, y float64) rgb {
		return a.scale(0.86 + 0.2*fractal(seed, 4*x, 4*y, 4) + 0.07*noise(seed+1, 70*x, 70*y))
	}
}

func sky(r *rng) material {
	seed, a := r.next(), hsv(r.between(200, 222), r.between(0.30, 0.50), r.between(0.72, 0.9))
	return func(x, y float64) rgb {
		c := blend(a, rgb{235, 238, 240}, 0.5*y)
		return blend(c, rgb{246, 246, 248}, 0.85*smoothstep(2.6*fractal(seed, 3*x, 6*y, 4)-1.0))
	}
}

// backdrop draws the two surfaces of a scene and the line between them, which
// may tilt or lie outside the picture.
func backdrop(r *rng) material {
	upper, lower := wall[r.intn(len(wall))](r), ground[r.intn(len(ground))](r)
	horizon, tilt := r.between(-0.25, 1.25), r.between(-0.15, 0.15)
	if r.chance(0.3) {
		horizon = -1
	}
	return func(x, y float64) rgb {
		d := y - horizon - tilt*x
		switch {
		case d > 0.008:
			return lower(x, y)
		case d < -0.008:
			return upper(x, y)
		}
		return blend(upper(x, y), lower(x, y), (d+0.008)/0.016)
	}
}

// clutter is a distractor: a blob, a plank or a pebble in the colours that
// objects have, which belongs to no class.
func clutter(r *rng) part {
	tints := []tint{red, orange, yellow, green, teal, blue, purple, brown, cream, silver}
	base := tints[r.intn(len(tints))].draw(r).scale(r.between(0.7, 0.95))
	p := paint{a: base, b: base.scale(0.65), pattern: mottled, freq: r.between(2, 6), seed: r.next()}
	seed := r.next()
	if r.chance(0.3) {
		long := r.between(0.1, 0.25)
		return one(p, box(-1, -long, 1, long))
	}
	rough := r.between(0.25, 0.7)
	return one(p, polar(40, 0, 0, func(a float64) float64 {
		return 1 - rough*noise(seed, 2+1.4*math.Cos(a), 2+1.4*math.Sin(a))
	}))
}
