package folder

import (
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/annotation"
)

// OpenPhotos is a dataset of photos that lie anywhere, by their ids, with the
// labels of a file, or of a folder, elsewhere: in any format that Open reads.
// Labels of other photos are left out. Without labels only the classes are
// known, which opts.Names gives. There are no masks and no splits but "all".
// Of opts only Names, Format and Encoding count.
func OpenPhotos(photos map[string]string, labels string, opts Options) (*Dataset, error) {
	d := &Dataset{images: photos, labels: map[string]*data.WeakLabels{}}
	d.splits = map[string][]string{SplitAll: idsOf(photos)}
	d.aliases = sync.OnceValue(d.findAliases)
	opts = Options{Names: opts.Names, Format: opts.Format, Encoding: opts.Encoding, SkipUnknown: true}
	var err error
	if labels == "" {
		d.classes, err = CheckClasses(opts.Names)
		return d, err
	}
	info, err := files.Stat(labels)
	if err != nil {
		return nil, err
	}
	d.root = labels
	if !info.IsDir() {
		d.root = filepath.Dir(labels)
		if !slices.Contains([]string{".yaml", ".yml", ".data", ".names"}, strings.ToLower(filepath.Ext(labels))) { // YOLO's, which speak of the files below
			opts.Labels, d.flat = []string{filepath.Base(labels)}, true
		}
	}
	d.imageDir = d.root
	if d.notes, err = d.readAnnotations(opts); err != nil {
		return nil, err
	}
	if d.classes, err = d.readClasses(opts); err != nil {
		return nil, err
	}
	if d.notes != nil {
		d.labels, err = d.annotatedLabels()
		return d, err
	}
	return d, d.readLabels(opts)
}

// source lists the files that annotations may be in.
func (d *Dataset) source() (*annotation.Source, error) {
	if d.flat {
		return annotation.NewFlatSource(d.root, d.images)
	}
	return annotation.NewSource(d.root, d.images)
}
