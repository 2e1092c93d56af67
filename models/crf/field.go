package crf

import "math"

// kernel filters fields of pixels × c, c a multiple of lanes.
type kernel interface {
	splat(in []float32, c int)  // takes in a field
	slice(row []float32, p int) // adds its filtered value at pixel p to row
}

// field is the state of mean-field inference; rows are padded to c columns.
type field struct {
	n, classes, c int
	logits        []float32 // n×c, the negative energies; no probability in the padding
	q             []float32 // n×c, 0 in the padding
	kernels       []kernel
}

func newField(img Image, unary []float32, classes int, p Params) (*field, error) {
	n, c := img.W*img.H, (classes+lanes-1)/lanes*lanes
	f := &field{n: n, classes: classes, c: c, logits: make([]float32, n*c), q: make([]float32, n*c)}
	if p.GaussianWeight != 0 {
		if p.GaussianXY <= maxSigma {
			f.kernels = append(f.kernels, newSeparable(img.W, img.H, p.GaussianXY, p.GaussianWeight))
		} else if err := f.add(p.GaussianWeight, positions(img, p.GaussianXY), 2, p.Exact); err != nil {
			return nil, err
		}
	}
	if p.BilateralWeight != 0 {
		if err := f.add(p.BilateralWeight, bilateral(img, p.BilateralXY, p.BilateralRGB), 5, p.Exact); err != nil {
			return nil, err
		}
	}
	parallel(n, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := f.logits[i*c : (i+1)*c]
			for j, u := range unary[i*classes : (i+1)*classes] {
				row[j] = -u
			}
			for j := classes; j < c; j++ {
				row[j] = -math.MaxFloat32
			}
		}
	})
	return f, nil
}

func (f *field) add(weight float32, features []float32, d int, exact bool) error {
	if exact {
		k, err := newPairs(features, d, weight)
		f.kernels = append(f.kernels, k)
		return err
	}
	k, err := newLattice(features, d)
	if err != nil {
		return err
	}
	k.normalise(weight)
	f.kernels = append(f.kernels, k)
	return nil
}

// start sets q to softmax(-unary).
func (f *field) start() { f.update(nil) }

// step is one mean-field update: q ← softmax(-unary + Σ w·K q).
func (f *field) step() {
	for _, k := range f.kernels {
		k.splat(f.q, f.c)
	}
	f.update(f.kernels)
}

// block is how many pixels go through the softmax together.
const block = 32

func (f *field) update(kernels []kernel) {
	parallel(f.n, func(lo, hi int) {
		buf := make([]float32, block*f.c)
		for ; lo < hi; lo += block {
			end := min(lo+block, hi)
			rows := buf[:copy(buf, f.logits[lo*f.c:end*f.c])]
			for i := range end - lo {
				for _, k := range kernels {
					k.slice(rows[i*f.c:(i+1)*f.c], lo+i)
				}
			}
			softmaxRows(f.q[lo*f.c:end*f.c], rows, f.c)
		}
	})
}

func (f *field) posterior() []float32 {
	out := make([]float32, f.n*f.classes)
	parallel(f.n, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(out[i*f.classes:(i+1)*f.classes], f.q[i*f.c:])
		}
	})
	return out
}
