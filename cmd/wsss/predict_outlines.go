package main

import (
	"flag"
	"strings"

	"wsss/data/annotation"
	"wsss/eval/export"
)

// outlines are the flags of wsss predict that say how regions become polygons.
type outlines struct {
	f         *flags
	tolerance float64
	minArea   int
}

// Polygons of predictions are to be looked at and corrected by people: exact
// ones have a corner at every pixel of an edge, and a speck is a polygon too.
const (
	polygonTolerance = 1
	polygonMinArea   = 10
)

func (f *flags) outlines() *outlines {
	o := &outlines{f: f}
	f.Float64Var(&o.tolerance, "tolerance", polygonTolerance, "polygons ("+strings.Join(polygonFormats(), ", ")+"): leave out corners within this many `pixels` of the line; the area stays within 1 %; 0 = exact")
	f.IntVar(&o.minArea, "min-area", polygonMinArea, "polygons: leave out regions of fewer `pixels`; where the flag is given also in coco, voc, csv and json, which else hold every region to the pixel")
	return o
}

// polygonFormats are the formats whose regions are polygons.
func polygonFormats() []string {
	var names []string
	for _, f := range annotation.Formats() {
		if f.Polygons {
			names = append(names, f.Name)
		}
	}
	return names
}

// options are those of a format.
func (o *outlines) options(format string) export.Options {
	opts := export.Options{Tolerance: o.tolerance, MinArea: o.minArea}
	given := false
	o.f.Visit(func(g *flag.Flag) { given = given || g.Name == "min-area" })
	if f, err := annotation.Lookup(format); !given && (err != nil || !f.Polygons) {
		opts.MinArea = 0
	}
	return opts
}
