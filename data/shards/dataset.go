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

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
)

// Kind is the dataset's name in a config: data.kind = "shards".
const Kind = "shards"

func init() {
	data.Register(Kind, func(o data.Options) (data.Dataset, error) {
		var none struct{}
		if err := configs.Decode("data.options", o.Extra, &none); err != nil {
			return nil, err
		}
		return Open(o.Root)
	})
}

// Dataset is a packed dataset. It implements data.Dataset.
type Dataset struct {
	root    string
	classes data.Classes
	splits  map[string][]string
	in      map[string]string // id → its tar file
}

// Open reads the manifest of a packed dataset. Tar files are opened when they
// are read.
func Open(root string) (*Dataset, error) {
	path := filepath.Join(root, ManifestName)
	raw, err := files.ReadLimited(path, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: `wsss data pack` writes it", err)
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
	d := &Dataset{root: root, classes: data.Classes{Names: m.Classes}, splits: map[string][]string{}, in: map[string]string{}}
	for split, list := range m.Splits {
		d.splits[split] = []string{}
		for _, s := range list {
			at, err := files.Join(root, s.File)
			if err != nil || !strings.HasSuffix(s.File, ".tar") {
				return nil, fmt.Errorf("%s: %q is no tar file of the folder", path, s.File)
			}
			for _, id := range s.IDs {
				if !filepath.IsLocal(id) {
					return nil, fmt.Errorf("%s: the image id %q is no path below a folder", path, id)
				}
				if d.in[id] == "" {
					d.in[id] = at
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
		return nil, fmt.Errorf("%s: split %q is unknown: allowed are %s", d.root, split, strings.Join(d.Splits(), ", "))
	}
	return slices.Clone(ids), nil
}

// member is the path of a sample's file.
func (d *Dataset) member(id, end string) (string, error) {
	at := d.in[id]
	if at == "" {
		return "", fmt.Errorf("%s: no image %q", d.root, id)
	}
	return memberPath(at, keyOf(id)+end)
}

// photoEnds are what photos may end in.
var photoEnds = []string{".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}

// ImagePath is the photo among the members of its tar file, "" for an unknown
// id.
func (d *Dataset) ImagePath(id string) string {
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
	if d.in[id] == "" {
		return nil, fmt.Errorf("%s: no image %q", d.root, id)
	}
	s := &data.Sample{ID: id}
	var err error
	if want&data.WantImage != 0 {
		if s.Image, err = data.ReadImage(d.ImagePath(id)); err != nil {
			return nil, err
		}
	}
	if want&data.WantTruth != 0 {
		if s.Truth, err = d.truth(id); err != nil {
			return nil, err
		}
	}
	if want&data.WantWeak != 0 {
		s.Weak, err = d.weak(id)
	}
	return s, err
}

func (d *Dataset) truth(id string) (*data.LabelMap, error) {
	path, err := d.member(id, maskEnd)
	if err != nil {
		return nil, err
	}
	if _, err := files.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", id, data.ErrNoTruth)
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
