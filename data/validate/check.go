package validate

import (
	"errors"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"wsss/data"
	"wsss/data/crash"
	"wsss/data/photo"
)

// sample is what checking one image found.
type sample struct {
	findings []Finding
	image    bool // could be read
	mask     bool
	noMask   string // why there is no mask, "" where there is one or it is broken
	weak     data.WeakLabels
	read     bool // the labels could be read
	pixels   [256]int
}

// add notes a finding, once: a broken file may spoil more than one part.
func (s *sample) add(id string, level Level, kind, format string, args ...any) {
	f := finding(id, level, kind, format, args...)
	if !slices.ContainsFunc(s.findings, func(g Finding) bool { return g.Message == f.Message }) {
		s.findings = append(s.findings, f)
	}
}

// checker checks single images; safe for concurrent use.
type checker struct {
	ds      data.Dataset
	classes data.Classes
	opts    Options
}

// checkSafely is check, for which a panic is one more finding.
func (c *checker) checkSafely(id string) *sample {
	var s *sample
	if err := crash.Do(func() error { s = c.check(id); return nil }); err != nil {
		s = &sample{}
		s.add(id, Error, "crash", "%v", err)
	}
	return s
}

// check loads each part of a sample by itself, so that one broken file hides
// no other.
func (c *checker) check(id string) *sample {
	s := &sample{}
	defer data.Hold(c.ds, id, 8)() // the photo, the mask and what it is painted of
	var size image.Point
	if !c.opts.SkipImages {
		if got, err := c.ds.Load(id, data.WantImage); err != nil {
			s.add(id, Error, "image", "%v", err)
		} else {
			s.image = true
			size = got.Image.Rect.Size()
			c.checkFormat(s, id)
		}
	}
	var truth *data.LabelMap
	switch got, err := c.ds.Load(id, data.WantTruth); {
	case errors.Is(err, data.ErrNoTruth):
		s.noMask = err.Error()
	case err != nil:
		s.add(id, Error, "mask", "%v", err)
	default:
		s.mask = true
		truth = got.Truth
		c.checkMask(s, id, truth, size)
		if size == (image.Point{}) {
			size = truth.Size()
		}
	}
	if got, err := c.ds.Load(id, data.WantWeak); err != nil {
		s.add(id, Error, "labels", "%v", err)
	} else {
		s.read = true
		s.weak = got.Weak
		c.checkWeak(s, id, size)
		c.checkNames(s, id)
		if truth != nil {
			c.compare(s, id, truth)
		}
	}
	if ds, ok := data.As[data.Faulty](c.ds); ok {
		for _, f := range ds.Faults(id) {
			s.add(id, levelOf(f), f.Kind, "%s", f.Message)
		}
	}
	return s
}

func levelOf(f data.Fault) Level {
	if f.Warning {
		return Warning
	}
	return Error
}

// checkFormat warns of photos whose name says another format than they have:
// they are read, but not by every tool.
func (c *checker) checkFormat(s *sample, id string) {
	path := c.ds.ImagePath(id)
	if i, err := photo.Inspect(path); err == nil && i.Misnamed {
		s.add(id, Warning, "image-name", "%s: a %s named %s; it is read here, other tools may refuse it: rename it", path, i.Format, filepath.Ext(path))
	}
}

// maskName is the mask's file where the dataset tells it.
func (c *checker) maskName(id string) string {
	if ds, ok := c.ds.(interface{ MaskPath(id string) string }); ok {
		if path := ds.MaskPath(id); path != "" {
			return path
		}
	}
	return "mask of " + id
}

func (c *checker) checkMask(s *sample, id string, m *data.LabelMap, size image.Point) {
	name := c.maskName(id)
	if size != (image.Point{}) && m.Size() != size {
		hint := ""
		if m.W == size.Y && m.H == size.X {
			hint = " (turned? see EXIF orientation in docs/folder.md)"
		}
		s.add(id, Error, "mask-size", "%s is %d×%d, its image %d×%d: they must be equal%s", name, m.W, m.H, size.X, size.Y, hint)
	}
	for _, v := range m.Pix {
		s.pixels[v]++
	}
	if err := m.CheckRange(c.classes.Len()); err != nil {
		var bad []string
		total := 0
		for v := c.classes.Len(); v < data.Ignore; v++ {
			if n := s.pixels[v]; n > 0 {
				bad, total = append(bad, fmt.Sprintf("%d×%d", v, n)), total+n
			}
		}
		s.add(id, Error, "mask-value", "%s: %v; %d such pixels, value×count: %s", name, err, total, shorten(bad, 8))
	}
	objects := 0
	for v := 1; v < data.Ignore; v++ {
		objects += s.pixels[v]
	}
	switch void := s.pixels[data.Ignore]; {
	case void == len(m.Pix):
		s.add(id, Error, "mask-void", "%s: every pixel is %d (void): nothing to train on or score", name, data.Ignore)
	case objects == 0 && void > len(m.Pix)/100:
		// VOC's borders come with objects; this much void alone is another
		// convention.
		s.add(id, Warning, "mask-empty", "%s: only 0 and %d occur: is it a binary mask? %d is void, class 1 has the value 1", name, data.Ignore, data.Ignore)
	case objects == 0:
		s.add(id, Warning, "mask-empty", "%s: no object: every pixel is background or void", name)
	}
}

// checkNames warns of objects that a dataset skips for want of a class: a table
// of other classes than the annotations loses them silently.
func (c *checker) checkNames(s *sample, id string) {
	ds, ok := data.As[interface {
		SkippedNames(string) ([]string, error)
	}](c.ds)
	if !ok {
		return
	}
	if names, err := ds.SkippedNames(id); err == nil && len(names) > 0 {
		s.add(id, Warning, "unknown-class", "%s: objects of none of the classes are skipped: %s (data.options.classes names one's own)", id, shorten(names, 8))
	}
}

func shorten(list []string, most int) string {
	if len(list) > most {
		return strings.Join(list[:most], ", ") + ", …"
	}
	return strings.Join(list, ", ")
}

// slack is how far a box may reach over the border, pixels: real annotations
// round there.
const slack = 1

// checkWeak checks classes and positions; size is zero where it is unknown.
func (c *checker) checkWeak(s *sample, id string, size image.Point) {
	known := size != (image.Point{})
	for i, t := range s.weak.Tags {
		c.checkClass(s, id, "tag", i, t, 1)
	}
	for i, p := range s.weak.Points {
		c.checkClass(s, id, "point", i, p.Class, 0)
		if known && !inside(p.X, p.Y, size) {
			s.add(id, Error, "point-outside", "%s: point %d (%s) at (%d,%d) is outside the %d×%d image", id, i+1, c.classes.Name(p.Class), p.X, p.Y, size.X, size.Y)
		}
	}
	for i, l := range s.weak.Scribbles {
		c.checkClass(s, id, "scribble", i, l.Class, 0)
		if len(l.Points) == 0 {
			s.add(id, Error, "scribble-empty", "%s: scribble %d (%s) has no points", id, i+1, c.classes.Name(l.Class))
		}
		for _, p := range l.Points {
			if known && !inside(p.X, p.Y, size) {
				s.add(id, Error, "scribble-outside", "%s: scribble %d (%s) reaches (%d,%d), outside the %d×%d image", id, i+1, c.classes.Name(l.Class), p.X, p.Y, size.X, size.Y)
				break
			}
		}
	}
	for i, b := range s.weak.Boxes {
		c.checkClass(s, id, "box", i, b.Class, 1)
		what := fmt.Sprintf("%s: box %d (%s) (%v,%v)-(%v,%v)", id, i+1, c.classes.Name(b.Class), b.X0, b.Y0, b.X1, b.Y1)
		switch {
		case !finite(b) || b.X0 >= b.X1 || b.Y0 >= b.Y1:
			s.add(id, Error, "box-empty", "%s is empty", what)
		case known && b.Outside(size):
			s.add(id, Error, "box-outside", "%s is outside the %d×%d image", what, size.X, size.Y)
		case known && (b.X0 < -slack || b.Y0 < -slack || b.X1 > float32(size.X+slack) || b.Y1 > float32(size.Y+slack)):
			s.add(id, Warning, "box-clipped", "%s reaches out of the %d×%d image: it is clipped", what, size.X, size.Y)
		}
	}
}

func finite(b data.Box) bool {
	for _, v := range []float32{b.X0, b.Y0, b.X1, b.Y1} {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
	}
	return true
}

func inside(x, y int, size image.Point) bool { return x >= 0 && y >= 0 && x < size.X && y < size.Y }

func (c *checker) checkClass(s *sample, id, form string, i, class, low int) {
	if class < low || class >= c.classes.Len() {
		s.add(id, Error, form+"-class", "%s: %s %d has class %d: allowed are %d..%d", id, form, i+1, class, low, c.classes.Len()-1)
	}
}

// compare warns of labels that contradict the mask.
func (c *checker) compare(s *sample, id string, m *data.LabelMap) {
	if s.weak.Tags != nil {
		var extra, lacking []string
		for _, t := range s.weak.Tags {
			if t > 0 && t < data.Ignore && s.pixels[t] == 0 {
				extra = append(extra, c.classes.Name(t))
			}
		}
		for v := 1; v < c.classes.Len(); v++ {
			if s.pixels[v] > 0 && !slices.Contains(s.weak.Tags, v) {
				lacking = append(lacking, c.classes.Name(v))
			}
		}
		var parts []string
		if extra != nil {
			parts = append(parts, "tagged but not in the mask: "+shorten(extra, 8))
		}
		if lacking != nil {
			parts = append(parts, "in the mask but not tagged: "+shorten(lacking, 8))
		}
		if parts != nil {
			s.add(id, Warning, "tags-mask", "%s: %s", id, strings.Join(parts, "; "))
		}
	}
	for i, p := range s.weak.Points {
		if !inside(p.X, p.Y, m.Size()) {
			continue
		}
		if v := m.At(p.X, p.Y); int(v) != p.Class && v != data.Ignore {
			s.add(id, Warning, "point-mask", "%s: point %d (%s) at (%d,%d) lies on %s", id, i+1, c.classes.Name(p.Class), p.X, p.Y, c.classes.Name(int(v)))
		}
	}
}
