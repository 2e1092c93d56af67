package export

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"wsss/data"
	"wsss/data/convert"
	"wsss/data/names"
)

// Masks writes label maps in formats into a folder, many at a time. File names,
// photos and splits are those of src.
func Masks(ctx context.Context, src *convert.Masks, formats []string, dir string, o Options, progress func(done, total int)) (err error) {
	if err := names.MarkOutput(dir); err != nil {
		return err
	}
	o.FileName, o.Photo, o.Split = src.FileName, src.Image, src.Split
	o.IDs = slices.DeleteFunc(slices.Clone(src.IDs), func(id string) bool { return src.Split(id) != "" })
	var writers []Writer
	defer func() {
		for _, w := range writers {
			err = errors.Join(err, w.Close())
		}
	}()
	for _, name := range formats {
		w, err := OpenWith(name, dir, src.Classes, o)
		if err != nil {
			return err
		}
		writers = append(writers, w)
	}
	overlay := slices.Contains(formats, "overlay")
	return data.Parallel(ctx, len(src.IDs), progress, func(i int) error { return addMask(src, src.IDs[i], writers, overlay) })
}

// addMask adds one label map to every writer, with its photo for overlays.
func addMask(src *convert.Masks, id string, writers []Writer, overlay bool) error {
	label, err := src.Truth(id)
	if err != nil {
		return err
	}
	var img *image.NRGBA
	if overlay {
		file := src.Image(id)
		if file == "" {
			return fmt.Errorf("%s has no image: overlays need -images DIR with an image of the same name", id)
		}
		if img, err = data.ReadImage(file); err != nil {
			return err
		}
	}
	for _, w := range writers {
		if err := w.Add(id, img, label); err != nil {
			return err
		}
	}
	return nil
}
