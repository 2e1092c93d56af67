// Package weaken derives weak labels from masks: the tags, boxes, clicks and
// scribbles that an annotator would have given instead. It makes every form
// of weak supervision testable on a dataset that only has masks, and the same
// seed always gives the same labels.
package weaken

import (
	"fmt"
	"hash/fnv"
	"image"
	"math/rand/v2"
	"strings"

	"wsss/data"
)

// Options says how the labels are drawn. Lengths are pixels.
type Options struct {
	MinArea             int `toml:"min_area"`             // objects below this many pixels get no box, point or scribble
	MergeArea           int `toml:"merge_area"`           // pieces below this many pixels join the object they are nearest to …
	MergeGap            int `toml:"merge_gap"`            // … when at most this much void lies between
	Points              int `toml:"points"`               // clicks per object
	BackgroundPoints    int `toml:"background_points"`    // clicks on the background per image
	BackgroundScribbles int `toml:"background_scribbles"` // background scribbles per image, in its largest parts
}

// DefaultOptions are one click per object and one background scribble, as in
// the procedures of docs/sources.md §9 and §11.4.
func DefaultOptions() Options {
	return Options{MinArea: 20, MergeArea: 150, MergeGap: 8, Points: 1, BackgroundScribbles: 1}
}

func (o Options) check() error {
	for _, f := range []struct {
		key string
		v   int
	}{
		{"min_area", o.MinArea}, {"merge_area", o.MergeArea}, {"merge_gap", o.MergeGap},
		{"points", o.Points}, {"background_points", o.BackgroundPoints}, {"background_scribbles", o.BackgroundScribbles},
	} {
		if f.v < 0 || f.v > 1<<20 {
			return fmt.Errorf("weaken: %s = %d: allowed are 0..%d", f.key, f.v, 1<<20)
		}
	}
	return nil
}

// SeedFor mixes a run's seed with a sample id, so that an image's labels do
// not depend on which other images are processed.
func SeedFor(seed int64, id string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s", seed, id)
	return int64(h.Sum64())
}

// Derive makes the weak labels of the wanted kinds from a true mask. An object
// is an 8-connected component of one class, see Options; void pixels belong to
// none. Kinds that are not wanted stay nil; wanted ones are never nil.
func Derive(truth *data.LabelMap, kinds []data.WeakKind, seed int64, opts Options) (data.WeakLabels, error) {
	if err := opts.check(); err != nil {
		return data.WeakLabels{}, err
	}
	return fromObjects(truth, components(truth, opts), kinds, seed, opts)
}

// FromInstances is Derive where the objects are known: instances holds, per
// pixel, 0 or the number 1.. of the object it shows. Boxes span the whole
// object, also its pixels under the void border; clicks and scribbles stay off
// the void. Objects without a pixel of a class in truth are skipped.
func FromInstances(truth, instances *data.LabelMap, kinds []data.WeakKind, seed int64, opts Options) (data.WeakLabels, error) {
	if err := opts.check(); err != nil {
		return data.WeakLabels{}, err
	}
	if truth.Size() != instances.Size() {
		return data.WeakLabels{}, fmt.Errorf("weaken: mask is %v, instance map %v: they must be equal", truth.Size(), instances.Size())
	}
	return fromObjects(truth, instanceObjects(truth, instances, opts), kinds, seed, opts)
}

// object is one thing in the image: its class, the class pixels (indices into
// the map, ascending) and its extent.
type object struct {
	class  int
	pixels []int
	bounds image.Rectangle
}

func fromObjects(truth *data.LabelMap, objects []object, kinds []data.WeakKind, seed int64, opts Options) (data.WeakLabels, error) {
	var out data.WeakLabels
	for _, kind := range kinds {
		// Each kind has its own stream: asking for one more kind changes none
		// of the others.
		switch kind {
		case data.WeakNone:
		case data.WeakTags:
			out.Tags = Tags(truth)
		case data.WeakBoxes:
			out.Boxes = boxes(objects)
		case data.WeakPoints:
			out.Points = points(truth, objects, rand.NewPCG(uint64(seed), 1), opts)
		case data.WeakScribbles:
			out.Scribbles = scribbles(truth, objects, rand.NewPCG(uint64(seed), 2), opts)
		default:
			return out, fmt.Errorf("weaken: weak label kind %q is unknown: allowed are %s", kind, kindList())
		}
	}
	return out, nil
}

func kindList() string {
	names := make([]string, len(data.WeakKinds))
	for i, k := range data.WeakKinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// Tags lists the object classes that occur in a mask, ascending; never nil.
func Tags(truth *data.LabelMap) []int {
	return data.Objects(truth.Present())
}

func boxes(objects []object) []data.Box {
	out := make([]data.Box, 0, len(objects))
	for _, o := range objects {
		b := o.bounds
		out = append(out, data.Box{
			X0: float32(b.Min.X), Y0: float32(b.Min.Y), X1: float32(b.Max.X), Y1: float32(b.Max.Y), Class: o.class,
		})
	}
	return out
}

func points(truth *data.LabelMap, objects []object, rng *rand.PCG, opts Options) []data.Point {
	out := []data.Point{}
	for _, o := range objects {
		dist := newField(o, truth.W)
		// The square of the depth puts clicks where people click: well inside,
		// yet not always at the very centre.
		for i, p := range dist.draw(rng, opts.Points, func(d int) int { return d * d }) {
			out = append(out, data.Point{X: p.X, Y: p.Y, Class: o.class, Rank: i + 1})
		}
	}
	if opts.BackgroundPoints > 0 {
		bg := backgroundObject(truth)
		if len(bg.pixels) > 0 {
			for i, p := range newField(bg, truth.W).draw(rng, opts.BackgroundPoints, func(d int) int { return d }) {
				out = append(out, data.Point{X: p.X, Y: p.Y, Rank: i + 1})
			}
		}
	}
	return out
}

func scribbles(truth *data.LabelMap, objects []object, rng *rand.PCG, opts Options) []data.Scribble {
	out := []data.Scribble{}
	for _, o := range objects {
		out = append(out, data.Scribble{Class: o.class, Points: newField(o, truth.W).stroke(rng, 50)})
	}
	for _, o := range backgroundParts(truth, opts.BackgroundScribbles, opts.MinArea) {
		out = append(out, data.Scribble{Points: newField(o, truth.W).stroke(rng, 20)})
	}
	return out
}
