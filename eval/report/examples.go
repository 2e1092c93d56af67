package report

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strings"

	"wsss/data"
	"wsss/eval"
)

// example is an image under the headline.
type example struct {
	Rank  string `json:"rank"` // "worst", "median", "best", "most doubtful"
	Split string `json:"split"`
	ID    string `json:"id"`
	Tiles []tile `json:"tiles"`
	Why   string `json:"why,omitempty"`
}

// tile is one picture of an example.
type tile struct {
	Label string        `json:"label"`
	Photo string        `json:"photo"`          // address, relative to the page
	Over  string        `json:"over,omitempty"` // of the label map over it
	Score string        `json:"score,omitempty"`
	W     int           `json:"w"`
	H     int           `json:"h"`
	Marks template.HTML `json:"-"` // weak labels as SVG
	Tags  string        `json:"tags,omitempty"`
}

// perRank is how many examples there are of each rank where all come from one
// split; of two splits, one of each.
const perRank = 2

// examples chooses images to see first: where pseudo-labels and networks
// scored different splits, of both.
func (g *gallery) examples() []example {
	if g == nil {
		return nil
	}
	var splits []*gallerySplit
	seen := map[eval.Kind]bool{}
	for _, kind := range []eval.Kind{eval.KindPseudo, eval.KindNetwork, eval.KindZeroShot, eval.KindAgainst} {
		for i := range g.Splits {
			s := &g.Splits[i]
			if seen[kind] || len(splits) == 2 || !s.has(kind) {
				continue
			}
			new := true
			for _, other := range splits {
				new = new && other != s
			}
			if new {
				splits = append(splits, s)
			}
			for _, l := range s.Layers {
				seen[l.Kind] = true
			}
		}
	}
	each := perRank
	if len(splits) > 1 {
		each = 1
	}
	var out []example
	for _, s := range splits {
		out = append(out, g.of(s, each)...)
	}
	return out
}

func (s *gallerySplit) has(kind eval.Kind) bool {
	for _, l := range s.Layers {
		if l.Kind == kind {
			return true
		}
	}
	return false
}

// of lists the worst, median and best images of a split, of which s.Images
// begins with the worst; without scores the most doubtful.
func (g *gallery) of(s *gallerySplit, each int) []example {
	at := s.primary()
	var scored []*galleryImage
	for i := range s.Images {
		if s.Images[i].Scores[at].MIoU >= 0 {
			scored = append(scored, &s.Images[i])
		}
	}
	var out []example
	add := func(rank string, im *galleryImage) {
		for _, e := range out {
			if e.ID == im.ID {
				return
			}
		}
		out = append(out, g.example(rank, s, im))
	}
	if n := len(scored); n > 0 {
		for k := range min(each, n) {
			add("best", scored[n-1-k])
		}
		for k := range min(each, n) {
			add("median", scored[min(n/2+k, n-1)])
		}
		for k := range min(each, n) {
			add("worst", scored[k])
		}
		return out
	}
	for i := range min(3*each, len(s.Images)) {
		rank := "most doubtful"
		if s.Images[i].Quality == nil {
			rank = ""
		}
		add(rank, &s.Images[i])
	}
	return out
}

func (g *gallery) example(rank string, s *gallerySplit, im *galleryImage) example {
	address := func(folder, ext string) string {
		parts := strings.Split(im.ID, "/")
		for i := range parts {
			parts[i] = url.PathEscape(parts[i])
		}
		return folder + "/" + strings.Join(parts, "/") + ext
	}
	photo := address(s.Photos, ".jpg")
	e := example{Rank: rank, Split: s.Name, ID: im.ID, Why: im.Why}
	first := tile{Label: "photo", Photo: photo, W: im.W, H: im.H}
	if im.Weak != nil {
		first.Label, first.Marks, first.Tags = "weak labels", im.Weak.svg(g.Colours), im.Weak.tags(g.Classes)
	}
	e.Tiles = append(e.Tiles, first)
	for i, l := range s.Layers {
		t := tile{Label: l.Name, Photo: photo, Over: address(l.Files, ".png"), W: im.W, H: im.H}
		if v := im.Scores[i].MIoU; v >= 0 {
			t.Score = fmt.Sprintf("%.1f", float64(v)/10)
		}
		e.Tiles = append(e.Tiles, t)
	}
	if s.Truth != "" && im.truth {
		e.Tiles = append(e.Tiles, tile{Label: "truth", Photo: photo, Over: address(s.Truth, ".png"), W: im.W, H: im.H})
	}
	return e
}

// weakMarks are an image's weak labels in thousandths of its sides: lists that
// begin with the class.
type weakMarks struct {
	Tags      []int   `json:"t,omitempty"`
	Boxes     [][]int `json:"b,omitempty"`
	Points    [][]int `json:"p,omitempty"`
	Scribbles [][]int `json:"s,omitempty"`
}

// mostMarks bounds what is drawn of one image.
const mostMarks = 300

// marksOf brings weak labels to thousandths of an image of w×h pixels; nil for
// none. Tags count where nothing says where the objects are.
func marksOf(w data.WeakLabels, width, height int) *weakMarks {
	if width <= 0 || height <= 0 {
		return nil
	}
	x := func(v float64) int { return int(math.Round(1000 * min(max(v/float64(width), 0), 1))) }
	y := func(v float64) int { return int(math.Round(1000 * min(max(v/float64(height), 0), 1))) }
	m := &weakMarks{}
	for _, b := range w.Boxes[:min(len(w.Boxes), mostMarks)] {
		m.Boxes = append(m.Boxes, []int{b.Class, x(float64(b.X0)), y(float64(b.Y0)), x(float64(b.X1)), y(float64(b.Y1))})
	}
	for _, p := range w.Points[:min(len(w.Points), mostMarks)] {
		m.Points = append(m.Points, []int{p.Class, x(float64(p.X) + .5), y(float64(p.Y) + .5)})
	}
	for _, s := range w.Scribbles[:min(len(w.Scribbles), mostMarks)] {
		line := []int{s.Class}
		step := max(1, len(s.Points)/40)
		for i := 0; i < len(s.Points); i += step {
			line = append(line, x(float64(s.Points[i].X)+.5), y(float64(s.Points[i].Y)+.5))
		}
		m.Scribbles = append(m.Scribbles, line)
	}
	if len(m.Boxes)+len(m.Points)+len(m.Scribbles) == 0 {
		if m.Tags = w.Tags; len(m.Tags) == 0 {
			return nil
		}
	}
	return m
}

// svg draws the marks over a picture of 1000×1000 units. It holds numbers and
// colours of this package alone.
func (m *weakMarks) svg(colours []string) template.HTML {
	colour := func(c int) string {
		if c > 0 && c < len(colours) {
			return colours[c]
		}
		return "#ffffff"
	}
	var b strings.Builder
	for _, k := range m.Boxes {
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d"/><rect style="stroke:%s" x="%d" y="%d" width="%d" height="%d"/>`,
			k[1], k[2], k[3]-k[1], k[4]-k[2], colour(k[0]), k[1], k[2], k[3]-k[1], k[4]-k[2])
	}
	for _, k := range m.Scribbles {
		var line strings.Builder
		for i := 1; i+1 < len(k); i += 2 {
			fmt.Fprintf(&line, "%d,%d ", k[i], k[i+1])
		}
		if len(k) == 3 {
			fmt.Fprintf(&line, "%d,%d", k[1], k[2])
		}
		fmt.Fprintf(&b, `<polyline points="%s"/><polyline style="stroke:%s" points="%s"/>`, line.String(), colour(k[0]), line.String())
	}
	for _, k := range m.Points {
		fmt.Fprintf(&b, `<path class="dot" d="M%d %dh0"/><path class="dot" style="stroke:%s" d="M%d %dh0"/>`, k[1], k[2], colour(k[0]), k[1], k[2])
	}
	if b.Len() == 0 {
		return ""
	}
	return template.HTML(`<svg class="weak" viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">` + b.String() + `</svg>`)
}

// tags names the classes of tags.
func (m *weakMarks) tags(classes []string) string {
	var names []string
	for _, c := range m.Tags {
		names = append(names, className(classes, c))
	}
	return strings.Join(names, ", ")
}
