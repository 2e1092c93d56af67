package openimages

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// numBuckets splits the image ids by their leading bits. Ids are evenly spread,
// so a bucket of the whole of Open Images takes a few megabytes.
const numBuckets = 64

func bucketOf(id uint64) int { return int(id >> 58) }

// mark is one verdict on one label of one image.
type mark struct {
	image   uint64
	label   uint8
	present bool
}

// boxMark is one box. Its corners are fractions of the image's sides.
type boxMark struct {
	image          uint64
	label          uint8
	flags          uint8
	x0, y0, x1, y1 float32
}

// Flags of a box.
const (
	flagGroup   = 1 << iota // IsGroupOf: more than five instances that touch
	flagDepict              // IsDepiction: a drawing, a statue
	flagInside              // IsInside: seen from within
	flagOcclude             // IsOccluded
	flagCut                 // IsTruncated
)

// Bytes of a record in a bucket.
const (
	markSize = 10
	boxSize  = 26
)

// bucketKind names the two sorts of bucket files.
type bucketKind int

const (
	markBuckets bucketKind = iota
	boxBuckets
	numKinds
)

func bucketName(kind bucketKind, i int) string {
	return fmt.Sprintf("%s-%02d.bin", [...]string{"labels", "boxes"}[kind], i)
}

// bucketWriter appends records to bucket files. A bucket without records has
// no file.
type bucketWriter struct {
	dir           string
	files         [numKinds][numBuckets]*os.File
	writers       [numKinds][numBuckets]*bufio.Writer
	sizes, synced [numKinds][numBuckets]int64
}

// openBuckets goes on with buckets of the given lengths; what lies beyond is of
// a scan that was killed, and goes.
func openBuckets(dir string, sizes [numKinds][numBuckets]int64) (*bucketWriter, error) {
	b := &bucketWriter{dir: dir, sizes: sizes, synced: sizes}
	there, err := bucketsIn(dir)
	if err != nil {
		return nil, err
	}
	for kind := range numKinds {
		for i, size := range sizes[kind] {
			var err error
			if size > 0 {
				err = os.Truncate(filepath.Join(dir, bucketName(kind, i)), size)
			} else if there[bucketName(kind, i)] {
				err = os.Remove(filepath.Join(dir, bucketName(kind, i)))
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// bucketsIn tells which buckets have a file in dir, by its name: few, where the
// scanned files are small.
func bucketsIn(dir string) (there map[string]bool, err error) {
	entries, err := os.ReadDir(dir)
	there = make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Name()] = true
	}
	return there, err
}

func (b *bucketWriter) mark(m mark) error {
	var rec [markSize]byte
	binary.BigEndian.PutUint64(rec[:], m.image)
	rec[8] = m.label
	if m.present {
		rec[9] = 1
	}
	return b.add(markBuckets, bucketOf(m.image), rec[:])
}

func (b *bucketWriter) box(m boxMark) error {
	var rec [boxSize]byte
	binary.BigEndian.PutUint64(rec[:], m.image)
	rec[8], rec[9] = m.label, m.flags
	for i, v := range [4]float32{m.x0, m.y0, m.x1, m.y1} {
		binary.BigEndian.PutUint32(rec[10+4*i:], math.Float32bits(v))
	}
	return b.add(boxBuckets, bucketOf(m.image), rec[:])
}

func (b *bucketWriter) add(kind bucketKind, i int, rec []byte) error {
	w := b.writers[kind][i]
	if w == nil {
		f, err := os.OpenFile(filepath.Join(b.dir, bucketName(kind, i)), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return err
		}
		w = bufio.NewWriterSize(f, 32<<10)
		b.files[kind][i], b.writers[kind][i] = f, w
	}
	b.sizes[kind][i] += int64(len(rec))
	_, err := w.Write(rec)
	return err
}

// flush puts everything on disk.
func (b *bucketWriter) flush() error {
	for kind := range numKinds {
		for i, w := range b.writers[kind] {
			if b.sizes[kind][i] == b.synced[kind][i] {
				continue
			}
			if err := errors.Join(w.Flush(), b.files[kind][i].Sync()); err != nil {
				return err
			}
		}
	}
	b.synced = b.sizes
	return nil
}

func (b *bucketWriter) close() error {
	var errs []error
	for _, kind := range b.files {
		for _, f := range kind {
			if f != nil {
				errs = append(errs, f.Close())
			}
		}
	}
	return errors.Join(errs...)
}

// readBucket returns the records of one bucket, sorted, so that their order in
// the source files does not matter.
func readBucket(dir string, i int) ([]mark, []boxMark, error) {
	raw, err := readIfThere(filepath.Join(dir, bucketName(markBuckets, i)))
	if err != nil {
		return nil, nil, err
	}
	marks := make([]mark, 0, len(raw)/markSize)
	for ; len(raw) >= markSize; raw = raw[markSize:] {
		marks = append(marks, mark{binary.BigEndian.Uint64(raw), raw[8], raw[9] == 1})
	}
	if raw, err = readIfThere(filepath.Join(dir, bucketName(boxBuckets, i))); err != nil {
		return nil, nil, err
	}
	boxes := make([]boxMark, 0, len(raw)/boxSize)
	for ; len(raw) >= boxSize; raw = raw[boxSize:] {
		m := boxMark{image: binary.BigEndian.Uint64(raw), label: raw[8], flags: raw[9]}
		for k, v := range []*float32{&m.x0, &m.y0, &m.x1, &m.y1} {
			*v = math.Float32frombits(binary.BigEndian.Uint32(raw[10+4*k:]))
		}
		boxes = append(boxes, m)
	}
	slices.SortFunc(marks, func(a, b mark) int { return compare(a.image, b.image) })
	slices.SortFunc(boxes, compareBoxes)
	return marks, boxes, nil
}

func readIfThere(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

func compare[T uint64 | uint8 | float32](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareBoxes(a, b boxMark) int {
	for _, c := range [...]int{
		compare(a.image, b.image), compare(a.label, b.label),
		compare(a.x0, b.x0), compare(a.y0, b.y0), compare(a.x1, b.x1), compare(a.y1, b.y1), compare(a.flags, b.flags),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}
