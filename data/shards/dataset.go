package shards

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
)

// Kind is the dataset's name in a config: data.kind = "shards".
const Kind = "shards"

// Options are the keys of [data.options].
type Options struct {
	// Together is how many MiB of tar files training reads in any order; 0 = 1024.
	Together int `toml:"shuffle_mb"`

	// Of tar files that `wsss data pack` did not write.
	Names   []string `toml:"names"`       // class names, background first; default: those of classes.txt
	First   *int     `toml:"first_class"` // the class that the number 0 in .cls and .json means; default 1
	Photos  string   `toml:"photos"`      // what the names of photos end in, where it is not plain: "jpg"
	Masks   string   `toml:"masks"`       // … and those of true masks: "seg.png"
	Dropped bool     `toml:"skip_bad"`    // leave out samples without a photo, or with two; else they are an error
}

// ofForeign is the first key that is given and that tar files of `wsss data pack`
// of these classes have no use for, "" for none.
func (o Options) ofForeign(classes []string) string {
	switch {
	case o.Names != nil && !slices.Equal(o.Names, classes):
		return "names"
	case o.First != nil:
		return "first_class"
	case o.Photos != "":
		return "photos"
	case o.Masks != "":
		return "masks"
	case o.Dropped:
		return "skip_bad"
	}
	return ""
}

func init() {
	data.Register(Kind, func(o data.Options) (data.Dataset, error) {
		var opts Options
		if err := configs.Decode("data.options", o.Extra, &opts); err != nil {
			return nil, err
		}
		return Open(o.Root, opts)
	})
}

// Dataset is a packed dataset. It implements data.Dataset and data.Parted.
type Dataset struct {
	root     string
	classes  data.Classes
	splits   map[string][]string
	in       map[string]place
	mu       sync.Mutex
	bytes    map[string]int64 // of tar files, where that is known
	together int64
	foreign  *foreign // nil where `wsss data pack` wrote it
}

// place is where the files of an image lie.
type place struct {
	tar string
	key string // their names up to the first dot
}

// Open reads the manifest of a packed dataset, or the names in tar files that
// have none. Packed tar files are opened when they are read.
func Open(root string, o Options) (*Dataset, error) {
	if o.Together < 0 || o.Together > 1<<20 {
		return nil, configs.KeyErrorf("data.options.shuffle_mb = %d: allowed are 1..%d, or 0 for 1024", o.Together, 1<<20)
	}
	d := &Dataset{root: root, splits: map[string][]string{}, in: map[string]place{}, bytes: map[string]int64{}, together: int64(o.Together) << 20}
	if d.together == 0 {
		d.together = 1 << 30
	}
	path := filepath.Join(root, ManifestName)
	raw, err := files.ReadLimited(path, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return d, d.openForeign(o)
	}
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%s: not the list of a packed dataset: %w", path, err)
	}
	if len(m.Classes) < 2 || len(m.Classes) > data.MaxClasses {
		return nil, fmt.Errorf("%s: %d class names: allowed are 2..%d, background included", path, len(m.Classes), data.MaxClasses)
	}
	if key := o.ofForeign(m.Classes); key != "" {
		return nil, configs.KeyErrorf("data.options.%s is for tar files that `wsss data pack` did not write, and %s tells all of these: leave it out", key, files.Address(path))
	}
	d.classes = data.Classes{Names: m.Classes}
	n := 0
	for _, list := range m.Splits {
		for _, s := range list {
			n += len(s.IDs)
		}
	}
	d.in = make(map[string]place, n)
	for split, list := range m.Splits {
		d.splits[split] = []string{}
		for _, s := range list {
			at, err := files.Join(root, s.File)
			if err != nil || !strings.HasSuffix(s.File, ".tar") {
				return nil, fmt.Errorf("%s: %q is no tar file of the folder", path, s.File)
			}
			if s.Bytes > 0 {
				d.bytes[at] = s.Bytes
			}
			for _, id := range s.IDs {
				if !filepath.IsLocal(id) {
					return nil, fmt.Errorf("%s: the image id %q is no path below a folder", path, id)
				}
				if _, known := d.in[id]; !known {
					d.in[id] = place{at, keyOf(id)}
				}
				d.splits[split] = append(d.splits[split], id)
			}
		}
	}
	return d, nil
}

// Name is "shards".
func (d *Dataset) Name() string { return Kind }

// Classes is the class table of the dataset that was packed.
func (d *Dataset) Classes() data.Classes { return d.classes }

// Splits lists the splits that were packed.
func (d *Dataset) Splits() []string { return slices.Sorted(maps.Keys(d.splits)) }

// IDs lists a split in the order of its files.
func (d *Dataset) IDs(split string) ([]string, error) {
	ids, ok := d.splits[split]
	if !ok {
		return nil, &data.SplitError{Split: split, Root: d.root, Allowed: d.Splits()}
	}
	return slices.Clone(ids), nil
}

// Part is data.Parted's: the tar file of an image.
func (d *Dataset) Part(id string) (file string, bytes int64, err error) {
	at, ok := d.in[id]
	if !ok {
		return "", 0, d.unknown(id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if n, known := d.bytes[at.tar]; known {
		return at.tar, n, nil
	}
	info, err := files.Stat(at.tar)
	if err != nil {
		return "", 0, err
	}
	d.bytes[at.tar] = info.Size()
	return at.tar, info.Size(), nil
}

// Together is data.Parted's.
func (d *Dataset) Together() int64 { return d.together }

func (d *Dataset) unknown(id string) error {
	return fmt.Errorf("%s: no image %q", files.Address(d.root), id)
}

// member is the path of a sample's file, that ends as told.
func (d *Dataset) member(id, end string) (string, error) {
	at, ok := d.in[id]
	if !ok {
		return "", d.unknown(id)
	}
	return memberPath(at.tar, at.key+end)
}

// photoEnds are what photos may end in.
var photoEnds = []string{".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}

// ImagePath is the photo among the members of its tar file, "" for an unknown
// id.
func (d *Dataset) ImagePath(id string) string {
	if d.foreign != nil {
		path, _ := d.member(id, d.foreign.photo[id])
		return path
	}
	for _, end := range photoEnds {
		path, err := d.member(id, end)
		if err != nil {
			return ""
		}
		if _, err := files.Stat(path); err == nil {
			return path
		}
	}
	path, _ := d.member(id, photoEnds[0]) // reading it tells
	return path
}

// Load reads the wanted parts of a sample.
func (d *Dataset) Load(id string, want data.Want) (*data.Sample, error) {
	if _, ok := d.in[id]; !ok {
		return nil, d.unknown(id)
	}
	return data.LoadParts(id, want, d.ImagePath, d.truth, d.weak)
}

// maskEnds are what true masks may end in.
func (d *Dataset) maskEnds() []string {
	if d.foreign != nil {
		return d.foreign.masks
	}
	return []string{maskEnd}
}

// mask is the path of an image's true mask, "" where it has none.
func (d *Dataset) mask(id string) (string, error) {
	for _, end := range d.maskEnds() {
		path, err := d.member(id, end)
		if err != nil {
			return "", err
		}
		if _, err = files.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
	}
	return "", nil
}

// HasTruth tells whether an image has a true mask.
func (d *Dataset) HasTruth(id string) (bool, error) {
	path, err := d.mask(id)
	return path != "", err
}

func (d *Dataset) truth(id string) (*data.LabelMap, error) {
	path, err := d.mask(id)
	if err == nil && path == "" {
		err = fmt.Errorf("%s: %w", id, data.ErrNoTruth)
	}
	if err != nil {
		return nil, err
	}
	m, err := data.ReadLabelMap(path)
	if err == nil {
		err = m.CheckRange(d.classes.Len())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// maxWeak bounds the weak labels of one image, bytes.
const maxWeak = 64 << 20

func (d *Dataset) weak(id string) (w data.WeakLabels, err error) {
	path, err := d.member(id, weakEnd)
	if err != nil {
		return w, err
	}
	raw, err := files.ReadLimited(path, maxWeak)
	if d.foreign != nil && errors.Is(err, fs.ErrNotExist) {
		return d.foreignWeak(id)
	}
	if err != nil {
		return w, err
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return w, fmt.Errorf("%s: not the weak labels of an image: %w", path, err)
	}
	for _, class := range classesOf(w) {
		if class < 0 || class >= d.classes.Len() {
			return w, fmt.Errorf("%s: class %d: allowed are 0..%d", path, class, d.classes.Len()-1)
		}
	}
	return w, nil
}

// classesOf lists the classes that weak labels name.
func classesOf(w data.WeakLabels) []int {
	list := slices.Clone(w.Tags)
	for _, p := range w.Points {
		list = append(list, p.Class)
	}
	for _, s := range w.Scribbles {
		list = append(list, s.Class)
	}
	for _, b := range w.Boxes {
		list = append(list, b.Class)
	}
	return list
}
