package main

import (
	"wsss/cmd/pipeline"
	"wsss/data/convert"
)

// maskFlags name label maps: a dataset's true masks, or a folder of PNGs.
type maskFlags struct {
	*dataFlags
	masks, classes string
}

func newMaskFlags(name string) *maskFlags {
	f := &maskFlags{dataFlags: newDataFlags(name)}
	f.StringVar(&f.masks, "masks", "", "`folder` of mask PNGs, in place of a dataset")
	f.StringVar(&f.classes, "classes", "", "`file` of class names, one per line, background first; with -masks")
	return f
}

// source lists the masks of a folder or of a dataset's splits.
func (f *maskFlags) source() (*convert.Masks, error) {
	switch {
	case f.masks == "":
		ds, splits, err := f.open()
		if err != nil {
			return nil, err
		}
		return convert.MasksOf(ds, splits)
	case f.config != "" || f.kind != "" || f.root != "":
		return nil, pipeline.Usagef("%s: -masks takes the place of -config, -kind and -root", f.Name())
	case f.classes == "":
		return nil, pipeline.Usagef("%s: -masks needs -classes: a file of class names, one per line, background first", f.Name())
	}
	return convert.MasksIn(f.masks, f.classes)
}

// checkTolerance refuses what no polygon is thinned out by.
func checkTolerance(command string, pixels float64) error {
	if pixels >= 0 && pixels <= 100 {
		return nil
	}
	return pipeline.Usagef("%s: -tolerance %v: allowed are 0..100 pixels", command, pixels)
}
