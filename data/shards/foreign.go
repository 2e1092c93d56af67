package shards

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/data/folder"
)

// foreign is what is known of tar files that others wrote, in WebDataset's
// layout: img2dataset's (.jpg, .txt, .json), tables of classes (.cls), and what
// packs photos with masks.
type foreign struct {
	photo map[string]string // image → what its photo's name ends in
	masks []string          // what those of true masks may end in
	first int               // the class that 0 means
	tags  bool              // there are some …
	weak  bool              // … and labels as `wsss data pack` writes them
}

// foreignMasks are what true masks of others end in.
var foreignMasks = []string{maskEnd, ".seg.png", ".label.png", ".segmentation.png"}

// compressed are names of tar files that cannot be read at random.
var compressed = []string{".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz"}

// openForeign lists the samples of the tar files below the root: those of the
// root by their names without numbers (train-000000.tar is of split train, 00000.tar
// of split all), and those of folders by the names of these.
func (d *Dataset) openForeign(o Options) error {
	tars, err := d.findTars()
	if err != nil {
		return err
	}
	d.foreign = &foreign{photo: map[string]string{}, masks: foreignMasks, first: 1}
	if o.First != nil {
		d.foreign.first = *o.First
	}
	if o.Masks != "" {
		d.foreign.masks = []string{dotted(o.Masks)}
	}
	if err := d.readNames(o.Names); err != nil {
		return err
	}
	if f := d.foreign.first; f < 0 || f >= d.classes.Len() {
		return configs.KeyErrorf("data.options.first_class = %d: allowed are 0..%d, the classes of the dataset", f, d.classes.Len()-1)
	}
	r := reading{Dataset: d, Options: o, seen: map[string]bool{}}
	for _, t := range tars {
		if err := r.tar(t); err != nil {
			return err
		}
	}
	if len(d.in) == 0 {
		return fmt.Errorf("%s: no photo in %d tar files: photos end in %s, and what is there in %s; data.options.photos names another ending",
			files.Address(d.root), len(tars), strings.Join(photoEnds, ", "), strings.Join(r.ends(), ", "))
	}
	return nil
}

// named is a tar file and the split that it is of.
type named struct{ path, split string }

func (d *Dataset) findTars() ([]named, error) {
	var list []named
	for _, pattern := range []string{"*.tar", "*/*.tar"} {
		found, err := files.Glob(d.root, pattern)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			split := filepath.Base(filepath.Dir(p))
			if pattern == "*.tar" {
				if split = strings.TrimRight(strings.TrimSuffix(filepath.Base(p), ".tar"), "0123456789-_."); split == "" {
					split = "all"
				}
			}
			list = append(list, named{p, split})
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	for _, end := range compressed {
		if found, err := files.Glob(d.root, "*"+end); err == nil && len(found) > 0 {
			return nil, fmt.Errorf("%s: a compressed tar file, in which no image can be found without reading all before it: uncompress the %d of them (photos hardly grow)", files.Address(found[0]), len(found))
		}
	}
	if _, err := files.Stat(d.root); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s: neither %s, which `wsss data pack` writes, nor tar files of WebDataset's layout", files.Address(d.root), ManifestName)
}

func (d *Dataset) readNames(names []string) (err error) {
	file := filepath.Join(d.root, "classes.txt")
	if len(names) == 0 {
		c, err := folder.ReadClasses(file)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: these tar files are not of `wsss data pack` and name no classes: want data.options.names, background first, or the file %s", files.Address(d.root), filepath.Base(file))
		}
		if err != nil {
			return err
		}
		names = c.Names
	}
	if d.classes, err = folder.CheckClasses(names); err != nil {
		return configs.KeyErrorf("data.options.names: %w", err)
	}
	return nil
}

func dotted(end string) string { return "." + strings.TrimLeft(end, ".") }

// reading is the listing of tar files.
type reading struct {
	*Dataset
	Options
	seen map[string]bool // ends of files
}

func (r *reading) ends() []string {
	list := slices.Sorted(maps.Keys(r.seen))
	return list[:min(len(list), 20)]
}

// maxKinds bounds what is remembered of foreign names.
const maxKinds = 1000

// tar lists the samples of a tar file in its order.
func (r *reading) tar(t named) error {
	info, list, err := listArchive(t.path)
	if err != nil {
		return err
	}
	r.bytes[t.path] = info.Size()
	var keys []string
	ends := map[string][]string{}
	for _, e := range list {
		key, end := split(e.Name)
		if key == "" || !filepath.IsLocal(key) {
			if path.IsAbs(e.Name) || key != "" {
				return fmt.Errorf("%s: the member %q leaves its folder", files.Address(t.path), e.Name)
			}
			continue // hidden files, as of macOS
		}
		if _, known := ends[key]; !known {
			keys = append(keys, key)
		}
		if slices.Contains(ends[key], end) {
			return fmt.Errorf("%s: two members are called %q", files.Address(t.path), e.Name)
		}
		ends[key] = append(ends[key], end)
		if len(r.seen) < maxKinds {
			r.seen[end] = true
		}
	}
	for _, key := range keys {
		photo, err := r.photoOf(ends[key])
		if err != nil {
			if r.Dropped {
				continue
			}
			return fmt.Errorf("%s: sample %q %w; data.options.skip_bad = true leaves such samples out", files.Address(t.path), key, err)
		}
		id := key
		if _, known := r.in[id]; known { // keys that each tar file counts anew
			id = strings.TrimSuffix(filepath.Base(t.path), ".tar") + "/" + key
			if _, known := r.in[id]; known {
				id = t.split + "/" + id
			}
			if _, known := r.in[id]; known {
				return fmt.Errorf("%s: sample %q occurs three times in the dataset", files.Address(t.path), key)
			}
		}
		r.in[id] = place{t.path, key}
		r.foreign.photo[id] = photo
		r.foreign.weak = r.foreign.weak || slices.Contains(ends[key], weakEnd)
		r.foreign.tags = r.foreign.tags || slices.ContainsFunc(ends[key], func(end string) bool { return slices.Contains(tagEnds, end) })
		r.splits[t.split] = append(r.splits[t.split], id)
	}
	return nil
}

// split takes a member's name apart as WebDataset does: its key ends at the first
// dot behind the last slash.
func split(name string) (key, end string) {
	dir, base := path.Split(name)
	at := strings.IndexByte(base, '.')
	if at <= 0 {
		return "", ""
	}
	return dir + base[:at], base[at:]
}

// photoOf tells which of a sample's files is its photo.
func (r *reading) photoOf(ends []string) (string, error) {
	var photos []string
	for _, end := range ends {
		lower := strings.ToLower(end)
		switch {
		case r.Photos != "":
			if lower == strings.ToLower(dotted(r.Photos)) {
				photos = append(photos, end)
			}
		case slices.Contains(photoEnds, lower) && !slices.Contains(r.foreign.masks, end):
			photos = append(photos, end)
		}
	}
	switch {
	case len(photos) == 1:
		return photos[0], nil
	case len(photos) > 1:
		return "", fmt.Errorf("has %d photos, %s: data.options.photos names what is the photo, and data.options.masks what is the true mask", len(photos), strings.Join(photos, ", "))
	}
	return "", fmt.Errorf("has no photo: its files end in %s, where a name's ending begins at its first dot", strings.Join(ends[:min(len(ends), 10)], ", "))
}

// tagEnds are of the files that tell which classes an image shows, the first that
// does counts.
var tagEnds = []string{".cls", ".json", ".txt"}

// WeakSource tells why there are no labels of a kind.
func (d *Dataset) WeakSource(kind data.WeakKind) error {
	if d.foreign == nil || kind == data.WeakNone || d.foreign.weak || d.foreign.tags && kind == data.WeakTags {
		return nil
	}
	if kind == data.WeakTags {
		return errors.New("no sample has a file .cls, .txt or .json, which hold tags, nor a .weak.json")
	}
	return fmt.Errorf("WebDataset has no form for %s: label the photos in a folder, then `wsss data pack`", kind)
}

// foreignWeak reads an image's tags from the first of its files that tells some:
// .cls, a number or name; .json, keys such as label; .txt, where it is a class's name
// and no caption.
func (d *Dataset) foreignWeak(id string) (w data.WeakLabels, err error) {
	for _, end := range tagEnds {
		path, err := d.member(id, end)
		if err != nil {
			return w, err
		}
		raw, err := files.ReadLimited(path, 1<<20)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return w, err
		}
		if w.Tags, err = d.tagsOf(end, raw); err != nil {
			return w, fmt.Errorf("%s: %w", path, err)
		}
		if w.Tags != nil {
			return w, nil
		}
	}
	return w, nil
}

// tagKeys are of .json files.
var tagKeys = []string{"tags", "labels", "classes", "label", "class", "cls", "category"}

func (d *Dataset) tagsOf(end string, raw []byte) ([]int, error) {
	var values []any
	switch end {
	case ".json":
		var m map[string]any
		if json.Unmarshal(raw, &m) != nil {
			return nil, errors.New("not a JSON object")
		}
		for _, key := range tagKeys {
			v, ok := m[key]
			if list, is := v.([]any); is {
				values = list
			} else if ok && v != nil {
				values = []any{v}
			}
			if ok {
				break
			}
		}
	case ".cls":
		values = []any{strings.TrimSpace(string(raw))}
	default:
		text := strings.TrimSpace(string(raw))
		if d.classes.Index(text) < 0 {
			return nil, nil // a caption
		}
		values = []any{text}
	}
	if values == nil {
		return nil, nil
	}
	tags := []int{}
	for _, v := range values {
		class, err := d.classOf(v)
		if err != nil {
			return nil, err
		}
		if class > 0 && !slices.Contains(tags, class) {
			tags = append(tags, class)
		}
	}
	slices.Sort(tags)
	return tags, nil
}

// classOf is the class that a number, counted from the first class, or a name
// means.
func (d *Dataset) classOf(v any) (int, error) {
	var n int
	switch v := v.(type) {
	case float64:
		n = int(v)
		if float64(n) != v {
			return 0, fmt.Errorf("class %v: allowed are whole numbers and names", v)
		}
	case string:
		if class := d.classes.Index(v); class >= 0 {
			return class, nil
		}
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			return 0, fmt.Errorf("class %.60q is unknown: allowed are the names of data.options.names, and numbers", v)
		}
	default:
		return 0, fmt.Errorf("class %.60v: allowed are numbers and names", v)
	}
	class := n + d.foreign.first
	if n < 0 || class < 0 || class >= d.classes.Len() {
		return 0, fmt.Errorf("class number %d: allowed are 0..%d, where 0 is %q (data.options.first_class = %d)", n, d.classes.Len()-1-d.foreign.first, d.classes.Name(d.foreign.first), d.foreign.first)
	}
	return class, nil
}
