package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/annotation"
	"wsss/data/corrections"
	"wsss/data/folder"
	"wsss/data/names"
	"wsss/data/words"
)

// TripFormats are the tools that labels go to and come back from.
var TripFormats = []string{"cvat", "labelme", "labelstudio", "coco"}

// Trip is a way of labels to another tool and back.
type Trip struct {
	Dataset   *corrections.Dataset
	LabelsDir string // of the label maps
	// Kept is the folder that remembers what went out, so that only what was
	// changed counts.
	Kept string
}

// kept is trip.json in Kept.
type kept struct {
	Format string   `json:"format"`
	Images []string `json:"images"`
}

const keptName = "trip.json"

// Export writes images with their labels for a tool: annotations into dir, the
// photos beside them in dir/images.
func (t *Trip) Export(ctx context.Context, dir, format string, ids []string) error {
	if !slices.Contains(TripFormats, format) {
		return fmt.Errorf("format %q: allowed are %v", format, TripFormats)
	}
	if entries, err := files.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: choose another folder, so that the files of two exports do not mix", dir)
	}
	photos := filepath.Join(dir, "images")
	name := func(id string) string { return path.Join(path.Dir(id), filepath.Base(t.Dataset.ImagePath(id))) }
	placed := func(id string) string { return filepath.Join(photos, filepath.FromSlash(name(id))) }
	if err := names.MarkRun(dir); err != nil {
		return err
	}
	w, err := annotation.Create(format, annotation.Target{Dir: dir, Classes: t.Dataset.Classes(), FileName: name, Photo: placed})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err = ctx.Err(); err != nil {
			break
		}
		if err = annotation.PlacePhoto(t.Dataset.ImagePath(id), placed(id)); err != nil {
			break
		}
		var m *data.LabelMap
		if m, err = t.label(id); err != nil {
			break
		}
		if err = w.Add(annotation.FromLabelMap(id, m, 0, 0)); err != nil {
			break
		}
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	return t.keep(ctx, dir, format, ids)
}

// label is the label map of an image with what was corrected of it.
func (t *Trip) label(id string) (*data.LabelMap, error) {
	m, err := t.read(id)
	if err != nil {
		return nil, err
	}
	return m, corrections.Over(t.Dataset, id, m)
}

func (t *Trip) read(id string) (*data.LabelMap, error) {
	if t.LabelsDir == "" {
		s, err := t.Dataset.Dataset.Load(id, data.WantTruth)
		if err == nil {
			return s.Truth, nil
		}
		if !errors.Is(err, data.ErrNoTruth) {
			return nil, err
		}
	} else {
		m, err := readMap(t.LabelsDir, id)
		if m != nil || err != nil {
			return m, err
		}
	}
	size, err := data.ImageSize(t.Dataset.ImagePath(id))
	return data.NewLabelMap(size.X, size.Y), err
}

// keep reads the annotations as they will be read when they come back, and
// remembers their pixels: what the tool's format itself changes is no change.
func (t *Trip) keep(ctx context.Context, dir, format string, ids []string) error {
	back, err := t.open(dir, format, ids)
	if err != nil {
		return fmt.Errorf("reading what was written: %w", err)
	}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, _, err := back.pixels(id)
		if err != nil {
			return err
		}
		to, err := files.Join(t.Kept, id+".png")
		if err != nil {
			return err
		}
		if err := data.WriteLabelMap(to, m); err != nil {
			return err
		}
	}
	return files.WriteJSON(filepath.Join(t.Kept, keptName), kept{format, ids})
}

// returned is a tool's annotations.
type returned struct {
	*Trip
	set    *annotation.Set
	images map[string]*annotation.Image
}

func (t *Trip) open(from, format string, ids []string) (*returned, error) {
	photos := make(map[string]string, len(ids))
	for _, id := range ids {
		photos[id] = t.Dataset.ImagePath(id)
	}
	ds, err := folder.OpenPhotos(photos, from, folder.Options{Names: t.Dataset.Classes().Names, Format: format})
	if err != nil {
		return nil, err
	}
	r := &returned{Trip: t, set: ds.Annotations(), images: map[string]*annotation.Image{}}
	if r.set == nil {
		return nil, fmt.Errorf("%s: no annotations of format %s", from, format)
	}
	for _, im := range r.set.Images {
		r.images[im.ID] = im
	}
	return r, nil
}

// pixels paints the outlines of an image, and lists the boxes without one; nil
// where the annotations do not speak of the image.
func (r *returned) pixels(id string) (*data.LabelMap, []data.Box, error) {
	im := r.images[id]
	if im == nil {
		return nil, nil, nil
	}
	size, err := data.ImageSize(r.Dataset.ImagePath(id))
	if err != nil {
		return nil, nil, err
	}
	outlined := *im
	outlined.Objects = nil
	var boxes []data.Box
	for _, o := range im.Objects {
		if o.Outlined() {
			outlined.Objects = append(outlined.Objects, o)
		} else if o.Class > 0 && o.Class != data.Ignore {
			boxes = append(boxes, o.Box)
		}
	}
	if len(outlined.Objects) == 0 {
		return data.NewLabelMap(size.X, size.Y), boxes, nil
	}
	m, err := r.set.Truth(&outlined, size.X, size.Y)
	return m, boxes, err
}

// Imported says what came back.
type Imported struct {
	Changed   []string // images that were corrected
	Same      int      // images without a change
	Missing   int      // images that the annotations do not speak of
	Rounded   int      // pixels along outlines that rounding changed, which do not count
	Boxes     int      // boxes without an outline: prompts from now on
	NewPixels int      // pixels that are corrected now
}

// String counts what was taken up.
func (in *Imported) String() string {
	text := fmt.Sprintf("%s changed, %d not", words.Plural(len(in.Changed), "image"), in.Same)
	if in.Missing > 0 {
		text += fmt.Sprintf(", %d not there", in.Missing)
	}
	text += fmt.Sprintf("; %s corrected", words.Plural(in.NewPixels, "pixel"))
	if in.Boxes > 0 {
		text += ", " + words.Count(in.Boxes, "box is a prompt", "boxes are prompts") + " from now on"
	}
	if in.Rounded > 0 {
		text += fmt.Sprintf("; %s along outlines taken for rounding", words.Plural(in.Rounded, "pixel"))
	}
	return text
}

// Import takes up the labels that came back from a tool: a file or a folder.
// Only what was changed since they were exported counts, pixel by pixel.
func (t *Trip) Import(ctx context.Context, from, format string) (*Imported, error) {
	var k kept
	if err := readKept(filepath.Join(t.Kept, keptName), &k); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("nothing was exported with this config: wsss export -format … does so, and import takes up what was changed since")
	} else if err != nil {
		return nil, err
	}
	if format == "" {
		format = k.Format
	}
	back, err := t.open(from, format, k.Images)
	if err != nil {
		return nil, err
	}
	in := &Imported{}
	for _, id := range k.Images {
		if err := ctx.Err(); err != nil {
			return in, err
		}
		if err := t.take(ctx, back, id, in); err != nil {
			return in, fmt.Errorf("%s: %w", id, err)
		}
	}
	if in.Missing == len(k.Images) {
		return in, fmt.Errorf("%s names no image that was exported (%d were): are the photos called otherwise?", from, len(k.Images))
	}
	return in, nil
}

// take takes up one image.
func (t *Trip) take(ctx context.Context, back *returned, id string, in *Imported) error {
	now, boxes, err := back.pixels(id)
	if err != nil {
		return err
	}
	if now == nil {
		in.Missing++
		return nil
	}
	if err := now.CheckRange(t.Dataset.Classes().Len()); err != nil {
		return err
	}
	path, err := files.Join(t.Kept, id+".png")
	if err != nil {
		return err
	}
	was, err := data.ReadLabelMap(path)
	if err != nil {
		return err
	}
	if was.Size() != now.Size() {
		return fmt.Errorf("the photo has %v pixels, and had %v when it was exported", now.Size(), was.Size())
	}
	changed, n, rounded := changes(was, now)
	in.Rounded += rounded
	if n == 0 && len(boxes) == 0 {
		in.Same++
		return nil
	}
	s, err := t.Dataset.Dataset.Load(id, data.WantWeak)
	if err != nil {
		return err
	}
	size := now.Size()
	_, _, err = t.Dataset.Folder.Update(ctx, id, size.X, size.Y, nil, func(c *corrections.Correction) error {
		if c.Verdict != corrections.Open && c.Verdict != corrections.Accepted {
			c.Verdict = corrections.Open
		}
		layer := c.Layer()
		for i, is := range changed {
			if is {
				layer.Pix[i] = 1 + uint16(now.Pix[i])
			}
		}
		c.SetLayer(layer)
		for i, b := range boxes {
			if !c.Prompted {
				c.Prompted = true
				for _, kind := range []data.WeakKind{data.WeakBoxes, data.WeakScribbles, data.WeakPoints} {
					if c.Prompts = corrections.FromWeak(clip(s.Weak, size), kind); len(c.Prompts) > 0 {
						break
					}
				}
			}
			p := corrections.Prompt{ID: fmt.Sprintf("import%d", i), Class: b.Class, Box: &corrections.Box{X0: max(b.X0, 0), Y0: max(b.Y0, 0), X1: min(b.X1, float32(size.X)), Y1: min(b.Y1, float32(size.Y))}}
			c.Prompts = slices.DeleteFunc(c.Prompts, func(q corrections.Prompt) bool { return q.ID == p.ID })
			c.Prompts = append(c.Prompts, p)
			if err := p.Check(image.Pt(size.X, size.Y), t.Dataset.Classes()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	in.Changed, in.Boxes, in.NewPixels = append(in.Changed, id), in.Boxes+len(boxes), in.NewPixels+n
	return nil
}

// changes finds the pixels that differ and lie in a block of 3×3 that all do:
// tools round the corners of outlines, which moves borders by a pixel.
func changes(was, now *data.LabelMap) (changed []bool, n, rounded int) {
	w, h := was.W, was.H
	differs := make([]bool, len(was.Pix))
	all := 0
	for i, v := range was.Pix {
		if differs[i] = v != now.Pix[i]; differs[i] {
			all++
		}
	}
	changed = make([]bool, len(differs))
	if all == 0 {
		return changed, 0, 0
	}
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			block := true
			for dy := -1; dy <= 1 && block; dy++ {
				i := (y+dy)*w + x
				block = differs[i-1] && differs[i] && differs[i+1]
			}
			for dy := -1; dy <= 1 && block; dy++ {
				i := (y+dy)*w + x
				changed[i-1], changed[i], changed[i+1] = true, true, true
			}
		}
	}
	for _, c := range changed {
		if c {
			n++
		}
	}
	return changed, n, all - n
}

func readKept(path string, k *kept) error {
	raw, err := files.ReadLimited(path, maxBody)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, k); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
