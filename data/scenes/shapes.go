package scenes

import "math"

type point struct{ x, y float64 }

// part is one painted area of an object: closed outlines in the object's
// coordinates (about -1..1, y down), filled even-odd so that an inner outline
// is a hole.
type part struct {
	outlines [][]point
	paint    paint
}

// class describes one kind of object.
type class struct {
	name  string
	turn  float64 // largest rotation, radians
	tints []tint
	draw  func(r *rng, base rgb) []part
}

// classes in label order, 1... The order is by silhouette: the first seven
// already differ in outline, holes and texture.
var classes = []class{
	{"ball", math.Pi, []tint{red, blue, orange, lime, purple}, drawBall},
	{"star", math.Pi, []tint{yellow, orange, pink, blue}, drawStar},
	{"mug", 0.4, []tint{white, blue, teal, red}, drawMug},
	{"leaf", math.Pi, []tint{green, lime, orange, brown}, drawLeaf},
	{"car", 0.3, []tint{red, blue, yellow, silver, teal}, drawCar},
	{"ring", math.Pi, []tint{red, orange, pink, purple}, drawRing},
	{"butterfly", math.Pi, []tint{purple, orange, blue, yellow}, drawButterfly},
	{"fish", 0.6, []tint{orange, teal, silver, blue}, drawFish},
	{"house", 0.15, []tint{cream, red, white, pink}, drawHouse},
	{"mushroom", 0.35, []tint{red, brown, orange, purple}, drawMushroom},
}

// polar samples the closed curve of radius f(angle).
func polar(n int, cx, cy float64, f func(a float64) float64) []point {
	out := make([]point, n)
	for i := range out {
		a := 2 * math.Pi * float64(i) / float64(n)
		out[i] = point{cx + f(a)*math.Cos(a), cy + f(a)*math.Sin(a)}
	}
	return out
}

func ellipse(cx, cy, rx, ry float64) []point {
	out := polar(48, 0, 0, func(float64) float64 { return 1 })
	for i, p := range out {
		out[i] = point{cx + rx*p.x, cy + ry*p.y}
	}
	return out
}

func box(x0, y0, x1, y1 float64) []point {
	return []point{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}
}

// round cuts every corner twice (Chaikin), which turns a polygon into a
// smooth outline.
func round(poly []point) []point {
	for range 2 {
		next := make([]point, 0, 2*len(poly))
		for i, p := range poly {
			q := poly[(i+1)%len(poly)]
			next = append(next,
				point{lerp(p.x, q.x, 0.22), lerp(p.y, q.y, 0.22)},
				point{lerp(p.x, q.x, 0.78), lerp(p.y, q.y, 0.78)})
		}
		poly = next
	}
	return poly
}

func mirror(poly []point) []point {
	out := make([]point, len(poly))
	for i, p := range poly {
		out[i] = point{-p.x, p.y}
	}
	return out
}

func one(p paint, outlines ...[]point) part { return part{outlines, p} }

func flat(r *rng, c rgb) paint { return paint{a: c, b: c, seed: r.next()} }

var dark = rgb{38, 36, 42}

func drawBall(r *rng, base rgb) []part {
	p := paint{a: base, b: white.draw(r), seed: r.next(), round: 1}
	switch r.intn(3) {
	case 0:
		p.pattern, p.freq = sectors, 3
	case 1:
		p.pattern, p.freq = bands, r.between(4, 7)
	default:
		p.pattern, p.freq = spots, r.between(5, 7)
	}
	return []part{one(p, ellipse(0, 0, 0.92, 0.92))}
}

func drawStar(r *rng, base rgb) []part {
	n := 5 + r.intn(2)
	inner := r.between(0.42, 0.52)
	star := func(s float64) []point {
		out := make([]point, 2*n)
		for i := range out {
			a, l := math.Pi*float64(i)/float64(n), s
			if i%2 == 1 {
				l = s * inner
			}
			out[i] = point{l * math.Sin(a), -l * math.Cos(a)}
		}
		return out
	}
	rim := paint{a: base, b: base.scale(0.8), pattern: mottled, freq: 4, seed: r.next()}
	return []part{one(rim, star(1)), one(flat(r, blend(base, rgb{255, 255, 255}, 0.3)), star(0.62))}
}

func drawMug(r *rng, base rgb) []part {
	taper, h := r.between(0.80, 1), r.between(0.62, 0.9)
	w := 0.6
	body := round([]point{{-w, -h}, {-w, 0}, {-w * taper, h - 0.1}, {-w*taper + 0.12, h}, {w*taper - 0.12, h}, {w * taper, h - 0.1}, {w, 0}, {w, -h}})
	grip := r.between(0.30, 0.42)
	handle := ellipse(w+0.04, 0, grip, h*0.56)
	hole := ellipse(w+0.04, 0, grip-0.16, h*0.56-0.17)
	p := paint{a: base, b: base.scale(0.72), pattern: bands, freq: r.between(3, 6), seed: r.next(), round: 0.3}
	if r.chance(0.5) {
		p.pattern, p.freq, p.b = spots, r.between(6, 8), blend(base, blue.draw(r), 0.6)
	}
	return []part{
		one(flat(r, base.scale(0.86)), handle, hole),
		one(p, body),
		one(flat(r, dark.scale(1.4)), ellipse(0, -h+0.02, w*0.86, 0.13)),
	}
}

func drawLeaf(r *rng, base rgb) []part {
	wide, teeth := r.between(0.42, 0.58), float64(r.intn(2))*r.between(0.03, 0.06)
	side := make([]point, 0, 64)
	for i := range 33 {
		t := float64(i) / 32
		w := wide * math.Pow(math.Sin(math.Pi*math.Pow(t, 0.8)), 0.9) * (1 + teeth*math.Sin(40*t)/wide)
		side = append(side, point{w, -1 + 1.75*t})
	}
	outline := side
	for i := len(side) - 2; i > 0; i-- {
		outline = append(outline, point{-side[i].x, side[i].y})
	}
	vein := paint{a: base, b: blend(base, cream.draw(r), 0.55), pattern: veins, freq: r.between(6, 9), seed: r.next()}
	return []part{one(flat(r, base.scale(0.7)), box(-0.05, 0.55, 0.05, 1)), one(vein, outline)}
}

func drawCar(r *rng, base rgb) []part {
	roof, nose := r.between(-0.62, -0.45), r.between(0.55, 0.75)
	body := round([]point{{-1, 0.32}, {-1, -0.05}, {-0.72, -0.1}, {-0.45, roof}, {0.25, roof}, {nose, -0.08}, {1, 0}, {1, 0.32}})
	glass := rgb{120, 150, 175}
	front := round([]point{{-0.02, -0.1}, {-0.02, roof + 0.1}, {0.22, roof + 0.1}, {nose - 0.16, -0.1}})
	back := round([]point{{-0.58, -0.1}, {-0.4, roof + 0.1}, {-0.1, roof + 0.1}, {-0.1, -0.1}})
	size := r.between(0.20, 0.26)
	parts := []part{
		one(paint{a: base, b: base.scale(0.7), pattern: bands, freq: 3, seed: r.next(), round: 0.15}, body),
		one(flat(r, glass), front), one(flat(r, glass), back),
		one(flat(r, rgb{250, 240, 170}), ellipse(0.92, 0.08, 0.07, 0.07)),
	}
	for _, x := range []float64{-0.56, 0.56} {
		parts = append(parts, one(flat(r, dark), ellipse(x, 0.34, size, size)), one(flat(r, silver.draw(r)), ellipse(x, 0.34, size*0.5, size*0.5)))
	}
	return parts
}

func drawFish(r *rng, base rgb) []part {
	tall := r.between(0.42, 0.56)
	body := ellipse(0.15, 0, 0.78, tall)
	tail := round([]point{{-0.4, 0}, {-1, -tall}, {-0.82, 0}, {-1, tall}})
	fin := round([]point{{-0.25, -tall + 0.12}, {0, -tall - 0.32}, {0.45, -tall + 0.12}})
	skin := paint{a: base, b: blend(base, white.draw(r), 0.5), pattern: scales, freq: r.between(6, 8), seed: r.next(), round: 0.2}
	if r.chance(0.4) {
		skin.pattern, skin.freq, skin.b = stripes, r.between(6, 9), white.draw(r)
	}
	fins := paint{a: base.scale(0.75), b: base, pattern: bands, freq: 14, seed: r.next()}
	return []part{
		one(fins, tail), one(fins, fin), one(skin, body),
		one(flat(r, rgb{245, 245, 245}), ellipse(0.62, -0.1, 0.13, 0.13)), one(flat(r, dark), ellipse(0.64, -0.1, 0.065, 0.065)),
	}
}

func drawRing(r *rng, base rgb) []part {
	hole := r.between(0.40, 0.52)
	p := paint{a: base, b: white.draw(r), pattern: sectors, freq: 4, seed: r.next()}
	if r.chance(0.4) {
		p.pattern, p.freq, p.b = spots, r.between(8, 11), cream.draw(r)
	}
	return []part{one(p, ellipse(0, 0, 0.95, 0.95), ellipse(0, 0, hole, hole))}
}

func drawHouse(r *rng, base rgb) []part {
	w, eave := r.between(0.62, 0.8), r.between(-0.25, -0.05)
	wall := paint{a: base, b: base.scale(0.75), pattern: bricks, freq: r.between(7, 9), seed: r.next()}
	cover := brown
	if r.chance(0.5) {
		cover = red
	}
	tiles := cover.draw(r).scale(0.8)
	roof := paint{a: tiles, b: tiles.scale(0.65), pattern: scales, freq: 8, seed: r.next()}
	door := r.between(-0.35, 0.1)
	glass := rgb{110, 140, 170}
	return []part{
		one(flat(r, tiles.scale(0.8)), box(0.3, -0.9, 0.48, -0.3)),
		one(wall, box(-w, eave-0.02, w, 0.92)),
		one(roof, []point{{-w - 0.18, eave}, {0, -1}, {w + 0.18, eave}}),
		one(flat(r, brown.draw(r)), box(door, 0.35, door+0.3, 0.92)),
		one(flat(r, glass), box(-w+0.1, eave+0.15, -w+0.38, eave+0.45)),
		one(flat(r, glass), box(w-0.38, eave+0.15, w-0.1, eave+0.45)),
	}
}

func drawMushroom(r *rng, base rgb) []part {
	thick, brim := r.between(0.2, 0.3), r.between(-0.02, 0.14)
	cap := make([]point, 0, 40)
	for i := range 33 {
		a := math.Pi * float64(i) / 32
		cap = append(cap, point{-0.95 * math.Cos(a), brim - (0.8+brim)*math.Sin(a)})
	}
	cap = append(cap, point{0.6, brim + 0.16}, point{-0.6, brim + 0.16})
	stem := round([]point{{-thick, brim}, {-thick, 0.6}, {-thick - 0.12, 0.92}, {thick + 0.12, 0.92}, {thick, 0.6}, {thick, brim}})
	skin := paint{a: base, b: white.draw(r), pattern: spots, freq: r.between(6, 9), seed: r.next(), round: 0.35}
	return []part{
		one(paint{a: cream.draw(r), b: rgb{200, 190, 170}, pattern: stripes, freq: 20, seed: r.next()}, stem),
		one(skin, cap),
	}
}

func drawButterfly(r *rng, base rgb) []part {
	upper, lower := r.between(0.75, 0.98), r.between(0.5, 0.72)
	top := round([]point{{0, 0.1}, {0.15, -0.55}, {0.6, -0.95}, {upper, -0.75}, {upper, -0.3}, {0.55, 0.1}})
	low := round([]point{{0, 0}, {0.55, 0.02}, {lower + 0.1, 0.35}, {lower, 0.8}, {0.35, 0.85}, {0.05, 0.4}})
	wing := paint{a: base, b: dark, pattern: spots, freq: r.between(5, 7), seed: r.next()}
	hind := paint{a: base.scale(0.85), b: cream.draw(r), pattern: mottled, freq: r.between(3, 5), seed: r.next()}
	return []part{
		one(hind, low), one(hind, mirror(low)), one(wing, top), one(wing, mirror(top)),
		one(flat(r, dark), ellipse(0, -0.02, 0.10, 0.6)),
	}
}
