package pth

import (
	"archive/zip"

	"github.com/gomlx/compute/dtypes"
)

// Place is where the elements of a tensor stand in the file, one after
// another in row-major order.
type Place struct {
	DType  dtypes.DType
	Shape  []int
	Offset int64 // bytes from the start of the file
	Bytes  int64
}

// Place finds a tensor in the file. ok is false where its elements do not
// stand one after another: in a view with other strides, or a compressed
// archive.
func (r *Reader) Place(name string) (p Place, ok bool, err error) {
	t, err := r.find(name)
	if err != nil {
		return p, false, err
	}
	width := int64(t.storage.dtype.Size())
	p = Place{DType: t.storage.dtype, Shape: append([]int{}, t.shape...), Bytes: width}
	for _, n := range t.shape {
		p.Bytes *= int64(n)
	}
	begin, ok, err := r.values.place(t.storage.key, t.storage.size*width)
	if err != nil || !ok || !t.contiguous() {
		return p, false, err
	}
	p.Offset = begin + t.offset*width
	return p, true, nil
}

// place is store's.
func (s zipStore) place(key string, n int64) (int64, bool, error) {
	f := s.members[key]
	if f != nil && f.Method != zip.Store {
		return 0, false, nil
	}
	if _, err := s.open(key, n); err != nil {
		return 0, false, err
	}
	at, err := f.DataOffset()
	return at, err == nil, err
}

// place is store's.
func (s legacyStore) place(key string, n int64) (int64, bool, error) {
	_, err := s.open(key, n)
	return s.at[key] + 8, err == nil, err
}
