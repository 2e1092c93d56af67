package data

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
)

// Want says which parts of a sample Load must read; the rest stay nil, so that
// evaluation does not decode images and training does not parse XML.
type Want uint8

// The parts of a sample.
const (
	WantImage Want = 1 << iota
	WantTruth
	WantWeak
	WantAll = WantImage | WantTruth | WantWeak
)

// ErrNoTruth is wrapped by Load when WantTruth is asked of a sample that has
// no mask file.
var ErrNoTruth = errors.New("no ground-truth mask")

// Dataset is a labelled image collection. Implementations are safe for
// concurrent use and hold no decoded image in memory.
type Dataset interface {
	// Name identifies the dataset in reports ("voc", "coco", …).
	Name() string
	// Classes is the class table, background first.
	Classes() Classes
	// Splits lists the split names that IDs accepts.
	Splits() []string
	// IDs lists the sample ids of a split in the dataset's order. The error
	// names the split and the ones that exist.
	IDs(split string) ([]string, error)
	// Load reads the wanted parts of one sample. Errors name the file.
	Load(id string, want Want) (*Sample, error)
	// ImagePath is where the image file of a sample lies.
	ImagePath(id string) string
}

// LoadParts is a Dataset's Load of what reads each part of a sample.
func LoadParts(id string, want Want, image func(id string) string, truth func(id string) (*LabelMap, error), weak func(id string) (WeakLabels, error)) (s *Sample, err error) {
	s = &Sample{ID: id}
	if want&WantImage != 0 {
		s.Image, err = ReadImage(image(id))
	}
	if want&WantTruth != 0 && err == nil {
		s.Truth, err = truth(id)
	}
	if want&WantWeak != 0 && err == nil {
		s.Weak, err = weak(id)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Parted is a Dataset whose images lie in large files of many, which are best read
// one after the other.
type Parted interface {
	// Part names the file of an image, and tells its size, bytes.
	Part(id string) (file string, bytes int64, err error)
	// Together is how many bytes of such files training reads in any order.
	Together() int64
}

// PartedOf is a dataset as a Parted, also where others wrap it; nil where it is none.
func PartedOf(ds Dataset) Parted {
	p, _ := As[Parted](ds)
	return p
}

// As is a dataset as a T, or the first that it wraps and that is one.
func As[T any](ds Dataset) (t T, ok bool) {
	for {
		if t, ok = ds.(T); ok {
			return t, true
		}
		w, wraps := ds.(interface{ Unwrap() Dataset })
		if !wraps {
			return t, false
		}
		ds = w.Unwrap()
	}
}

// Whole names the splits that together hold every image: "all" or "trainval" where there
// is one.
func Whole(ds Dataset) []string {
	for _, whole := range []string{"all", "trainval"} {
		if slices.Contains(ds.Splits(), whole) {
			return []string{whole}
		}
	}
	return ds.Splits()
}

// CheckWeak returns an error that says which option gives the dataset weak
// labels of this kind, where it has no source for them. It reads no labels.
func CheckWeak(ds Dataset, kind WeakKind) error {
	if d, ok := ds.(interface{ WeakSource(WeakKind) error }); ok {
		return d.WeakSource(kind.Labels())
	}
	return nil
}

// Options configures a dataset, from the [data] table of a config.
type Options struct {
	Root  string         // folder of the dataset
	Seed  int64          // for generated data and derived weak labels
	Extra map[string]any // the dataset's own keys, [data.options]; decoded strictly
}

var registry = map[string]func(Options) (Dataset, error){}

// Register adds a dataset kind; it panics on a duplicate name. Call it from
// init in the dataset's own file.
func Register(kind string, open func(Options) (Dataset, error)) {
	if _, dup := registry[kind]; dup {
		panic("data: dataset kind registered twice: " + kind)
	}
	registry[kind] = open
}

// Kinds lists the registered dataset kinds, sorted.
func Kinds() []string {
	return slices.Sorted(maps.Keys(registry))
}

// Open opens a dataset of a registered kind.
func Open(kind string, opts Options) (Dataset, error) {
	open, ok := registry[kind]
	if !ok {
		return nil, configs.KeyErrorf("data.kind = %q is unknown: allowed are %s", kind, strings.Join(Kinds(), ", "))
	}
	ds, err := open(opts)
	if err != nil {
		if opts.Root == "" {
			return nil, fmt.Errorf("dataset %s: %w", kind, err)
		}
		return nil, fmt.Errorf("dataset %s at %s: %w", kind, files.Address(opts.Root), err)
	}
	return ds, nil
}
