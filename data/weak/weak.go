// Package weak parses the files in which the field keeps cheap labels
// (docs/sources.md §9): image tags as cls_labels.npy, CLIP-ES and L2G lists or CSV;
// VOC's XML; What's-the-Point clicks; ScribbleSup scribbles. Every parser
// bounds what it reads and names the file, and the line or entry, in errors.
package weak

import (
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"wsss/checkpoints/files"
	"wsss/data/names"
)

// maxText bounds the size of a label file that covers a whole data set, and
// maxXML that of one image.
const (
	maxText = 256 << 20
	maxXML  = 16 << 20
)

// Stem is a sample id as most lists write it: the file's name without folder
// and image extension ("/JPEGImages/2007_000032.jpg" → "2007_000032").
func Stem(name string) string { return path.Base(nameOf(name)) }

// nameOf is a name with its folders, below the root whatever it begins with,
// and without image extension.
func nameOf(name string) string {
	name = strings.ReplaceAll(strings.TrimSpace(name), `\`, "/")
	clean := strings.TrimLeft(path.Clean("/"+name), "/")
	if clean == "" {
		return path.Base(name) // ".", "..", "/": whoever reads it refuses it
	}
	return names.TrimExtension(clean)
}

// byID keys what a file says of images by their ids: by the name in the file
// and, where only one has it, the last part of that. id makes an id of a name;
// nil leaves it as it is.
func byID[T any](file map[string]T, id func(string) string) map[string]T {
	if id == nil {
		id = func(name string) string { return name }
	}
	out := make(map[string]T, len(file))
	stems := map[string]int{}
	for name, v := range file {
		out[key(id(name))] = v
		stems[path.Base(name)]++
	}
	for name, v := range file {
		if stem := path.Base(name); stem != name && stems[stem] == 1 {
			if _, taken := file[stem]; !taken {
				out[key(id(stem))] = v
			}
		}
	}
	return out
}

// key brings the two forms of accented letters together.
func key(id string) string { return norm.NFC.String(id) }

// parseFile opens a file for a parser and puts its name before the errors.
func parseFile[T any](path string, limit int64, parse func(io.Reader) (T, error)) (T, error) {
	var zero T
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return zero, err
	}
	defer f.Close()
	v, err := parse(&boundedReader{r: f, left: limit, limit: limit})
	if err != nil {
		return zero, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// boundedReader fails, rather than ends, past its limit: a cut-off label file
// must not pass for a whole one.
type boundedReader struct {
	r           io.Reader
	left, limit int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("file is larger than %d bytes", b.limit)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

// sortedUnique sorts tags and drops repetitions; the result is never nil.
func sortedUnique(tags []int) []int {
	if tags == nil {
		return []int{}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// pixel turns a coordinate of any size into an int; those far outside any
// image stay outside.
func pixel(f float64) int {
	const far = 1 << 30
	if math.IsNaN(f) {
		return -far
	}
	return int(math.Floor(min(max(f, -far), far)))
}
