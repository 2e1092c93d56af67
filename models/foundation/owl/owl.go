// Package owl finds objects that look like given ones: OWLv2 (Minderer et al.,
// NeurIPS 2023), asked with boxes of photos instead of words. Each patch of a
// photo gives a box, a vector that says what is in it, and how sure it is that
// something is.
package owl

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/metrics"
	"wsss/data/prob"
	"wsss/data/vector"
)

// Model is a network with its weights. It is safe for concurrent use.
type Model struct {
	net  tower
	hash string
	file string
}

// tower is a network at work, from weights or from an ONNX file.
type tower interface {
	// side is that of the square that it sees, pixels; grid the patches along it.
	side() int
	grid() int
	// see gives what the network says of a square of normalised pixels,
	// [side, side, 3].
	see(ctx context.Context, pixels []float32) (seen, error)
}

// seen is what a network says of the n patches of a square, row by row.
type seen struct {
	vectors []float32 // [n, dim], what each shows, of any length
	shifts  []float32 // [n], of the logits
	scales  []float32 // [n], of the logits, above 0
	boxes   []float32 // [n, 4], centre and size as shares of the square
}

// Open reads the weights of transformers' Owlv2ForObjectDetection
// (.safetensors, .pth), or an ONNX file of it as optimum exports it. Errors name the
// file.
func Open(b compute.Backend, path string) (*Model, error) {
	if b == nil {
		return nil, fmt.Errorf("%s: OWLv2 needs a backend, and there is none", path)
	}
	m := &Model{file: path}
	var err error
	if m.hash, err = files.SHA256(path); err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".onnx") {
		m.net, err = openONNX(b, path)
	} else {
		m.net, err = openWeights(b, path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Files maps the file's name to its hash, for provenance.
func (m *Model) Files() map[string]string { return map[string]string{filepath.Base(m.file): m.hash} }

// Photo is what the network says of a photo.
type Photo struct {
	w, h    int
	patches []patch
}

type patch struct {
	vector       []float32 // what it shows, of length 1
	length       float32   // that the network gave it
	shift, scale float32   // of the logits
	box          data.Box  // in pixels of the photo, perhaps beyond it
}

// grey is what photos are padded with, as the authors do.
const grey = 128

// Look runs the network on a photo: made a square by grey at the right or below,
// as the authors do, and resized.
func (m *Model) Look(ctx context.Context, img *imageproc.RGB) (*Photo, error) {
	if img.W < 1 || img.H < 1 {
		return nil, fmt.Errorf("a photo without pixels has no objects")
	}
	whole := m.net.side()
	canvas := imageproc.NewRGB(whole, whole)
	for i := range canvas.Pix {
		canvas.Pix[i] = grey
	}
	scale := float64(whole) / float64(max(img.W, img.H))
	side := func(n int) int { return min(max(int(math.Round(float64(n)*scale)), 1), whole) }
	small := img.Resize(side(img.W), side(img.H), imageproc.Bilinear)
	pixels := make([]float32, 3*whole*whole)
	canvas.Interleaved(imageproc.CLIPNorm, pixels, whole, image.Point{})
	small.Interleaved(imageproc.CLIPNorm, pixels, whole, image.Point{})
	return m.look(ctx, pixels, img.W, img.H)
}

// look reads the network's numbers for the normalised pixels of a square that
// holds a photo of w×h.
func (m *Model) look(ctx context.Context, pixels []float32, w, h int) (*Photo, error) {
	s, err := m.net.see(ctx, pixels)
	if err != nil {
		return nil, err
	}
	n := len(s.shifts)
	if g := m.net.grid(); n != g*g || len(s.scales) != n || len(s.boxes) != 4*n || len(s.vectors) == 0 || len(s.vectors)%n != 0 {
		return nil, fmt.Errorf("the network gives %d vectors' values, %d shifts, %d scales and %d boxes' values for %d×%d patches", len(s.vectors), n, len(s.scales), len(s.boxes), g, g)
	}
	p := &Photo{w: w, h: h, patches: make([]patch, n)}
	long, dim := float32(max(w, h)), len(s.vectors)/n
	for i := range p.patches {
		q := patch{shift: s.shifts[i], scale: s.scales[i]}
		q.vector, q.length = unit(s.vectors[i*dim : (i+1)*dim])
		b := s.boxes[4*i:]
		q.box = data.Box{X0: (b[0] - b[2]/2) * long, Y0: (b[1] - b[3]/2) * long, X1: (b[0] + b[2]/2) * long, Y1: (b[1] + b[3]/2) * long}
		for _, v := range []float32{q.shift, q.scale, b[0] + b[1] + b[2] + b[3], q.vector[0]} {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("the network gives what is no number at patch %d", i)
			}
		}
		p.patches[i] = q
	}
	return p, nil
}

// unit is v scaled to length 1, nearly, as transformers does, and its length.
func unit(v []float32) ([]float32, float32) {
	out, length := make([]float32, len(v)), vector.Length(v)+1e-6
	for i, x := range v {
		out[i] = float32(float64(x) / length)
	}
	return out, float32(length)
}

// Query is what an object looks like: a vector of length 1.
type Query []float32

// nearBest is the share of the best IoU with an object's box that a patch's box
// needs to speak for it.
const nearBest = 0.8

// Query is what the object in a box looks like. Of the patches whose boxes fit
// it about best, only one was trained to speak for it: the one that differs most
// from the photo's mean, as the authors choose it. It is nil where no patch's
// box meets the box.
func (p *Photo) Query(box data.Box) Query {
	fits, best := make([]float32, len(p.patches)), float32(0)
	mean := make([]float32, len(p.patches[0].vector))
	for i, q := range p.patches {
		fits[i] = float32(metrics.BoxIoU(q.box, box))
		best = max(best, fits[i])
		for c, v := range q.vector {
			mean[c] += v * q.length / float32(len(p.patches))
		}
	}
	if best == 0 {
		return nil
	}
	at, least := -1, float32(0)
	for i, q := range p.patches {
		if fits[i] < nearBest*best {
			continue
		}
		if s := vector.Dot(mean, q.vector) * q.length; at < 0 || s < least {
			at, least = i, s
		}
	}
	return p.patches[at].vector
}

// Detection is an object that was found.
type Detection struct {
	Box   data.Box // of the query's class, inside the photo
	Score float32  // in 0..1
	Query int      // that it looks most like
}

// Find lists the objects that look like one of the queries with at least a score
// of least, the best first; classes are those of the queries. A patch speaks for
// the query that it looks most like. Several patches may have found one object.
func (p *Photo) Find(queries []Query, classes []int, least float64) []Detection {
	if len(queries) == 0 {
		return nil
	}
	var list []Detection
	for _, q := range p.patches {
		at, logit := q.nearest(queries)
		score := prob.Sigmoid(logit)
		box := q.box
		box.X0, box.Y0 = max(box.X0, 0), max(box.Y0, 0)
		box.X1, box.Y1 = min(box.X1, float32(p.w)), min(box.Y1, float32(p.h))
		if float64(score) < least || box.X1-box.X0 < 1 || box.Y1-box.Y0 < 1 {
			continue
		}
		box.Class = classes[at]
		list = append(list, Detection{box, score, at})
	}
	slices.SortStableFunc(list, func(a, b Detection) int { return cmp.Compare(b.Score, a.Score) })
	return list
}

// nearest is the query that a patch looks most like, and the logit that it does.
func (q patch) nearest(queries []Query) (at int, logit float32) {
	best := float32(math.Inf(-1))
	for k, v := range queries {
		if s := vector.Dot(q.vector, v); s > best {
			best, at = s, k
		}
	}
	return at, (best + q.shift) * q.scale
}
