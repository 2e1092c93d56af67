package annotation

import (
	"context"

	"wsss/data"
)

// batch bounds how many parsed files wait to be added.
const batch = 512

// each parses files on every CPU and adds what they say in their order.
func each[T any](files []string, parse func(file string) (T, error), add func(file string, v T) error) error {
	for len(files) > 0 {
		part := files[:min(batch, len(files))]
		files = files[len(part):]
		parsed := make([]T, len(part))
		err := data.Parallel(context.Background(), len(part), nil, func(i int) (err error) {
			parsed[i], err = parse(part[i])
			return err
		})
		if err != nil {
			return err
		}
		for i, v := range parsed {
			if err := add(part[i], v); err != nil {
				return err
			}
		}
	}
	return nil
}
