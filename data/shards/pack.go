// Package shards keeps a dataset in a few large tar files instead of many small
// ones, in the layout of WebDataset: a sample's files follow each other, and
// their names are equal up to the first dot.
//
//	DIR/train-000000.tar        a/b.jpg         the photo, its bytes as they are
//	                            a/b.mask.png    the true mask, where there is one
//	                            a/b.weak.json   tags, points, scribbles, boxes
//	                            a/b.label.png   the pseudo-label, where one was asked for
//	                            a/b.label.json  and its sidecar
//	DIR/train-000000.tar.idx    where each file lies, for random access
//	DIR/shards.json             classes and splits
//
// Dots of an id are written %2E, and % as %25.
package shards

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
)

// ManifestName is the file that makes a folder of tar files a dataset.
const ManifestName = "shards.json"

// manifest is shards.json.
type manifest struct {
	From    string             `json:"from"` // the name of the dataset that was packed
	Classes []string           `json:"classes"`
	Splits  map[string][]shard `json:"splits"`
}

// shard is one tar file of a split.
type shard struct {
	File  string   `json:"file"`
	Bytes int64    `json:"bytes,omitempty"`
	IDs   []string `json:"ids"`
}

// PackOptions say what Pack writes.
type PackOptions struct {
	Dataset data.Dataset
	Splits  []string
	Out     string
	Labels  string // folder of pseudo-labels that go with it, "" for none
	Size    int64  // bytes after which another tar file begins; 0 = 256 MiB
	// Progress is called after each image; may be nil.
	Progress func(done, total int)
}

// Pack writes splits of a dataset as tar files. Their bytes depend on the data
// alone. The manifest comes last, so that a stopped call leaves no dataset.
func Pack(ctx context.Context, o PackOptions) (tars int, err error) {
	if o.Size <= 0 {
		o.Size = 256 << 20
	}
	if files.Exists(filepath.Join(o.Out, ManifestName)) {
		return 0, fmt.Errorf("%s: there is a packed dataset already: choose another folder", filepath.Join(o.Out, ManifestName))
	}
	m := manifest{From: o.Dataset.Name(), Classes: o.Dataset.Classes().Names, Splits: map[string][]shard{}}
	total, done, labelled := 0, 0, false
	for _, split := range o.Splits {
		ids, err := o.Dataset.IDs(split)
		if err != nil {
			return 0, err
		}
		total += len(ids)
		labelled = labelled || slices.ContainsFunc(ids, o.hasLabel)
	}
	if o.Labels != "" && !labelled {
		return 0, fmt.Errorf("%s has no label map of the images, %d in all: they are called after the images, as `wsss gen` writes them", files.Address(o.Labels), total)
	}
	for _, split := range o.Splits {
		if filepath.Base(split) != split || split == "." || split == ".." {
			return tars, fmt.Errorf("split %q: its name is no file name", split)
		}
		ids, err := o.Dataset.IDs(split)
		if err != nil {
			return tars, err
		}
		m.Splits[split] = []shard{}
		in := &samples{PackOptions: o, ids: ids}
		for in.left() > 0 {
			name := fmt.Sprintf("%s-%06d.tar", split, len(m.Splits[split]))
			n, bytes, err := o.packOne(ctx, filepath.Join(o.Out, name), in, func() {
				if done++; o.Progress != nil {
					o.Progress(done, total)
				}
			})
			if err != nil {
				return tars, err
			}
			m.Splits[split] = append(m.Splits[split], shard{name, bytes, ids[:n]})
			ids = ids[n:]
			tars++
		}
	}
	return tars, files.WriteJSON(filepath.Join(o.Out, ManifestName), m)
}

// packOne writes one tar file of the next samples, and its index; it returns how
// many are in it, and its size.
func (o PackOptions) packOne(ctx context.Context, path string, in *samples, step func()) (n int, bytes int64, err error) {
	x := index{}
	err = files.WriteAtomic(path, func(w io.Writer) error {
		out := &counting{w: w}
		t := tar.NewWriter(out)
		for in.left() > 0 && (n == 0 || out.n < o.Size) {
			members, err := in.next(ctx)
			if err != nil {
				return err
			}
			for _, m := range members {
				if err := t.WriteHeader(&tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.raw)), Typeflag: tar.TypeReg}); err != nil {
					return err
				}
				x.Entries = append(x.Entries, entry{m.name, out.n, int64(len(m.raw))})
				if _, err := t.Write(m.raw); err != nil {
					return err
				}
			}
			n++
			step()
		}
		err := t.Close()
		x.Bytes = out.n
		return err
	})
	if err != nil {
		return n, 0, err
	}
	return n, x.Bytes, files.WriteJSON(path+indexSuffix, x)
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

type member struct {
	name string
	raw  []byte
}

// samples gives the files of images in their order. It reads a few images at a time.
type samples struct {
	PackOptions
	ids   []string // of those that are not read yet
	ready [][]member
}

// together is how many images are read at a time.
const together = 16

// left is how many images have not been given yet.
func (s *samples) left() int { return len(s.ready) + len(s.ids) }

func (s *samples) next(ctx context.Context) ([]member, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(s.ready) == 0 {
		s.ready = make([][]member, min(together, len(s.ids)))
		err := data.Parallel(ctx, len(s.ready), nil, func(i int) (err error) {
			if s.ready[i], err = s.sample(s.ids[i]); err != nil {
				return fmt.Errorf("%s: %w", s.ids[i], err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		s.ids = s.ids[len(s.ready):]
	}
	first := s.ready[0]
	s.ready = s.ready[1:]
	return first, nil
}

// sample gives the files of an image.
func (o PackOptions) sample(id string) ([]member, error) {
	path := o.Dataset.ImagePath(id)
	photo, err := files.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key := keyOf(id)
	list := []member{{key + strings.ToLower(filepath.Ext(path)), photo}}
	s, err := o.Dataset.Load(id, data.WantTruth|data.WantWeak)
	if errors.Is(err, data.ErrNoTruth) {
		s, err = o.Dataset.Load(id, data.WantWeak)
	}
	if err != nil {
		return nil, err
	}
	if s.Truth != nil {
		var buf bytes.Buffer
		if err := data.EncodeLabelMap(&buf, s.Truth); err != nil {
			return nil, err
		}
		list = append(list, member{key + maskEnd, buf.Bytes()})
	}
	weak, err := json.Marshal(s.Weak)
	if err != nil {
		return nil, err
	}
	list = append(list, member{key + weakEnd, weak})
	if o.Labels == "" {
		return list, nil
	}
	for _, end := range []string{".png", ".json"} {
		from, err := files.Join(o.Labels, id+end)
		if err != nil {
			return nil, err
		}
		raw, err := files.ReadFile(from)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, member{key + labelEnd + end, raw})
	}
	return list, nil
}

const (
	maskEnd  = ".mask.png"
	weakEnd  = ".weak.json"
	labelEnd = ".label"
)

// keyOf is an id without dots, as what stands behind the first one is the kind
// of a file.
func keyOf(id string) string { return dots.Replace(id) }

var dots = strings.NewReplacer("%", "%25", ".", "%2E") // made once: a dataset has millions of ids

// hasLabel tells whether a pseudo-label of an image goes with it.
func (o PackOptions) hasLabel(id string) bool {
	path, err := files.Join(o.Labels, id+".png")
	return o.Labels != "" && err == nil && files.Exists(path)
}
