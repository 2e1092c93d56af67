package corrections

import (
	"errors"
	"fmt"

	"wsss/checkpoints/files"
	"wsss/data"
)

// Dataset is a data set with its corrections: weak labels are the corrected
// ones. Pixels go over label maps with Over.
type Dataset struct {
	data.Dataset
	Folder *Folder
	opts   Options
	learnt map[string]bool
}

// Options of Wrap.
type Options struct {
	// Learnt are images that networks learn from: accepted labels do not count
	// as their true masks, which would score labels by themselves.
	Learnt []string
	// TruthIsLearnt puts corrected pixels over true masks: they are what is
	// corrected.
	TruthIsLearnt bool
}

// Wrap joins a data set and its corrections.
func Wrap(ds data.Dataset, folder *Folder, o Options) *Dataset {
	d := &Dataset{Dataset: ds, Folder: folder, opts: o, learnt: make(map[string]bool, len(o.Learnt))}
	for _, id := range o.Learnt {
		d.learnt[id] = true
	}
	return d
}

// Unwrap is the data set without its corrections.
func (d *Dataset) Unwrap() data.Dataset { return d.Dataset }

// Of returns the correction of an image and its version; nil and "" where it
// has none, or the data set no corrections.
func Of(ds data.Dataset, id string) (*Correction, string, error) {
	if d, ok := ds.(*Dataset); ok {
		return d.Folder.Read(id)
	}
	return nil, "", nil
}

// VersionOf is the version that Of returns.
func VersionOf(ds data.Dataset, id string) (string, error) {
	if d, ok := ds.(*Dataset); ok {
		return d.Folder.Version(id)
	}
	return "", nil
}

// Over paints the corrected pixels of an image over its label map, in place.
func Over(ds data.Dataset, id string, m *data.LabelMap) error {
	c, _, err := Of(ds, id)
	if err != nil || c == nil {
		return err
	}
	path, err := ds.(*Dataset).Folder.Path(id)
	if err == nil {
		err = c.fits(path, m.W, m.H)
	}
	if err == nil {
		c.Paint(m)
	}
	return err
}

// Load reads the wanted parts of a sample with what is corrected of them.
func (d *Dataset) Load(id string, want data.Want) (*data.Sample, error) {
	if want&(data.WantTruth|data.WantWeak) == 0 {
		return d.Dataset.Load(id, want)
	}
	c, _, err := d.Folder.Read(id)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return d.Dataset.Load(id, want)
	}
	s, err := d.Dataset.Load(id, want)
	if errors.Is(err, data.ErrNoTruth) && c.Verdict == Accepted && (d.opts.TruthIsLearnt || !d.learnt[id]) {
		if s, err = d.Dataset.Load(id, want&^data.WantTruth); err == nil {
			s.Truth = c.Label()
		}
	} else if err == nil && s.Truth != nil && d.opts.TruthIsLearnt {
		var path string
		if path, err = d.Folder.Path(id); err == nil {
			if err = c.fits(path, s.Truth.W, s.Truth.H); err == nil {
				c.Paint(s.Truth)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if want&data.WantWeak != 0 {
		s.Weak = c.Weak(s.Weak)
	}
	return s, nil
}

// WeakSource says why there are no labels of a kind; nil where somebody drew
// some.
func (d *Dataset) WeakSource(kind data.WeakKind) error {
	err := data.CheckWeak(d.Dataset, kind)
	if err != nil && d.Folder.Any() {
		return nil
	}
	return err
}

// HasTruth tells whether a sample has a true mask.
func (d *Dataset) HasTruth(id string) (bool, error) {
	has, err := data.HasTruth(d.Dataset, id)
	if has || err != nil || d.learnt[id] && !d.opts.TruthIsLearnt {
		return has, err
	}
	c, _, err := d.Folder.Read(id)
	return c != nil && c.Verdict == Accepted, err
}

// MaskPath is the file of a true mask; "" where that is not all that it is made
// from.
func (d *Dataset) MaskPath(id string) string {
	m, ok := d.Dataset.(interface{ MaskPath(id string) string })
	if !ok {
		return ""
	}
	if v, err := d.Folder.Version(id); d.opts.TruthIsLearnt && (v != "" || err != nil) {
		return ""
	}
	return m.MaskPath(id)
}

// DirOf is the folder of a data set's corrections: as named, else
// "corrections" below its root, else, where it has none, below out. "none"
// turns corrections off.
func DirOf(named, root, out string) string {
	switch {
	case named == "none":
		return ""
	case named != "":
		return named
	case root != "":
		out = root
	}
	dir, err := files.Join(out, "corrections")
	if err != nil {
		panic(fmt.Sprintf("corrections: %v", err)) // a constant name
	}
	return dir
}
