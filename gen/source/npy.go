package source

import (
	"fmt"
	"math"
	"slices"

	"wsss/data"
	"wsss/data/weak/npy"
)

// scoreKeys are the names under which tools keep class scores, the ones at
// full size first: IRN and ReCAM, CLIP-ES, and IRN's at stride 4.
var scoreKeys = []string{"high_res", "attn_highres", "cam"}

// ReadScores reads class scores from a .npy file in any of the forms that the
// field uses: a dictionary of "keys" (classes) and a maps array [class, h, w]
// (IRN, CLIP-ES), a dictionary class → map (PSA), or one array [class, h, w].
// firstClass is the label value of the file's class 0; an array with as many
// maps as there are classes holds the background too. Arrays may be NumPy's or
// PyTorch tensors. Values must be finite. The error names the file.
func ReadScores(path, key string, firstClass, numClasses int) (*Scores, error) {
	v, err := npy.ReadObject(path)
	if err != nil {
		return nil, err
	}
	s, err := parseScores(v, key, firstClass, numClasses)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func parseScores(v any, key string, firstClass, numClasses int) (*Scores, error) {
	switch v := v.(type) {
	case *npy.Array:
		classes := make([]int64, 0, numClasses)
		if len(v.Shape) == 3 && v.Shape[0] == numClasses {
			firstClass = 0
		}
		if len(v.Shape) == 3 {
			for i := range min(v.Shape[0], numClasses+1) {
				classes = append(classes, int64(i))
			}
		}
		return stacked(v.Shape, v.Float32, classes, firstClass, numClasses)
	case *npy.Dict:
		if v.Get("keys") != nil {
			return keyed(v, key, firstClass, numClasses)
		}
		return byClass(v, firstClass, numClasses)
	}
	return nil, fmt.Errorf("holds %T: allowed are an array [class, height, width] and a dictionary of class scores", v)
}

// keyed reads {"keys": classes, key: [class, h, w]}.
func keyed(d *npy.Dict, key string, firstClass, numClasses int) (*Scores, error) {
	shape, values, err := tensor(d.Get("keys"))
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if len(shape) != 1 || shape[0] > numClasses {
		return nil, fmt.Errorf("keys of shape %v: allowed is a list of at most %d classes", shape, numClasses)
	}
	var classes []int64
	for _, f := range values() {
		classes = append(classes, int64(f))
	}
	names := scoreKeys
	if key != "" {
		names = []string{key}
	}
	for _, name := range names {
		v := d.Get(name)
		if v == nil {
			continue
		}
		shape, values, err := tensor(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return stacked(shape, values, classes, firstClass, numClasses)
	}
	return nil, fmt.Errorf("the dictionary has none of %v, only %v", names, d.Keys)
}

// stacked takes maps [class, h, w] apart. An array of no class may have any
// size.
func stacked(shape []int, values func() []float32, classes []int64, firstClass, numClasses int) (*Scores, error) {
	if len(classes) == 0 && slices.Contains(shape, 0) {
		return &Scores{}, nil
	}
	if len(shape) != 3 || shape[0] != len(classes) || slices.Contains(shape, 0) || int64(shape[1])*int64(shape[2]) > data.MaxPixels {
		return nil, fmt.Errorf("scores of shape %v for %d classes: allowed is [class, height, width]", shape, len(classes))
	}
	s := &Scores{W: shape[2], H: shape[1]}
	n := s.W * s.H
	for i, v := 0, values(); i < len(classes); i++ {
		if err := s.add(classes[i], v[i*n:(i+1)*n], firstClass, numClasses); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// byClass reads {class: [h, w], …}.
func byClass(d *npy.Dict, firstClass, numClasses int) (*Scores, error) {
	s := &Scores{}
	for i, k := range d.Keys {
		class, ok := k.(int64)
		if !ok {
			return nil, fmt.Errorf("the dictionary has the key %v: allowed are \"keys\" with scores, or class numbers", k)
		}
		shape, values, err := tensor(d.Values[i])
		if err != nil {
			return nil, fmt.Errorf("class %d: %w", class, err)
		}
		if len(shape) != 2 || slices.Contains(shape, 0) || s.W > 0 && (shape[0] != s.H || shape[1] != s.W) {
			return nil, fmt.Errorf("class %d: scores of shape %v: allowed is [height, width], the same for all classes", class, shape)
		}
		s.W, s.H = shape[1], shape[0]
		if err := s.add(class, values(), firstClass, numClasses); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add inserts a class's map in ascending order of label values.
func (s *Scores) add(class int64, m []float32, firstClass, numClasses int) error {
	value := class + int64(firstClass)
	if value < 0 || value >= int64(numClasses) {
		return fmt.Errorf("class %d (label value %d): allowed are label values 0..%d; see first_class", class, value, numClasses-1)
	}
	at, found := slices.BinarySearch(s.Classes, int(value))
	if found {
		return fmt.Errorf("class %d occurs twice", class)
	}
	for i, v := range m {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("class %d has the score %v at pixel (%d,%d): allowed are finite numbers", class, v, i%s.W, i/s.W)
		}
	}
	s.Classes = slices.Insert(s.Classes, at, int(value))
	s.Maps = slices.Insert(s.Maps, at, m)
	return nil
}

// tensor is a NumPy array, a list of whole numbers or a PyTorch tensor: its
// shape, and its values in row-major order.
func tensor(v any) (shape []int, values func() []float32, err error) {
	switch v := v.(type) {
	case *npy.Array:
		return v.Shape, v.Float32, nil
	case []any:
		out := make([]float32, len(v))
		for i, x := range v {
			n, ok := x.(int64)
			if !ok {
				return nil, nil, fmt.Errorf("list with %T: allowed are integers", x)
			}
			out[i] = float32(n)
		}
		return []int{len(v)}, func() []float32 { return out }, nil
	case *npy.Opaque:
		return torchTensor(v)
	}
	return nil, nil, fmt.Errorf("%T: allowed are arrays", v)
}
