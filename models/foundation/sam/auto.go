package sam

import (
	"context"
	"fmt"
	"image"
	"math"

	"wsss/data"
	"wsss/data/imageproc"
)

// AutoOptions are the parameters of the automatic mask generator (docs/sources.md
// §3.5).
type AutoOptions struct {
	PointsPerSide       int     `toml:"points_per_side"`        // grid of point prompts, n×n
	PointsPerBatch      int     `toml:"points_per_batch"`       // prompts decoded before their masks are filtered
	PredIoUThresh       float64 `toml:"pred_iou_thresh"`        // masks with a predicted IoU above it stay; 0 = all; -1 = as the model's authors: 0.88, for SAM 2 0.8
	StabilityThresh     float64 `toml:"stability_score_thresh"` // masks at least this stable stay
	StabilityOffset     float64 `toml:"stability_score_offset"` // by how much the threshold on logits moves for it
	BoxNMSThresh        float64 `toml:"box_nms_thresh"`         // box IoU above which the worse mask of a crop goes
	CropLayers          int     `toml:"crop_n_layers"`          // layer i looks at 2^i × 2^i crops of the image
	CropNMSThresh       float64 `toml:"crop_nms_thresh"`        // box IoU above which a larger crop's mask goes
	CropOverlap         float64 `toml:"crop_overlap_ratio"`     // of the short side, in layer 1; halved per layer
	CropPointsDownscale int     `toml:"crop_n_points_downscale_factor"`
	MinRegionArea       int     `toml:"min_mask_region_area"` // holes and islands below are cleaned up; 0 = none

	// Grids are explicit prompts per layer, x and y in [0, 1] of the crop,
	// instead of PointsPerSide.
	Grids [][][2]float64 `toml:"point_grids"`
}

// authors stands for the threshold of the model's authors.
const authors = -1

// predIoU is the threshold for this model (docs/sources.md §3.5, §3.6).
func (m *Model) predIoU(o AutoOptions) float64 {
	switch {
	case o.PredIoUThresh != authors:
		return o.PredIoUThresh
	case m.sig.second():
		return 0.8
	}
	return 0.88
}

// DefaultAutoOptions are the reference's.
func DefaultAutoOptions() AutoOptions {
	return AutoOptions{
		PointsPerSide: 32, PointsPerBatch: 64, PredIoUThresh: authors, StabilityThresh: 0.95, StabilityOffset: 1,
		BoxNMSThresh: 0.7, CropNMSThresh: 0.7, CropOverlap: 512.0 / 1500, CropPointsDownscale: 1,
	}
}

// Check names the first option that makes no sense.
func (o AutoOptions) Check() error {
	unit := func(key string, v float64) error {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("%s = %v: allowed is 0..1", key, v)
		}
		return nil
	}
	whole := func(key string, v, lo, hi int) error {
		if v < lo || v > hi {
			return fmt.Errorf("%s = %d: allowed are %d..%d", key, v, lo, hi)
		}
		return nil
	}
	if v := o.PredIoUThresh; v != authors && !(v >= 0 && v <= 1) {
		return fmt.Errorf("pred_iou_thresh = %v: allowed is 0..1, and %v for the model's authors' own", v, float64(authors))
	}
	checks := []error{
		unit("stability_score_thresh", o.StabilityThresh),
		unit("box_nms_thresh", o.BoxNMSThresh), unit("crop_nms_thresh", o.CropNMSThresh),
		unit("crop_overlap_ratio", o.CropOverlap),
		whole("points_per_batch", o.PointsPerBatch, 1, 1<<16), whole("crop_n_layers", o.CropLayers, 0, 5),
		whole("crop_n_points_downscale_factor", o.CropPointsDownscale, 1, 1024),
		whole("min_mask_region_area", o.MinRegionArea, 0, math.MaxInt32),
	}
	if o.Grids == nil {
		checks = append(checks, whole("points_per_side", o.PointsPerSide, 1, 1024))
	} else if len(o.Grids) != o.CropLayers+1 {
		checks = append(checks, fmt.Errorf("point_grids has %d grids: wanted one per layer, %d", len(o.Grids), o.CropLayers+1))
	}
	if !(o.StabilityOffset >= 0) {
		checks = append(checks, fmt.Errorf("stability_score_offset = %v: allowed is 0 or more", o.StabilityOffset))
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

// AutoMask is one mask of the generator.
type AutoMask struct {
	Bits      data.RLE
	Box       Extrema
	IoU       float32 // predicted
	Stability float32
	Point     [2]float64      // the prompt, pixels of the image
	Crop      image.Rectangle // the crop it was found in
}

// Extrema are the first and last column and row of a mask, inclusive, so a
// one-pixel mask has X0 = X1; all 0 for an empty mask.
type Extrema struct{ X0, Y0, X1, Y1 int }

// Auto makes masks of everything in the image from a grid of points, in
// descending order of predicted IoU, or of the crops' smallness where there
// are several. Memory is bounded by one batch of prompts and the kept masks.
func (m *Model) Auto(ctx context.Context, img *imageproc.RGB, o AutoOptions) ([]AutoMask, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	o.PredIoUThresh = m.predIoU(o)
	crops, layers := cropBoxes(img.W, img.H, o.CropLayers, o.CropOverlap)
	var all []AutoMask
	for i, crop := range crops {
		found, err := m.autoCrop(ctx, img, crop, o.grid(layers[i]), o)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if len(crops) > 1 {
		smallness := scoresOf(all, func(m AutoMask) float32 { return 1 / float32(m.Crop.Dx()*m.Crop.Dy()) })
		all = suppress(all, smallness, o.CropNMSThresh)
	}
	if o.MinRegionArea > 0 {
		all = cleanRegions(all, o.MinRegionArea, max(o.BoxNMSThresh, o.CropNMSThresh))
	}
	return all, nil
}

// grid lists the points of a layer, in [0, 1], rows first.
func (o AutoOptions) grid(layer int) [][2]float64 {
	if o.Grids != nil {
		return o.Grids[layer]
	}
	n := int(float64(o.PointsPerSide) / math.Pow(float64(o.CropPointsDownscale), float64(layer)))
	points := make([][2]float64, 0, n*n)
	for y := range n {
		for x := range n {
			points = append(points, [2]float64{(float64(x) + 0.5) / float64(n), (float64(y) + 0.5) / float64(n)})
		}
	}
	return points
}

// autoCrop makes the masks of one crop, in the frame of the whole image.
func (m *Model) autoCrop(ctx context.Context, img *imageproc.RGB, crop image.Rectangle, grid [][2]float64, o AutoOptions) ([]AutoMask, error) {
	e, err := m.Embed(ctx, img.Crop(crop))
	if err != nil {
		return nil, err
	}
	defer e.Free()
	var found []AutoMask
	for len(grid) > 0 {
		n := min(o.PointsPerBatch, len(grid))
		prompts := make([]Prompt, n)
		for i, p := range grid[:n] {
			prompts[i].Points = []Point{{X: p[0] * float64(crop.Dx()), Y: p[1] * float64(crop.Dy())}}
		}
		grid = grid[n:]
		results, err := m.Predict(ctx, e, prompts)
		if err != nil {
			return nil, err
		}
		some, err := m.examine(ctx, e, prompts, results, o, crop, image.Pt(img.W, img.H))
		Free(results)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return suppress(found, scoresOf(found, func(m AutoMask) float32 { return m.IoU }), o.BoxNMSThresh), nil
}

// examine applies the filters to the masks of a crop, and takes what passes into
// the frame of the whole image.
func (m *Model) examine(ctx context.Context, e *Embedding, prompts []Prompt, results []Result, o AutoOptions, crop image.Rectangle, whole image.Point) ([]AutoMask, error) {
	var asked []Asked
	var points []Point
	for i, r := range results {
		for _, t := range r.Multimask() {
			if o.PredIoUThresh > 0 && !(float64(r.IoU[t]) > o.PredIoUThresh) {
				continue
			}
			asked, points = append(asked, Asked{Result: r, Mask: t}), append(points, prompts[i].Points[0])
		}
	}
	outlines, err := m.Outlines(ctx, e, asked, o.StabilityOffset, o.StabilityThresh)
	if err != nil {
		return nil, err
	}
	var found []AutoMask
	for i, l := range outlines {
		if !(l.Stability >= float32(o.StabilityThresh)) { // NaN too: nothing is in the mask
			continue
		}
		bounds := l.Bits.Bounds()
		box := Extrema{}
		if !bounds.Empty() {
			box = Extrema{bounds.Min.X, bounds.Min.Y, bounds.Max.X - 1, bounds.Max.Y - 1}
		}
		box = Extrema{box.X0 + crop.Min.X, box.Y0 + crop.Min.Y, box.X1 + crop.Min.X, box.Y1 + crop.Min.Y}
		if box.nearEdge(crop, whole.X, whole.Y) {
			continue
		}
		if e.W != whole.X || e.H != whole.Y {
			l.Bits = data.EncodeRLE(uncrop(l.Bits.Decode(), crop, whole.X, whole.Y), whole.X, whole.Y)
		}
		p := points[i]
		found = append(found, AutoMask{Bits: l.Bits, Box: box, IoU: asked[i].IoU[asked[i].Mask], Stability: l.Stability, Crop: crop,
			Point: [2]float64{p.X + float64(crop.Min.X), p.Y + float64(crop.Min.Y)}})
	}
	return found, nil
}

// Stability is the share of pixels above -offset that are above +offset: the
// IoU of the mask with itself under a moved threshold. NaN for empty masks.
func Stability(logits []float32, offset float64) float32 {
	hi, lo := 0, 0
	for _, v := range logits {
		if v > float32(-offset) {
			lo++
			if v > float32(offset) {
				hi++
			}
		}
	}
	return float32(hi) / float32(lo)
}

func extrema(bits []uint8, w, h int) Extrema {
	box := Extrema{w, h, -1, -1}
	for y := range h {
		for x, v := range bits[y*w : (y+1)*w] {
			if v != 0 {
				box = Extrema{min(box.X0, x), min(box.Y0, y), max(box.X1, x), y}
			}
		}
	}
	if box.X1 < 0 {
		return Extrema{}
	}
	return box
}

// nearEdge tells whether the box touches an edge of the crop that is not one
// of the image: the object goes on outside, and a larger crop sees it whole.
func (e Extrema) nearEdge(crop image.Rectangle, w, h int) bool {
	const tolerance = 20
	near := func(a, b int) bool { return max(a-b, b-a) <= tolerance }
	side := func(v, crop, whole int) bool { return near(v, crop) && !near(v, whole) }
	return side(e.X0, crop.Min.X, 0) || side(e.Y0, crop.Min.Y, 0) || side(e.X1, crop.Max.X, w) || side(e.Y1, crop.Max.Y, h)
}

// uncrop puts a mask of a crop into the whole image.
func uncrop(bits []uint8, crop image.Rectangle, w, h int) []uint8 {
	out := make([]uint8, w*h)
	for y := range crop.Dy() {
		copy(out[(crop.Min.Y+y)*w+crop.Min.X:], bits[y*crop.Dx():(y+1)*crop.Dx()])
	}
	return out
}

// cropBoxes lists the whole image and the crops of every layer, columns
// first, each with its layer.
func cropBoxes(w, h, layers int, ratio float64) (boxes []image.Rectangle, layer []int) {
	boxes, layer = []image.Rectangle{image.Rect(0, 0, w, h)}, []int{0}
	for i := 1; i <= layers; i++ {
		n := 1 << i
		overlap := int(ratio * float64(min(w, h)) * (2 / float64(n)))
		length := func(side int) int { return int(math.Ceil(float64(overlap*(n-1)+side) / float64(n))) }
		cw, ch := length(w), length(h)
		for x := range n {
			for y := range n {
				at := image.Pt((cw-overlap)*x, (ch-overlap)*y)
				box := image.Rect(at.X, at.Y, min(at.X+cw, w), min(at.Y+ch, h))
				boxes, layer = append(boxes, box), append(layer, i)
			}
		}
	}
	return boxes, layer
}
