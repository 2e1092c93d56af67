package train

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"path/filepath"
	"strconv"

	"wsss/checkpoints/files"
)

// point is one value of a curve.
type point struct{ x, y float64 }

var curveFiles = []string{"loss.svg", "lr.svg", "miou.svg"}

// writeCurves draws the log as loss.svg, lr.svg and, if it was validated,
// miou.svg in a run folder.
func writeCurves(dir, title string, log []Record) error {
	var loss, rate, miou []point
	for _, r := range log {
		x := float64(r.Step)
		switch {
		case r.ValMIoU != nil:
			miou = append(miou, point{x, 100 * *r.ValMIoU})
		case len(r.LR) > 0:
			loss = append(loss, point{x, r.Loss})
			rate = append(rate, point{x, r.LR[0]})
		}
	}
	for _, c := range []struct {
		file, name string
		points     []point
	}{
		{curveFiles[0], "training loss", thin(loss, 200)},
		{curveFiles[1], "learning rate (backbone)", thin(rate, 200)},
		{curveFiles[2], "validation mIoU, %", miou},
	} {
		if len(c.points) == 0 {
			continue
		}
		svg := curveSVG(title+": "+c.name, c.points)
		if err := files.WriteAtomic(filepath.Join(dir, c.file), func(w io.Writer) error { _, err := w.Write(svg); return err }); err != nil {
			return err
		}
	}
	return nil
}

// thin joins neighbours until at most n points are left.
func thin(points []point, n int) []point {
	per := (len(points) + n - 1) / n
	if per <= 1 {
		return points
	}
	var out []point
	for i := 0; i < len(points); i += per {
		part := points[i:min(i+per, len(points))]
		var sum point
		for _, p := range part {
			sum.x, sum.y = sum.x+p.x, sum.y+p.y
		}
		k := float64(len(part))
		out = append(out, point{sum.x / k, sum.y / k})
	}
	return out
}

// Size of a drawing and its margins, pixels.
const (
	svgW, svgH                         = 640, 320
	marginL, marginR, marginT, marginB = 64, 16, 36, 36
)

// curveSVG draws one line over the update count.
func curveSVG(title string, points []point) []byte {
	maxX, lo, hi := 1.0, 0.0, math.Inf(-1)
	for _, p := range points {
		maxX, lo, hi = max(maxX, p.x), min(lo, p.y), max(hi, p.y)
	}
	step := niceStep(hi - lo)
	hi = math.Ceil(hi/step) * step
	if hi <= lo {
		hi = lo + step
	}
	px := func(x float64) float64 { return marginL + x/maxX*(svgW-marginL-marginR) }
	py := func(y float64) float64 { return svgH - marginB - (y-lo)/(hi-lo)*(svgH-marginT-marginB) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", svgW, svgH)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/><text x="%d" y="20" font-size="14">%s</text>`+"\n", marginL, html.EscapeString(title))
	for y := lo; y <= hi+step/2; y += step {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			marginL, py(y), svgW-marginR, marginL-6, py(y)+4, strconv.FormatFloat(y, 'g', 3, 64))
	}
	xStep := max(niceStep(maxX), 1)
	for x := 0.0; x <= maxX; x += xStep {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", px(x), svgH-marginB+18, x)
	}
	b.WriteString(`<polyline fill="none" stroke="#2563eb" stroke-width="1.8" points="`)
	for _, p := range points {
		fmt.Fprintf(&b, "%.1f,%.1f ", px(p.x), py(p.y))
	}
	b.WriteString("\"/>\n")
	last := points[len(points)-1]
	fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="#2563eb"><title>%s</title></circle>`+"\n</svg>\n", px(last.x), py(last.y), strconv.FormatFloat(last.y, 'g', 5, 64))
	return b.Bytes()
}

// niceStep is 1, 2 or 5 times a power of ten, about a fifth of the span.
func niceStep(span float64) float64 {
	if span <= 0 || math.IsInf(span, 0) || math.IsNaN(span) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(span/5)))
	for _, m := range []float64{1, 2, 5} {
		if span/(m*unit) <= 6 {
			return m * unit
		}
	}
	return 10 * unit
}
