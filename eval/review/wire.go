package review

import (
	"encoding/base64"
	"errors"
	"fmt"
	"image"

	"wsss/data"
	"wsss/data/corrections"
)

// What travels between page and server, as JSON. Pixels are corrections.Runs
// in base64.

// wirePrompt is a prompt in pixels of the photo.
type wirePrompt struct {
	ID      string       `json:"id"`
	Class   int          `json:"class"`
	Box     *[4]float32  `json:"box,omitempty"`
	Points  [][3]int     `json:"points,omitempty"` // x, y, 1 = out
	Strokes []wireStroke `json:"strokes,omitempty"`
}

type wireStroke struct {
	Line []int `json:"line"`
	Out  bool  `json:"out,omitempty"`
}

func toWire(p corrections.Prompt) wirePrompt {
	w := wirePrompt{ID: p.ID, Class: p.Class}
	if b := p.Box; b != nil {
		w.Box = &[4]float32{b.X0, b.Y0, b.X1, b.Y1}
	}
	for _, q := range p.Points {
		out := 0
		if q.Out {
			out = 1
		}
		w.Points = append(w.Points, [3]int{q.X, q.Y, out})
	}
	for _, s := range p.Strokes {
		k := wireStroke{Out: s.Out}
		for _, q := range s.Line {
			k.Line = append(k.Line, q.X, q.Y)
		}
		w.Strokes = append(w.Strokes, k)
	}
	return w
}

func toWires(list []corrections.Prompt) []wirePrompt {
	out := make([]wirePrompt, len(list))
	for i, p := range list {
		out[i] = toWire(p)
	}
	return out
}

func (w wirePrompt) prompt() (corrections.Prompt, error) {
	p := corrections.Prompt{ID: w.ID, Class: w.Class}
	if b := w.Box; b != nil {
		p.Box = &corrections.Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]}
	}
	for _, q := range w.Points {
		p.Points = append(p.Points, corrections.Point{X: q[0], Y: q[1], Out: q[2] != 0})
	}
	for _, s := range w.Strokes {
		if len(s.Line)%2 != 0 {
			return p, errors.New("a stroke of an odd number of coordinates")
		}
		k := corrections.Stroke{Out: s.Out}
		for i := 0; i < len(s.Line); i += 2 {
			k.Line = append(k.Line, image.Pt(s.Line[i], s.Line[i+1]))
		}
		p.Strokes = append(p.Strokes, k)
	}
	return p, nil
}

// wireMap is a label map of its own size, stretched over the photo.
type wireMap struct {
	W    int    `json:"w"`
	H    int    `json:"h"`
	Runs string `json:"runs"`
}

func mapOf(m *data.LabelMap) *wireMap {
	return &wireMap{m.W, m.H, base64.StdEncoding.EncodeToString(corrections.Runs(m.Pix))}
}

// wireImage is all there is to show of an image.
type wireImage struct {
	ID      string              `json:"id"`
	W       int                 `json:"w"`
	H       int                 `json:"h"`
	Version string              `json:"version"`
	Verdict corrections.Verdict `json:"verdict"`
	Own     bool                `json:"own"` // the prompts are corrected ones
	Prompts []wirePrompt        `json:"prompts"`
	Tagged  bool                `json:"tagged"`  // the tags are corrected ones
	Tags    []int               `json:"tags"`    // classes that the image shows
	Before  wireOwn             `json:"before"`  // any correction
	Painted string              `json:"painted"` // runs: 0 untouched, 1 + label value
	Base    *wireMap            `json:"base"`    // what painted pixels lie over
	Note    string              `json:"note"`
}

// wireOwn are the weak labels that an image has of its own.
type wireOwn struct {
	Prompts []wirePrompt `json:"prompts"`
	Tags    []int        `json:"tags"`
}

// op is one change; one of its fields is set.
type op struct {
	Paint *struct {
		X    int    `json:"x"`
		Y    int    `json:"y"`
		W    int    `json:"w"`
		H    int    `json:"h"`
		Runs string `json:"runs"` // 0 as it is, 1 untouched, 2 + label value
	} `json:"paint"`
	Prompt  *wirePrompt          `json:"prompt"` // new, or in the place of the one of this id
	Remove  *string              `json:"remove"` // id of a prompt
	Prompts *[]wirePrompt        `json:"prompts"`
	Tag     *wireTag             `json:"tag"`
	Verdict *corrections.Verdict `json:"verdict"`
}

// wireTag says whether the image shows a class.
type wireTag struct {
	Class int  `json:"class"`
	On    bool `json:"on"`
}

// wireEdit changes an image.
type wireEdit struct {
	ID      string `json:"id"`
	Version string `json:"version"` // that the page knows
	Ops     []op   `json:"ops"`
}

// wireEdited answers a wireEdit.
type wireEdited struct {
	Version string              `json:"version"`
	Verdict corrections.Verdict `json:"verdict"`
	Own     bool                `json:"own"`
	Tagged  bool                `json:"tagged"`
	Tags    []int               `json:"tags"`
	Stale   bool                `json:"stale"` // the image was corrected elsewhere, too: load it again
	Base    *wireMap            `json:"base,omitempty"`
	Note    string              `json:"note"`
	Millis  float64             `json:"millis"` // that the label took
}

func (o *op) change() (ch corrections.Change, err error) {
	p := o.Paint
	for _, v := range []int{p.X, p.Y, p.W, p.H} {
		if v < 0 || v > data.MaxPixels {
			return ch, fmt.Errorf("paint: a rectangle of %d", v)
		}
	}
	ch.Rect = image.Rect(p.X, p.Y, p.X+p.W, p.Y+p.H)
	ch.Runs, err = base64.StdEncoding.DecodeString(p.Runs)
	return ch, err
}
