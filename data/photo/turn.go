package photo

import "image"

// Upright is the size that a stored size has after turning by an EXIF
// orientation: 5 to 8 lie on their side.
func Upright(stored image.Point, orientation int) image.Point {
	if orientation >= 5 && orientation <= 8 {
		return image.Pt(stored.Y, stored.X)
	}
	return stored
}

// Place is where a stored pixel lies upright. stored is the size of the stored
// image.
func Place(p, stored image.Point, orientation int) image.Point {
	right, low := stored.X-1-p.X, stored.Y-1-p.Y
	switch orientation {
	case 2:
		return image.Pt(right, p.Y)
	case 3:
		return image.Pt(right, low)
	case 4:
		return image.Pt(p.X, low)
	case 5:
		return image.Pt(p.Y, p.X)
	case 6:
		return image.Pt(low, p.X)
	case 7:
		return image.Pt(low, right)
	case 8:
		return image.Pt(p.Y, right)
	}
	return p
}

// Turn is a stored image of so many bytes per pixel, row by row without gaps,
// as it is seen upright; pix itself where that is the same.
func Turn(pix []uint8, stored image.Point, bytesPerPixel, orientation int) []uint8 {
	if orientation < 2 || orientation > 8 {
		return pix
	}
	out := make([]uint8, len(pix))
	width := Upright(stored, orientation).X
	origin := Place(image.Point{}, stored, orientation)
	along := Place(image.Pt(1, 0), stored, orientation).Sub(origin)
	step := (along.Y*width + along.X) * bytesPerPixel
	for y := range stored.Y {
		start := Place(image.Pt(0, y), stored, orientation)
		to := (start.Y*width + start.X) * bytesPerPixel
		row := pix[y*stored.X*bytesPerPixel:][:stored.X*bytesPerPixel]
		switch bytesPerPixel {
		case 1:
			for _, v := range row {
				out[to] = v
				to += step
			}
		case 4:
			for ; len(row) >= 4; row = row[4:] {
				*(*[4]uint8)(out[to:]) = *(*[4]uint8)(row)
				to += step
			}
		default:
			for ; len(row) > 0; row = row[bytesPerPixel:] {
				copy(out[to:], row[:bytesPerPixel])
				to += step
			}
		}
	}
	return out
}
