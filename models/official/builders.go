package official

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// builder writes a graph beside the checkpoints that it takes.
type builder struct {
	checkpoints int
	build       func(paths []string, out string) error
}

var builders = map[string]builder{
	"blip2-image":  {2, func(p []string, out string) error { return BLIP2Image(p[0], p[1], out) }},
	"blip2-match":  {1, func(p []string, out string) error { return BLIP2Match(p[0], out) }},
	"gdino":        {1, func(p []string, out string) error { return GroundingDINO(p[0], out) }},
	"ram":          {1, func(p []string, out string) error { return RAM(p[0], out) }},
	"sam-encoder":  {1, func(p []string, out string) error { return SAMEncoder(p[0], out) }},
	"sam-decoder":  {1, func(p []string, out string) error { return SAMDecoder(p[0], out) }},
	"sam2-encoder": {1, func(p []string, out string) error { return SAM2Encoder(p[0], out) }},
	"sam2-decoder": {1, func(p []string, out string) error { return SAM2Decoder(p[0], out) }},
}

// Check tells whether there is a builder of a name that takes so many
// checkpoints.
func Check(name string, checkpoints int) error {
	b, ok := builders[name]
	if !ok {
		return fmt.Errorf("builder %q is unknown: known are %s", name, strings.Join(slices.Sorted(maps.Keys(builders)), ", "))
	}
	if b.checkpoints != checkpoints {
		return fmt.Errorf("builder %s takes %d checkpoints, not %d", name, b.checkpoints, checkpoints)
	}
	return nil
}

// Build writes a graph from checkpoints in its folder, by the name of its
// builder. Errors name the file.
func Build(name string, paths []string, out string) error {
	if err := Check(name, len(paths)); err != nil {
		return err
	}
	return builders[name].build(paths, out)
}
