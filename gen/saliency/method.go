// Package saliency holds the gen method "saliency": what stands out in a photo,
// by any network of salient-object detection, gets the photo's tag. The map also
// serves other methods, as a prior or as the background's score.
package saliency

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"wsss/configs"
	"wsss/data"
	"wsss/gen"
	"wsss/gen/naming"
	"wsss/gen/source"
)

func init() {
	gen.RegisterOf("saliency", gen.Spec{
		Doc:          "what stands out, by any salient-object network in ONNX (U²-Net, ISNet, BiRefNet): one tag names it, several are told apart by class scores or CLIP; or inside boxes",
		Weak:         []data.WeakKind{data.WeakTags, data.WeakBoxes},
		NeedsBackend: true,
	}, gen.Of[options]{
		Decode: decode,
		New:    newMethod,
		Inner:  func(o options) []configs.Gen { return o.From.Inner() },
		Needs: func(o options) gen.Needs {
			n := o.Network.Needs()
			n.Add(o.From.Needs())
			n.Add(o.naming().Needs())
			return n
		},
	})
}

// options are the keys of [gen.options].
type options struct {
	Network
	Threshold float64        `toml:"threshold"` // pixels that do not exceed it are background; default 0.5
	Present   float64        `toml:"present"`   // where a tag gets less than this share of the photo's pixels, its own scores count beside the saliency, since the tag says that the class is there; default 0.01; 0 = never
	From      source.Options `toml:"from"`      // class scores (cam, imagenet-cam, clip-es, a folder of .npy) that tell several tags apart, or
	Namer     string         `toml:"namer"`     // of gen/naming, which names each connected part; "" = clip where that is set, else none
	Own       map[string]any `toml:"namer_options"`
	CLIP      string         `toml:"clip"`      // a model of `wsss models list`
	BLIP2     string         `toml:"blip2"`     // likewise
	Templates []string       `toml:"templates"` // CLIP's prompts, with {}
}

func decode(table map[string]any) (options, error) {
	o := options{Threshold: 0.5, Present: 0.01}
	if err := configs.Decode("gen.options", table, &o); err != nil {
		return o, err
	}
	if err := o.Check("gen.options"); err != nil {
		return o, err
	}
	switch {
	case !(o.Threshold > 0 && o.Threshold < 1):
		return o, fmt.Errorf("[gen.options] threshold = %v: allowed are numbers in (0, 1)", o.Threshold)
	case !(o.Present >= 0 && o.Present < 1):
		return o, fmt.Errorf("[gen.options] present = %v: allowed are numbers in [0, 1)", o.Present)
	case o.naming().Namer != "" && o.From.Given():
		return o, fmt.Errorf("[gen.options] %s and from: allowed is one of them", o.namerKey())
	}
	if key := o.unread(); key != "" {
		why := "nothing reads it without clip or namer"
		if n := o.naming().Namer; n != "" {
			why = "the namer " + n + " does not read it"
		}
		return o, fmt.Errorf("[gen.options] %s: %s", key, why)
	}
	return o, o.naming().Check()
}

// naming are the options of the namer.
func (o options) naming() naming.NamerOptions {
	n := naming.DefaultNamer()
	n.Namer, n.Own, n.Templates = o.Namer, o.Own, o.Templates
	if n.Namer == "" && o.CLIP != "" {
		n.Namer = "clip"
	}
	n.CLIP, n.BLIP2 = cmp.Or(o.CLIP, n.CLIP), cmp.Or(o.BLIP2, n.BLIP2)
	return n
}

// unread is the first key about how parts are named that nothing reads. A namer
// that others registered may read all of them.
func (o options) unread() string {
	namer := o.naming().Namer
	switch known := namer == "" || namer == "clip" || namer == "blip2"; {
	case !known:
	case o.BLIP2 != "" && namer != "blip2":
		return "blip2"
	case o.CLIP != "" && namer == "blip2":
		return "clip"
	case len(o.Templates) > 0 && namer != "clip":
		return "templates"
	case len(o.Own) > 0 && namer == "":
		return "namer_options"
	}
	return ""
}

// namerKey is the key that asks for a namer.
func (o options) namerKey() string {
	if o.Namer == "" {
		return "clip"
	}
	return "namer"
}

// method is the gen method. It is safe for concurrent use.
type method struct {
	opts            options
	weak            data.WeakKind
	classes         data.Classes
	maps            *Mapper
	source.Optional // class scores; none: nothing tells tags apart, or CLIP does
	namer           *namer
	hashes          map[string]string
}

var _ source.Scorer = (*method)(nil)

func newMethod(env gen.Env, o options) (_ gen.Method, err error) {
	if env.Weak == data.WeakBoxes && (o.naming().Namer != "" || o.From.Given()) {
		return nil, fmt.Errorf("[gen.options] %s and from: boxes tell classes apart already", o.namerKey())
	}
	m := &method{opts: o, weak: env.Weak, classes: env.Classes, hashes: map[string]string{}}
	if m.maps, err = o.Open(env.Backend, "gen.options"); err != nil {
		return nil, err
	}
	maps.Copy(m.hashes, m.maps.Weights())
	if o.From.Given() {
		if m.From, err = source.Open(env, "gen.options.from", o.From); err != nil {
			return nil, err
		}
		if !m.From.HasScores() {
			return nil, fmt.Errorf("[gen.options.from] has no class scores: allowed are scores, and methods that make them, such as cam and imagenet-cam")
		}
		maps.Copy(m.hashes, m.From.Weights())
	}
	if o.naming().Namer != "" {
		if m.namer, err = openNamer(env, o); err != nil {
			return nil, err
		}
		maps.Copy(m.hashes, m.namer.Hashes)
	}
	return m, nil
}

// Weights maps the files that the masks depend on to their SHA-256.
func (m *method) Weights() map[string]string { return m.hashes }

// Rule: the background has what the classes leave of 1, and the threshold moves
// where they are equal.
func (m *method) Rule() source.ScoreOptions {
	if m.opts.Threshold != 0.5 {
		return source.ScoreOptions{Background: "constant", Threshold: &m.opts.Threshold}
	}
	alpha := 1.0
	return source.ScoreOptions{Background: "power", Alpha: &alpha}
}

// undecided is the note on what stands out where several tags are not told
// apart.
const undecided = "several tags, and nothing tells them apart: what stands out stays undecided; see gen.options.from and clip"

// Scores are the saliency of a photo, divided among its tags: at each pixel the
// class with the highest score of its own gets the whole saliency, the others the
// fraction that their score is of the highest one. A class that wins too few pixels
// (options.present) gets its own scores where they are higher, because its tag says
// that it is in the photo.
func (m *method) Scores(ctx context.Context, s *data.Sample) (*source.Scores, error) {
	if m.weak != data.WeakTags {
		return nil, fmt.Errorf("saliency from boxes has no class scores: use its labels, or tags")
	}
	tags, err := source.Tags(s, m.classes.Len()-1)
	if err != nil || len(tags) == 0 {
		return &source.Scores{Classes: tags}, err
	}
	salient, err := m.maps.Map(ctx, s)
	if err != nil {
		return nil, err
	}
	var own *source.Scores
	if m.From != nil {
		if own, err = m.From.Scores(ctx, s); err != nil {
			return nil, err
		}
	}
	shares, err := m.shares(ctx, s, tags, salient, own)
	if err != nil {
		return nil, err
	}
	size := s.Image.Rect.Size()
	out := &source.Scores{W: size.X, H: size.Y, Classes: tags}
	for _, share := range shares {
		for i, v := range share {
			share[i] = v * salient[i]
		}
		out.Maps = append(out.Maps, share)
	}
	if own != nil {
		m.presence(out, own)
	}
	return out, nil
}

// presence gives classes with less than their share of a photo their own scores.
func (m *method) presence(out, own *source.Scores) {
	label, _ := out.Label(m.Rule())
	for k, class := range out.Classes {
		pixels := 0
		for _, v := range label.Pix {
			if int(v) == class {
				pixels++
			}
		}
		if float64(pixels) >= m.opts.Present*float64(len(label.Pix)) {
			continue
		}
		for i, v := range out.Maps[k] {
			out.Maps[k][i] = max(v, min(at(own, class, i), 1))
		}
	}
}

// shares are each tag's share of the saliency of each pixel, at most 1. scores are
// the source's, nil without one.
func (m *method) shares(ctx context.Context, s *data.Sample, tags []int, salient []float32, scores *source.Scores) ([][]float32, error) {
	if len(tags) > 1 && m.namer != nil {
		return m.namer.shares(ctx, s, tags, salient, float32(m.opts.Threshold))
	}
	out := make([][]float32, len(tags))
	for t := range tags {
		out[t] = slices.Repeat([]float32{1 / float32(len(tags))}, len(salient))
	}
	if len(tags) == 1 || scores == nil {
		return out, nil
	}
	for i := range salient {
		top := float32(0)
		for t, class := range tags {
			v := at(scores, class, i)
			out[t][i] = v
			top = max(top, v)
		}
		for t := range tags {
			if top > 0 {
				out[t][i] /= top
			} else { // no class claims the pixel
				out[t][i] = 1 / float32(len(tags))
			}
		}
	}
	return out, nil
}

// at is the score of a class at a pixel, 0 for a class without a map and below.
func at(s *source.Scores, class, pixel int) float32 {
	if k := slices.Index(s.Classes, class); k >= 0 {
		return max(s.Maps[k][pixel], 0)
	}
	return 0
}

// Generate makes a mask per tag, or per box. A photo without tags has nothing
// but background; where several tags are not told apart, what stands out is
// left undecided.
func (m *method) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	if m.weak == data.WeakBoxes {
		return m.boxes(ctx, s)
	}
	if len(s.Weak.Tags) > 1 && m.From == nil && m.namer == nil {
		return m.undecided(ctx, s)
	}
	return source.Masks(ctx, m, s, "saliency")
}

func (m *method) undecided(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	tags, err := source.Tags(s, m.classes.Len()-1)
	if err != nil {
		return nil, err
	}
	salient, err := m.maps.Map(ctx, s)
	if err != nil {
		return nil, err
	}
	size := s.Image.Rect.Size()
	bits := data.EncodeRLE(above(salient, float32(m.opts.Threshold)), size.X, size.Y)
	if bits.Area() == 0 {
		return nil, nil
	}
	return []gen.Mask{{Class: data.Ignore, Bits: bits, Score: 1, Note: undecided + ": " + names(m.classes, tags),
		From: gen.Prompt{Class: data.Ignore, Source: "saliency", Score: 1}}}, nil
}

func above(values []float32, threshold float32) []uint8 {
	bits := make([]uint8, len(values))
	for i, v := range values {
		if v > threshold {
			bits[i] = 1
		}
	}
	return bits
}

// boxes makes a mask of what stands out inside each box; one without any gives
// none. A box around a group is no object.
func (m *method) boxes(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	if s.Weak.Boxes == nil {
		return nil, gen.Unlabelled(data.WeakBoxes)
	}
	if len(s.Weak.Boxes) == 0 {
		return nil, nil
	}
	salient, err := m.maps.Map(ctx, s)
	if err != nil {
		return nil, err
	}
	size := s.Image.Rect.Size()
	var masks []gen.Mask
	for _, b := range gen.Objects(s.Weak.Boxes) {
		bits, sum, n := make([]uint8, len(salient)), float32(0), 0
		r := b.Rect().Intersect(s.Image.Rect.Sub(s.Image.Rect.Min))
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				if i := y*size.X + x; salient[i] > float32(m.opts.Threshold) {
					bits[i] = 1
					sum += salient[i]
					n++
				}
			}
		}
		if n > 0 {
			masks = append(masks, gen.Mask{Class: b.Class, Bits: data.EncodeRLE(bits, size.X, size.Y), Score: sum / float32(n),
				From: gen.Prompt{Class: b.Class, Box: &b, Source: "box", Score: 1}})
		}
	}
	return masks, nil
}
