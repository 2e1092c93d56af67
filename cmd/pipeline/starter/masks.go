package starter

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/folder"
	"wsss/data/names"
)

// findMasks looks for a folder of masks under another name than the usual
// ones: PNGs that are called like the photos of the folder beside them. It
// gives the options of both; nil where there is none.
func (s *Starter) findMasks() map[string]string {
	for _, usual := range []string{"masks", "SegmentationClass"} {
		if files.Exists(filepath.Join(s.Root, usual)) {
			return nil
		}
	}
	entries, err := os.ReadDir(s.Root)
	if err != nil {
		return nil
	}
	lists := map[string]map[string]string{} // folder → its pictures
	for _, e := range entries {
		if path := filepath.Join(s.Root, e.Name()); !strings.HasPrefix(e.Name(), ".") && files.IsDir(path) {
			if list, err := folder.List(path); err == nil {
				lists[e.Name()] = list
			}
		}
	}
	for _, e := range entries {
		masks := lists[e.Name()]
		if masks == nil || !areMasks(masks) {
			continue
		}
		for _, other := range entries {
			photos := lists[other.Name()]
			if other.Name() != e.Name() && len(photos) > 0 && 2*matching(photos, filepath.Join(s.Root, e.Name())) >= len(photos) {
				return map[string]string{"images": other.Name(), "masks": e.Name()}
			}
		}
	}
	return nil
}

// areMasks tells whether all pictures are PNG and the first, by name, is a
// label map of few values.
func areMasks(pictures map[string]string) bool {
	first := ""
	for _, path := range pictures {
		if !strings.EqualFold(filepath.Ext(path), ".png") {
			return false
		}
		if first == "" || path < first {
			first = path
		}
	}
	m, err := data.ReadLabelMap(first)
	if err != nil {
		return false
	}
	values := 0
	for _, seen := range m.Present() {
		if seen {
			values++
		}
	}
	return values <= 64 // a grey photo has more
}

// matching counts the photos that have a mask in a folder.
func matching(photos map[string]string, dir string) (n int) {
	finder := names.Finder{}
	for id, path := range photos {
		if finder.Mask(dir, id, filepath.Base(path), nil) != "" {
			n++
		}
	}
	return n
}

// namesOfMasks makes class names for masks that nobody named: one for each
// value, or "object" where all are of 0 and 255. It gives the names,
// background first, and whether the masks are of the latter kind; no names
// where there are no masks.
func (s *Starter) namesOfMasks(extra map[string]any) (classes []string, binary bool, err error) {
	trial := map[string]any{}
	for key, v := range extra {
		trial[key] = v
	}
	trial["names"] = numbered(data.MaxClasses - 1)
	ds, err := data.Open(s.Kind, data.Options{Root: s.Root, Seed: 1, Extra: trial})
	if err != nil {
		return nil, false, err
	}
	ids, err := ds.IDs(folder.SplitAll)
	if err != nil {
		return nil, false, err
	}
	most, read := 0, 0
	binary = true
	for _, id := range ids {
		sample, err := ds.Load(id, data.WantTruth)
		if errors.Is(err, data.ErrNoTruth) {
			continue
		}
		var unknown *data.ColourError
		if errors.As(err, &unknown) {
			classes, err := s.nameColours(ds.(*folder.Dataset), ids, extra, err)
			return classes, false, err
		}
		if err != nil {
			return nil, false, err
		}
		for v, seen := range sample.Truth.Present() {
			if seen && v != data.Ignore {
				most = max(most, v)
			}
		}
		binary = binary && (sample.Truth.Binary() || !hasVoid(sample.Truth))
		if read++; read == mostMasks*10 {
			break
		}
	}
	switch {
	case read == 0:
		return nil, false, nil
	case most == 0 && binary:
		return []string{"background", "object"}, true, nil
	}
	return numbered(most), false, nil
}

// mostNamed bounds the colours that are classes: masks with soft edges or of
// lossy files have more.
const mostNamed = 64

// nameColours makes a class of every colour of masks whose colours nobody
// named, black apart, and puts them into extra. Where there are too many the
// error is cause.
func (s *Starter) nameColours(ds *folder.Dataset, ids []string, extra map[string]any, cause error) ([]string, error) {
	found := map[data.RGB]bool{}
	for _, id := range ids {
		colours, err := data.MaskColours(ds.MaskPath(id))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, c := range colours {
			found[c] = true
		}
		if len(found) > mostNamed {
			return nil, fmt.Errorf("%w; more than %d colours occur in the masks: soft edges, or saved as JPEG once?", cause, mostNamed)
		}
	}
	delete(found, data.RGB{})
	classes, table, lines := numbered(len(found)), map[string]any{}, []string{}
	for i, c := range slices.SortedFunc(maps.Keys(found), func(a, b data.RGB) int { return slices.Compare(a[:], b[:]) }) {
		table[classes[i+1]] = c.String()
		lines = append(lines, fmt.Sprintf("%s = %q", classes[i+1], c))
	}
	extra["colours"] = table
	s.Options = append(s.Options, fmt.Sprintf("colours = {%s}    # of the masks; black is background", strings.Join(lines, ", ")))
	s.Notes = append(s.Notes, fmt.Sprintf("the masks hold %d colours that nobody named: name the classes of data.options.colours, there and in data.options.names", len(found)))
	return classes, nil
}

func hasVoid(m *data.LabelMap) bool { return slices.Contains(m.Pix, data.Ignore) }

// numbered are names for n classes, background first.
func numbered(n int) []string {
	list := []string{"background"}
	for i := range n {
		list = append(list, fmt.Sprintf("class_%d", i+1))
	}
	return list
}

// nameMasks opens a folder that has nothing but photos and masks.
func (s *Starter) nameMasks(extra map[string]any, cause error) error {
	if !errors.Is(cause, fs.ErrNotExist) {
		return cause
	}
	classes, binary, err := s.namesOfMasks(extra)
	if err != nil {
		return err
	}
	if classes == nil {
		return s.noLabels(cause)
	}
	switch {
	case extra["colours"] != nil: // nameColours has said it
	case binary:
		extra["binary_masks"] = true
		s.Options = append(s.Options, "binary_masks = true    # 255 is the object, not void")
		s.Notes = append(s.Notes, "the masks hold 0 and 255: taken for background and one class, \"object\" (-classes names it)")
	default:
		s.Notes = append(s.Notes, fmt.Sprintf("the masks hold the values 1..%d, which nobody named: -classes names them in this order", len(classes)-1))
	}
	extra["names"] = classes
	return nil
}
