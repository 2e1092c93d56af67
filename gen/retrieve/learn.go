package retrieve

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/corrections"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/models/foundation/features"
	"wsss/models/nearest"
)

// region is one before it is in a bank.
type region struct {
	class, area int
	confirmed   bool
	half        []uint16
}

// Learn builds the bank from all photos of the split, or takes up what is as it
// was: regions of photos whose labels, corrections and pixels have not changed
// stay.
func (m *method) Learn(ctx context.Context, from gen.Lesson) error {
	for _, p := range m.proposals {
		if err := p.Learn(ctx, from); err != nil {
			return err
		}
	}
	if m.from == nil {
		return nil // the bank is a file
	}
	if err := m.from.Learn(ctx, from); err != nil {
		return err
	}
	path, settings := m.opts.Bank, m.settings()
	if path == "" {
		path = filepath.Join(from.Dir, "retrieve-"+settings[:8]+".safetensors")
	}
	old, err := readBank(path, m.net.Key(), m.env.Classes.Names)
	switch {
	case err != nil && m.opts.Bank == "" || errors.Is(err, os.ErrNotExist):
		old = nil // none, damaged, or one of other settings under the same name
	case err != nil:
		return err
	}
	b, allowed, err := m.study(ctx, from, settings, old)
	if err != nil {
		return err
	}
	if b != old {
		if err := b.clean(ctx, m.opts, allowed); err != nil {
			return err
		}
	}
	if lack := b.lacks(union(allowed)); len(lack) > 0 && m.opts.Empty == emptyError {
		return fmt.Errorf("no region of %s got into the bank, though photos are labelled with it: look at the labels of gen.options.from, lower min_area (%d pixels) or erode, or set gen.options.empty = \"allow\"", names(b.names, lack), m.opts.MinArea)
	}
	if b != old {
		if err := writeBank(path, b); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.bank, m.path, m.built = b, path, true
	m.mu.Unlock()
	return nil
}

// settings identifies all options that regions depend on.
func (m *method) settings() string {
	o := m.opts
	raw, err := json.Marshal([]any{version, "cleaned by tags", m.net.Key(), o.From, m.from.Weights(), o.Regions, o.MinArea, o.Erode, o.ErodeLess, o.Pool,
		o.Clean, o.Agree, o.Drop, o.K, o.Vote, o.Temperature, m.env.Weak, m.env.Seed, m.env.Classes.Names})
	if err != nil {
		panic(err) // numbers, strings and tables of them
	}
	return files.SHA256Of(raw)
}

// union are the classes that any photo is labelled with.
func union(allowed map[string][]int) map[int]bool {
	all := map[int]bool{}
	for _, list := range allowed {
		for _, c := range list {
			all[c] = true
		}
	}
	return all
}

// study gathers the regions of all photos, and the classes that each is labelled
// with, nil where it is not. It returns old where nothing differs.
func (m *method) study(ctx context.Context, from gen.Lesson, settings string, old *bank) (*bank, map[string][]int, error) {
	ids := slices.Compact(slices.Sorted(slices.Values(from.IDs)))
	photos, regions, same := make([]*photo, len(ids)), make([][]region, len(ids)), make([]int, len(ids))
	tags := make([][]int, len(ids))
	err := data.Parallel(ctx, len(ids), from.Progress, func(i int) error {
		p, key, classes, err := m.photoKey(from.Dataset, ids[i], settings)
		if err != nil {
			return fmt.Errorf("%s: %w", ids[i], err)
		}
		tags[i] = classes
		if same[i] = old.find(key); same[i] >= 0 {
			photos[i] = &old.photos[same[i]]
			return nil
		}
		p.Key = key
		if regions[i], err = m.look(ctx, from.Dataset, &p); errors.Is(err, gen.ErrUnlabelled) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", ids[i], err)
		}
		photos[i] = &p
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	allowed := map[string][]int{}
	for i, list := range tags {
		allowed[ids[i]] = list
	}
	if old != nil && old.holds(photos) {
		return old, allowed, nil
	}
	b, err := m.gather(photos, regions, same, old)
	return b, allowed, err
}

// photoKey identifies all that the regions of a photo depend on, and gives the
// classes that it is labelled with.
func (m *method) photoKey(ds data.Dataset, id, settings string) (p photo, key string, classes []int, err error) {
	p.ID = id
	if p.File, err = gen.PhotoHash(ds, id, files.SHA256); err != nil {
		return p, "", nil, err
	}
	parts := []any{settings, id, p.File}
	if m.env.Weak != data.WeakNone {
		s, err := ds.Load(id, data.WantWeak)
		if err != nil {
			return p, "", nil, err
		}
		parts = append(parts, s.Weak)
		if classes, err = m.classesOf(s); err != nil && !errors.Is(err, gen.ErrUnlabelled) {
			return p, "", nil, err
		}
	}
	version, err := corrections.VersionOf(ds, id)
	if err != nil {
		return p, "", nil, err
	}
	paths, err := m.from.InputFiles(id)
	if err != nil {
		return p, "", nil, err
	}
	for _, path := range paths {
		sum, err := files.SHA256(path)
		if err != nil {
			sum = "none" // a folder, or a file that is missing: reading it says so
		}
		parts = append(parts, sum)
	}
	raw, err := json.Marshal(append(parts, version))
	return p, files.SHA256Of(raw), classes, err
}

// find is the photo of a key, -1 where there is none.
func (b *bank) find(key string) int {
	if b == nil {
		return -1
	}
	if i, ok := b.keys[key]; ok {
		return i
	}
	return -1
}

// holds tells whether the bank is of these photos and no others.
func (b *bank) holds(photos []*photo) bool {
	n := 0
	for _, p := range photos {
		if p == nil {
			continue
		}
		if n >= len(b.photos) || *p != b.photos[n] {
			return false
		}
		n++
	}
	return n == len(b.photos)
}

// look gives a photo's regions, and sets the hash of its pixels.
func (m *method) look(ctx context.Context, ds data.Dataset, p *photo) ([]region, error) {
	want := data.WantImage
	if m.env.Weak != data.WeakNone {
		want |= data.WantWeak
	}
	s, err := ds.Load(p.ID, want)
	if err != nil {
		return nil, err
	}
	img := imageproc.FromImage(s.Image)
	p.Pixels = features.PhotoHash(img)
	label, confirmed, err := m.label(ctx, ds, s)
	if err != nil {
		return nil, err
	}
	if label.Size() != s.Image.Rect.Size() {
		return nil, fmt.Errorf("its label is %d×%d pixels, the photo %d×%d", label.W, label.H, img.W, img.H)
	}
	maps, err := m.net.Maps(ctx, img)
	if err != nil {
		return nil, err
	}
	var out []region
	for _, r := range regionsOf(label, m.opts) {
		if v := maps[0].Pool(maps[0].Weights(r.bits), m.opts.Pool == poolLengths); v != nil {
			out = append(out, region{r.class, r.bits.Area(), confirmed, nearest.Pack(v)})
		}
	}
	return out, nil
}

// label is the photo's label with what a person corrected of it, and whether
// a person accepted all of it.
func (m *method) label(ctx context.Context, ds data.Dataset, s *data.Sample) (label *data.LabelMap, confirmed bool, err error) {
	c, _, err := corrections.Of(ds, s.ID)
	if err != nil {
		return nil, false, err
	}
	if !c.Empty() {
		switch c.Verdict {
		case corrections.Rejected:
			return nil, false, gen.ErrRejected
		case corrections.Accepted:
			size := s.Image.Rect.Size()
			label = data.NewLabelMap(size.X, size.Y)
			return label, true, corrections.Over(ds, s.ID, label)
		}
	}
	if label, _, err = m.from.Label(ctx, s); err != nil {
		return nil, false, err
	}
	return label, false, corrections.Over(ds, s.ID, label)
}

// gather makes a bank of the regions of photos, those of old photos as they
// were.
func (m *method) gather(photos []*photo, regions [][]region, same []int, old *bank) (*bank, error) {
	b := &bank{names: m.env.Classes.Names, network: m.net.Key()}
	was := map[int][]int{} // photo of old → its rows
	if old != nil {
		for i, r := range old.rows {
			was[r.photo] = append(was[r.photo], i)
		}
	}
	type entry struct {
		row
		half []uint16
	}
	var all []entry
	for i, p := range photos {
		if p == nil {
			continue
		}
		at := len(b.photos)
		b.photos = append(b.photos, *p)
		for _, r := range regions[i] {
			all = append(all, entry{row{class: r.class, photo: at, area: r.area, confirmed: r.confirmed}, r.half})
		}
		if same[i] >= 0 {
			for _, k := range was[same[i]] {
				r := old.rows[k]
				r.photo = at
				all = append(all, entry{r, old.index.Half(k)})
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no region of %d photos got into the bank: look at the labels of gen.options.from, or lower min_area (%d pixels) or erode", len(photos), m.opts.MinArea)
	}
	slices.SortStableFunc(all, func(x, y entry) int { return cmp.Or(cmp.Compare(x.class, y.class), cmp.Compare(x.photo, y.photo)) })
	half := make([]uint16, 0, len(all)*len(all[0].half))
	for _, e := range all {
		b.rows = append(b.rows, e.row)
		half = append(half, e.half...)
	}
	var err error
	b.index, err = nearest.Of(half, len(all[0].half))
	b.finish()
	return b, err
}
