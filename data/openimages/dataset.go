package openimages

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
)

func init() {
	data.Register("openimages", func(o data.Options) (data.Dataset, error) {
		var cfg Config
		if err := configs.Decode("data.options", o.Extra, &cfg); err != nil {
			return nil, err
		}
		return Open(o.Root, cfg)
	})
}

// Config are the keys of [data.options] for kind "openimages".
type Config struct {
	Images  string `toml:"images"`  // folder of the image files; "" = images below the root
	Missing string `toml:"missing"` // images that are not there: "skip" (the default) or "error"
}

// Dataset is a selection that Build wrote. Weak labels are tags and, where the
// selection has boxes, boxes; there are no masks.
type Dataset struct {
	root    string
	images  string
	classes data.Classes
	splits  []string
	ids     map[string][]string
	entries map[string]entry
	boxes   map[string]string // split → box file
}

// entry is one image: its classes as bits, class c at bit c−1.
type entry struct {
	split              string
	positive, negative [2]uint64
	boxes              int64 // offset of its first box; −1 for none
}

// Open opens a folder of selections. It keeps some 150 bytes per image, and
// none of the boxes.
func Open(root string, cfg Config) (*Dataset, error) {
	if err := files.Local("data.root", root, "Open Images is read through an index of its tables"); err != nil {
		return nil, err
	}
	d := &Dataset{root: root, images: cfg.Images, ids: map[string][]string{}, entries: map[string]entry{}, boxes: map[string]string{}}
	if d.images == "" {
		d.images = filepath.Join(root, "images")
	}
	if !slices.Contains([]string{"", "skip", "error"}, cfg.Missing) {
		return nil, configs.KeyErrorf("data.options.missing = %q: allowed are skip, error", cfg.Missing)
	}
	kind := ""
	for _, split := range Splits {
		m, err := readManifest(filepath.Join(root, split+manifestSuffix))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if kind != "" && kind != m.Classes {
			return nil, fmt.Errorf("split %s has the classes of %s, another split those of %s", split, m.Classes, kind)
		}
		kind = m.Classes
		if err := d.read(root, split, kind, cfg.Missing != "error"); err != nil {
			return nil, err
		}
	}
	if kind == "" {
		return nil, errors.New("no selection here: make one with `wsss data openimages`")
	}
	return d, nil
}

// read reads the label file of a split and finds each image's boxes.
func (d *Dataset) read(root, split, kind string, skip bool) error {
	classes, err := Classes(kind)
	if err != nil {
		return err
	}
	d.classes.Names = []string{"background"}
	for _, c := range classes {
		d.classes.Names = append(d.classes.Names, c.Name)
	}
	offsets, err := boxOffsets(filepath.Join(root, split+boxesSuffix))
	if err != nil {
		return err
	}
	path := filepath.Join(root, split+labelsSuffix)
	err = eachRow(path, 3, func(f [][]byte, _ int64) error {
		id := string(f[0])
		if _, err := imageID(f[0]); err != nil {
			return err
		}
		e := entry{split: split, boxes: -1}
		if at, ok := offsets[id]; ok {
			e.boxes = at
		}
		for k, bits := range []*[2]uint64{&e.positive, &e.negative} {
			for _, name := range list(string(f[1+k])) {
				c := d.classes.Index(name)
				if c < 1 {
					return fmt.Errorf("class %q: not one of %s", name, kind)
				}
				bits[(c-1)/64] |= 1 << ((c - 1) % 64)
			}
		}
		if _, twice := d.entries[id]; twice {
			return fmt.Errorf("image %s appears twice", id)
		}
		if findImage(d.images, split, id) == "" {
			if skip {
				return nil
			}
			return fmt.Errorf("image %s is not in %s: download the images of %s%s, or set data.options.missing = \"skip\"", id, d.images, split, listSuffix)
		}
		d.entries[id] = e
		d.ids[split] = append(d.ids[split], id)
		return nil
	})
	if err != nil {
		return err
	}
	if len(d.ids[split]) == 0 {
		return fmt.Errorf("no image of split %s is in %s: download the images of %s%s", split, d.images, split, listSuffix)
	}
	d.splits = append(d.splits, split)
	d.boxes[split] = filepath.Join(root, split+boxesSuffix)
	return nil
}

// eachRow visits the rows after the header of a file that Build wrote.
func eachRow(path string, fields int, visit func(f [][]byte, offset int64) error) error {
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := newRows(f)
	for {
		at := r.offset
		row, bad, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if bad == nil && len(row) != fields {
			bad = fmt.Errorf("%d fields: want %d", len(row), fields)
		}
		if bad == nil && at > 0 {
			bad = visit(row, at)
		}
		if bad != nil {
			return &RowError{path, r.line, bad}
		}
	}
}

const boxFields = 8

// boxOffsets finds where each image's boxes begin.
func boxOffsets(path string) (map[string]int64, error) {
	offsets := map[string]int64{}
	var last []byte
	err := eachRow(path, boxFields, func(f [][]byte, at int64) error {
		if !bytes.Equal(last, f[0]) {
			last = append(last[:0], f[0]...)
			offsets[string(last)] = at
		}
		return nil
	})
	return offsets, err
}

// Name is "openimages".
func (d *Dataset) Name() string { return "openimages" }

// Classes are those of VOC or COCO, background first.
func (d *Dataset) Classes() data.Classes { return d.classes }

// Splits lists the selections found.
func (d *Dataset) Splits() []string { return d.splits }

// IDs lists the images of a split, by id.
func (d *Dataset) IDs(split string) ([]string, error) {
	if ids, ok := d.ids[split]; ok {
		return ids, nil
	}
	return nil, &data.SplitError{Split: split, Root: d.root, Allowed: d.splits}
}

// ImagePath is where the image file of a sample lies.
func (d *Dataset) ImagePath(id string) string { return findImage(d.images, d.entries[id].split, id) }

// Labels returns the classes that an image holds and the classes it was
// verified not to hold, ascending. Nothing is known of the others.
func (d *Dataset) Labels(id string) (positive, negative []int, err error) {
	e, ok := d.entries[id]
	if !ok {
		return nil, nil, fmt.Errorf("image %q is not in the selection", id)
	}
	return bits(e.positive), bits(e.negative), nil
}

func bits(b [2]uint64) []int {
	set := []int{}
	for c := range 128 {
		if b[c/64]>>(c%64)&1 == 1 {
			set = append(set, c+1)
		}
	}
	return set
}

// WeakSource tells which weak labels there are.
func (d *Dataset) WeakSource(kind data.WeakKind) error {
	if kind == data.WeakPoints || kind == data.WeakScribbles {
		return fmt.Errorf("kind openimages has tags and boxes, no %s", kind)
	}
	return nil
}

// Load reads the wanted parts of a sample.
func (d *Dataset) Load(id string, want data.Want) (*data.Sample, error) {
	e, ok := d.entries[id]
	if !ok {
		return nil, fmt.Errorf("image %q is not in the selection", id)
	}
	if want&data.WantTruth != 0 {
		return nil, fmt.Errorf("%s: %w", id, data.ErrNoTruth)
	}
	s := &data.Sample{ID: id}
	// Boxes are fractions of the sides, so the image is needed for them.
	if want&data.WantImage != 0 || want&data.WantWeak != 0 && e.boxes >= 0 {
		img, err := data.ReadImage(d.ImagePath(id))
		if err != nil {
			return nil, err
		}
		s.Image = img
	}
	if want&data.WantWeak != 0 {
		s.Weak.Tags = bits(e.positive)
		if e.boxes >= 0 {
			var err error
			if s.Weak.Boxes, err = d.readBoxes(id, e, s.Image.Rect.Dx(), s.Image.Rect.Dy()); err != nil {
				return nil, err
			}
		}
	}
	if want&data.WantImage == 0 {
		s.Image = nil
	}
	return s, nil
}

// readBoxes reads the rows of one image.
func (d *Dataset) readBoxes(id string, e entry, w, h int) ([]data.Box, error) {
	path := d.boxes[e.split]
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(e.boxes, io.SeekStart); err != nil {
		return nil, err
	}
	var boxes []data.Box
	r := newRows(f)
	for {
		row, bad, err := r.next()
		if errors.Is(err, io.EOF) || err == nil && bad == nil && string(row[0]) != id {
			return boxes, nil
		}
		if err = errors.Join(err, bad); err != nil {
			return nil, fmt.Errorf("%s: boxes of %s: %w", path, id, err)
		}
		b, err := d.box(row, float32(w), float32(h))
		if err != nil {
			return nil, fmt.Errorf("%s: boxes of %s: %w", path, id, err)
		}
		boxes = append(boxes, b)
	}
}

func (d *Dataset) box(row [][]byte, w, h float32) (data.Box, error) {
	b := data.Box{Class: d.classes.Index(string(row[1]))}
	if b.Class < 1 || len(row) != boxFields {
		return b, fmt.Errorf("row %q is not of this selection", clip(bytes.Join(row, []byte(","))))
	}
	for i, v := range []*float32{&b.X0, &b.Y0, &b.X1, &b.Y1} {
		x, err := unit("corner", row[2+i])
		if err != nil {
			return b, err
		}
		*v = float32(x) * []float32{w, h}[i%2]
	}
	b.Crowd = string(row[6]) == "1"
	return b, nil
}
