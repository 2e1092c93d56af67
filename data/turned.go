package data

import "math"

// TurnedBounds are the upright bounds of a box of w×h that is turned about its centre, in
// radians.
func TurnedBounds(cx, cy, w, h, angle float64) (x0, y0, x1, y1 float64) {
	sin, cos := math.Sincos(angle)
	sin, cos = math.Abs(sin), math.Abs(cos)
	w, h = math.Abs(w), math.Abs(h)
	hw, hh := (w*cos+h*sin)/2, (w*sin+h*cos)/2
	return cx - hw, cy - hh, cx + hw, cy + hh
}
