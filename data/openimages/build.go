package openimages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
)

// Splits are the names of the official splits, as the official downloader
// spells them.
var Splits = []string{"train", "validation", "test"}

// Options say what Build selects.
type Options struct {
	Classes      string   // voc or coco
	Split        string   // train, validation or test: whose files these are
	Labels       []string // human-verified image-level label files
	Boxes        []string // box files; a box makes its label present
	Descriptions string   // class description file to check the mapping with; "" = none
	Hierarchy    string   // official hierarchy to check the mapping with; "" = none
	Images       string   // select only images that lie in this folder; "" = all
	SkipBad      bool     // leave malformed rows out instead of stopping
	Depictions   bool     // boxes of drawings and statues count
	Sampling     Sampling
	Progress     func(done, total int) // in bytes; may be nil
}

// Manifest describes a selection; it is written beside it.
type Manifest struct {
	Key       string   `json:"key"`
	Classes   string   `json:"classes"`
	Split     string   `json:"split"`
	Images    int      `json:"images"`
	Boxes     int      `json:"boxes"`
	Positive  []int    `json:"positive"` // images per class, in the order of the label values
	Negative  []int    `json:"negative"`
	Missing   int      `json:"missing"` // images that are not in the folder
	Sources   []Source `json:"sources"`
	Sampling  Sampling `json:"sampling"`
	Unchanged bool     `json:"-"` // an earlier call had written it already
}

// Bad is the number of malformed rows that were left out.
func (m Manifest) Bad() (sum int64) {
	for _, s := range m.Sources {
		sum += s.Bad
	}
	return sum
}

// The files of a selection: out/<split> followed by these.
const (
	labelsSuffix   = ".labels.csv"
	boxesSuffix    = ".boxes.csv"
	listSuffix     = ".images.txt" // for the official downloader
	manifestSuffix = ".json"
)

// Build selects images into out: <split>.labels.csv with the classes that each
// holds and was verified not to hold, <split>.boxes.csv, <split>.images.txt for
// the official downloader, and <split>.json about it all. The files appear
// whole, the manifest last. Cut short, the same call goes on from its last
// checkpoint; finished, it does nothing.
//
// A malformed row is a *RowError, or counted and named in the manifest where
// SkipBad is set.
func Build(ctx context.Context, out string, opt Options) (*Manifest, error) {
	l, err := opt.check()
	if err != nil {
		return nil, err
	}
	key, err := opt.key()
	if err != nil {
		return nil, err
	}
	manifest := filepath.Join(out, opt.Split+manifestSuffix)
	if old, err := readManifest(manifest); err == nil && old.Key == key {
		old.Unchanged = true
		return old, nil
	}
	if opt.Progress == nil {
		opt.Progress = func(int, int) {}
	}
	s := &scan{l: l, dir: filepath.Join(out, opt.Split+".scan"), skipBad: opt.SkipBad, depicted: opt.Depictions, progress: opt.Progress}
	if err := s.run(ctx, key, slices.Concat(opt.Labels, opt.Boxes)); err != nil {
		return nil, err
	}
	sel := &selection{l: l, dir: s.dir, opt: opt}
	m := &Manifest{Key: key, Classes: opt.Classes, Split: opt.Split, Sources: s.state.Sources, Sampling: opt.Sampling,
		Positive: make([]int, len(l.classes)), Negative: make([]int, len(l.classes))}
	if err := sel.write(ctx, out, m); err != nil {
		return nil, err
	}
	if err := files.WriteJSON(manifest, m); err != nil {
		return nil, err
	}
	return m, os.RemoveAll(s.dir)
}

func (o Options) check() (*labels, error) {
	if !slices.Contains(Splits, o.Split) {
		return nil, fmt.Errorf("split %q: allowed are %s", o.Split, strings.Join(Splits, ", "))
	}
	if len(o.Labels)+len(o.Boxes) == 0 {
		return nil, errors.New("no label and no box file given")
	}
	if err := o.Sampling.check(); err != nil {
		return nil, err
	}
	l, err := newLabels(o.Classes, o.Descriptions)
	if err == nil && o.Hierarchy != "" {
		err = checkHierarchy(o.Classes, o.Hierarchy)
	}
	return l, err
}

// key identifies what a call would make: the files by name, size and time, the
// mapping, and the choices.
func (o Options) key() (string, error) {
	h := sha256.New()
	for _, p := range slices.Concat(o.Labels, o.Boxes) {
		info, err := os.Stat(p)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d %d\n", filepath.Base(p), info.Size(), info.ModTime().UnixNano())
	}
	fmt.Fprintln(h, mappingCSV, namesCSV, o.Classes, o.Split, o.Images, o.SkipBad, o.Depictions, o.Sampling)
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func readManifest(path string) (*Manifest, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// selection turns buckets into files.
type selection struct {
	l   *labels
	dir string
	opt Options
}

// picture is one image with its classes.
type picture struct {
	id                 uint64
	positive, negative []int
	boxes              []boxMark
}

func (p picture) name() string { return fmt.Sprintf("%016x", p.id) }

// each visits the images of all buckets in the order of their ids, those with
// no class for or against left out.
func (s *selection) each(ctx context.Context, visit func(picture) error) error {
	there, err := bucketsIn(s.dir)
	if err != nil {
		return err
	}
	for i := range numBuckets {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !there[bucketName(markBuckets, i)] && !there[bucketName(boxBuckets, i)] {
			continue
		}
		marks, boxes, err := readBucket(s.dir, i)
		if err != nil {
			return err
		}
		said := make([]verdict, len(s.l.ids))
		for len(marks)+len(boxes) > 0 {
			var p picture
			p, marks, boxes = s.take(marks, boxes, said)
			if len(p.positive)+len(p.negative) == 0 {
				continue
			}
			if err := visit(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// take splits the first image off sorted records.
func (s *selection) take(marks []mark, boxes []boxMark, said []verdict) (picture, []mark, []boxMark) {
	clear(said)
	var p picture
	switch {
	case len(marks) == 0:
		p.id = boxes[0].image
	case len(boxes) == 0:
		p.id = marks[0].image
	default:
		p.id = min(marks[0].image, boxes[0].image)
	}
	for len(marks) > 0 && marks[0].image == p.id {
		v := absent
		if marks[0].present {
			v = present
		}
		if old := said[marks[0].label]; old != unseen && old != v {
			v = disputed
		}
		said[marks[0].label] = v
		marks = marks[1:]
	}
	n := 0
	for n < len(boxes) && boxes[n].image == p.id {
		said[boxes[n].label] = present // whoever drew a box saw the thing
		n++
	}
	p.boxes = boxes[:n]
	p.positive, p.negative = s.l.classify(said)
	return p, marks, boxes[n:]
}

// write samples and writes the files, and fills in the manifest's counts.
func (s *selection) write(ctx context.Context, out string, m *Manifest) error {
	choose := newSampler(s.opt.Sampling, len(s.l.classes))
	err := s.each(ctx, func(p picture) error {
		if s.opt.Images != "" && findImage(s.opt.Images, s.opt.Split, p.name()) == "" {
			m.Missing++
			return nil
		}
		choose.see(p)
		return nil
	})
	if err != nil {
		return err
	}
	base := filepath.Join(out, s.opt.Split)
	return files.WriteAtomic(base+labelsSuffix, func(labels io.Writer) error {
		return files.WriteAtomic(base+boxesSuffix, func(boxes io.Writer) error {
			return files.WriteAtomic(base+listSuffix, func(list io.Writer) error {
				fmt.Fprintln(labels, "ImageID,Positive,Negative")
				fmt.Fprintln(boxes, "ImageID,Class,XMin,YMin,XMax,YMax,IsGroupOf,IsDepiction")
				return s.each(ctx, func(p picture) error {
					if !choose.takes(p) || s.opt.Images != "" && findImage(s.opt.Images, s.opt.Split, p.name()) == "" {
						return nil
					}
					m.Images++
					for _, c := range p.positive {
						m.Positive[c-1]++
					}
					for _, c := range p.negative {
						m.Negative[c-1]++
					}
					m.Boxes += s.boxes(boxes, p)
					fmt.Fprintf(list, "%s/%s\n", s.opt.Split, p.name())
					_, err := fmt.Fprintf(labels, "%s,%s,%s\n", p.name(), s.names(p.positive), s.names(p.negative))
					return err
				})
			})
		})
	})
}

// boxes writes the boxes of labels that mean a class.
func (s *selection) boxes(w io.Writer, p picture) (n int) {
	for _, b := range p.boxes {
		for c, class := range s.l.classes {
			if !slices.Contains(s.l.is[c], int(b.label)) && !slices.Contains(s.l.also[c], int(b.label)) {
				continue
			}
			fmt.Fprintf(w, "%s,%s,%g,%g,%g,%g,%d,%d\n", p.name(), class.Name, b.x0, b.y0, b.x1, b.y1, bit(b.flags, flagGroup), bit(b.flags, flagDepict))
			n++
		}
	}
	return n
}

func bit(flags, mask uint8) int {
	if flags&mask != 0 {
		return 1
	}
	return 0
}

// names joins class names by semicolons; no class name holds one.
func (s *selection) names(classes []int) string {
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = s.l.classes[c-1].Name
	}
	return strings.Join(names, ";")
}

// findImage is where an image lies in a folder: in a folder of the split's
// name, as the official archives unpack, or at the top, as the official
// downloader writes; "" where it is not.
func findImage(folder, split, id string) string {
	for _, path := range []string{filepath.Join(folder, id+".jpg"), filepath.Join(folder, split, id+".jpg")} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}
