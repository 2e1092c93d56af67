package annotation

import (
	"context"

	"wsss/data"
)

// batch bounds how many parsed files wait to be added.
const batch = 512

// each parses files on every CPU and adds what they say in their order. The
// error lists all files that are bad.
func each[T any](files []string, parse func(file string) (T, error), add func(file string, v T) error) error {
	bad := &data.LineErrors{}
	for len(files) > 0 {
		part := files[:min(batch, len(files))]
		files = files[len(part):]
		parsed, errs := make([]T, len(part)), make([]error, len(part))
		err := data.Parallel(context.Background(), len(part), nil, func(i int) error {
			parsed[i], errs[i] = parse(part[i])
			return nil
		})
		if err != nil {
			return err
		}
		for i, v := range parsed {
			if errs[i] == nil {
				errs[i] = add(part[i], v)
			}
			if errs[i] != nil {
				bad.AddError(errs[i])
			}
		}
	}
	return bad.Err()
}

// eachLocated reads files one after the other by what begins its errors with the line or
// the item. The error lists what is bad in all of them.
func eachLocated(src *Source, files []string, read func(file string) error) error {
	bad := &data.LineErrors{}
	for _, file := range files {
		if err := data.Located(src.Path(file), read(file)); err != nil {
			bad.AddError(err)
		}
	}
	return bad.Err()
}
