package report

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"wsss/data"
	"wsss/eval"
)

// gallery is the pictures' part of the page, and what its script reads.
type gallery struct {
	Classes []string       `json:"classes"`
	Colours []string       `json:"colours"`
	Splits  []gallerySplit `json:"splits"`
}

// gallerySplit is the images of one split with the label maps of every row
// that scored it.
type gallerySplit struct {
	Name   string         `json:"name"`
	Photos string         `json:"photos"` // folder, relative to the page, escaped as a URL
	Truth  string         `json:"truth"`  // "" where no image has a true mask
	Layers []galleryLayer `json:"layers"`
	Images []galleryImage `json:"images"` // worst first
	Hidden int            `json:"hidden"` // images left out by Report.Overlays
}

type galleryLayer struct {
	Name  string    `json:"name"`
	Kind  eval.Kind `json:"kind"`
	Files string    `json:"files"`

	dir string // of the label maps
}

// galleryImage names are short: there are thousands in the page.
type galleryImage struct {
	ID      string       `json:"id"`
	W       int          `json:"w"` // of the picture
	H       int          `json:"h"`
	Classes []int        `json:"c"`           // in the truth, else in the label maps; background left out
	Quality *int         `json:"q,omitempty"` // thousandths, without ground truth
	Why     string       `json:"y,omitempty"` // the label is doubted
	Weak    *weakMarks   `json:"k,omitempty"` // of splits that labels were made for
	Scores  []imageScore `json:"s"`           // by layer

	truth bool // it has a true mask
}

// imageScore is the mIoU in thousandths (-1 = undefined) and the IoU per class,
// pairs of class and thousandths.
type imageScore struct {
	MIoU int   `json:"m"`
	IoU  []int `json:"i"`
}

// primary is the layer that orders the gallery: the trained network where
// there is one.
func (s *gallerySplit) primary() int {
	for _, kind := range []eval.Kind{eval.KindNetwork, eval.KindPseudo} {
		for i, l := range s.Layers {
			if l.Kind == kind {
				return i
			}
		}
	}
	return 0
}

// buildGallery chooses the images and makes their pictures; nil if there are
// none to show.
func buildGallery(ctx context.Context, dir string, r *Report, progress eval.Progress) (*gallery, error) {
	if r.Dataset == nil {
		return nil, nil
	}
	g := &gallery{Classes: r.Dataset.Classes().Names}
	for c := range g.Classes {
		g.Colours = append(g.Colours, hexColour(c))
	}
	for _, name := range shownSplits(r) {
		g.Splits = append(g.Splits, chooseImages(r, name))
	}
	if len(g.Splits) == 0 {
		return nil, nil
	}
	return g, g.makePictures(ctx, dir, r, progress)
}

// shownSplits lists the splits of rows with pictures, those with a network
// first: people look at predictions.
func shownSplits(r *Report) []string {
	var first, rest []string
	for _, row := range r.Rows {
		if row.Labels == "" || row.Dataset != r.Dataset.Name() || len(row.PerImage)+len(row.Shown) == 0 {
			continue
		}
		if row.Kind == eval.KindNetwork || row.Kind == eval.KindZeroShot {
			first = append(first, row.Split)
		} else {
			rest = append(rest, row.Split)
		}
	}
	var out []string
	for _, s := range append(first, rest...) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func chooseImages(r *Report, split string) gallerySplit {
	s := gallerySplit{Name: split}
	at := map[string]int{} // in s.Images
	image := func(id string) *galleryImage {
		i, known := at[id]
		if !known {
			i = len(s.Images)
			at[id] = i
			s.Images = append(s.Images, galleryImage{ID: id, Classes: []int{}})
		}
		return &s.Images[i]
	}
	for _, row := range r.Rows {
		if row.Labels == "" || row.Split != split || row.Dataset != r.Dataset.Name() {
			continue
		}
		n := len(s.Layers)
		s.Layers = append(s.Layers, galleryLayer{Name: row.Name, Kind: row.Kind, dir: row.Labels})
		for _, im := range row.PerImage {
			g := image(im.ID)
			g.pad(n)
			sc, present := scoreOf(im)
			g.Scores, g.Classes = append(g.Scores, sc), present
		}
		for _, id := range row.Shown {
			image(id)
		}
		for id, q := range row.Quality {
			if _, known := at[id]; known && !math.IsNaN(q) {
				v := thousandths(q)
				image(id).Quality, image(id).Why = &v, row.Doubts[id]
			}
		}
	}
	for i := range s.Images {
		s.Images[i].pad(len(s.Layers))
	}
	s.worstFirst()
	if r.Overlays > 0 && len(s.Images) > r.Overlays {
		s.cut(r.Overlays, r.Look)
	}
	return s
}

// cut leaves the first n images and those to look at first.
func (s *gallerySplit) cut(n int, look []Look) {
	wanted := map[string]bool{}
	for _, l := range look {
		if l.Split == s.Name {
			wanted[l.ID] = true
		}
	}
	kept := s.Images[:n:n]
	for _, im := range s.Images[n:] {
		if wanted[im.ID] {
			kept = append(kept, im)
		}
	}
	s.Hidden = len(s.Images) - len(kept)
	s.Images = kept
}

// pad fills up with undefined scores to n layers.
func (g *galleryImage) pad(n int) {
	for len(g.Scores) < n {
		g.Scores = append(g.Scores, imageScore{MIoU: -1})
	}
}

// worstFirst sorts by the IoU of the primary layer, images without one by
// quality behind those with one.
func (s *gallerySplit) worstFirst() {
	at := s.primary()
	sort.SliceStable(s.Images, func(i, j int) bool {
		a, b := s.Images[i], s.Images[j]
		if x, y := a.Scores[at].MIoU, b.Scores[at].MIoU; x != y {
			return uint(x) < uint(y) // undefined, -1, last
		}
		return a.quality() < b.quality()
	})
}

// quality of an image; one without a score comes last.
func (g *galleryImage) quality() int {
	if g.Quality == nil {
		return math.MaxInt
	}
	return *g.Quality
}

func scoreOf(im eval.ImageScore) (s imageScore, present []int) {
	s = imageScore{MIoU: thousandths(float64(im.MIoU))}
	present = []int{}
	for _, c := range im.Counts {
		s.IoU = append(s.IoU, c.Class, thousandths(c.IoU()))
		if c.Truth > 0 && c.Class > 0 {
			present = append(present, c.Class)
		}
	}
	return s, present
}

func thousandths(v float64) int {
	if math.IsNaN(v) {
		return -1
	}
	return int(math.Round(1000 * v))
}

func hexColour(class int) string {
	r, g, b, _ := palette[class&255].RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

var palette = data.VOCPalette()

// slug is a name as a folder: letters, digits and dashes, numbered so that two
// names never meet.
func slug(n int, name string) string {
	var b strings.Builder
	fmt.Fprint(&b, n)
	dash := true
	for _, r := range strings.ToLower(name) {
		if b.Len() >= 40 {
			break
		}
		if r < 'a' || r > 'z' {
			if r < '0' || r > '9' {
				dash = true
				continue
			}
		}
		if dash {
			b.WriteByte('-')
			dash = false
		}
		b.WriteRune(r)
	}
	return b.String()
}
