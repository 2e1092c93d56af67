package weak

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"wsss/data"
	"wsss/data/weak/npy"
)

// ReadTags reads the image tags of a whole data set, in the format that the
// file's extension names: .npy (readClsLabels), .txt (ReadList) or .csv
// (ReadTagCSV). The result maps sample ids to class indices 1.., ascending.
// id makes a sample id from the name in the file, whose folder and image
// extension are gone already; nil leaves it as it is.
func ReadTags(path string, classes data.Classes, id func(string) string) (map[string][]int, error) {
	var tags map[string][]int
	var err error
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".npy":
		tags, err = readClsLabels(path, classes.Len())
	case ".csv":
		tags, err = ReadTagCSV(path, classes)
	case ".txt":
		tags, err = readListTags(path, classes.Len())
	default:
		return nil, fmt.Errorf("%s: image tags are read from .npy, .txt and .csv", path)
	}
	return byID(tags, id), err
}

func readListTags(path string, numClasses int) (map[string][]int, error) {
	rows, err := ReadList(path, numClasses)
	if err != nil {
		return nil, err
	}
	tags := make(map[string][]int, len(rows))
	for _, row := range rows {
		if row.Tags != nil {
			tags[row.Path] = row.Tags
		}
	}
	if len(tags) == 0 && len(rows) > 0 {
		return nil, fmt.Errorf("%s: no line has class numbers after the image name", path)
	}
	return tags, nil
}

// readClsLabels reads cls_labels.npy: a pickled dictionary from image name or
// number to a vector with one value per class, present where > 0. The vector
// has a value for the background or none (numClasses or numClasses-1 values).
// Numbers come back as decimal text (docs/sources.md §9: IRN writes 2007_000032 as
// 2007000032).
func readClsLabels(path string, numClasses int) (map[string][]int, error) {
	v, err := npy.ReadObject(path)
	if err != nil {
		return nil, err
	}
	tags, err := clsLabels(v, numClasses)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return tags, nil
}

func clsLabels(v any, numClasses int) (map[string][]int, error) {
	dict, ok := v.(*npy.Dict)
	if !ok {
		return nil, errors.New("not a dictionary from image name to label vector")
	}
	tags := make(map[string][]int, len(dict.Keys))
	for i, key := range dict.Keys {
		var name string
		switch k := key.(type) {
		case string:
			name = nameOf(k)
		case int64:
			name = strconv.FormatInt(k, 10)
		default:
			return nil, fmt.Errorf("entry %d: the image name is a %T", i, key)
		}
		vector, ok := dict.Values[i].(*npy.Array)
		if !ok || len(vector.Shape) != 1 {
			return nil, fmt.Errorf("image %s: the value is not a label vector", name)
		}
		first := 1
		switch vector.Len() {
		case numClasses:
			first = 0
		case numClasses - 1:
		default:
			return nil, fmt.Errorf("image %s: vector of %d values: allowed are %d, and %d with background",
				name, vector.Len(), numClasses-1, numClasses)
		}
		list := []int{}
		for c, v := range vector.Float32() {
			if v > 0 && c+first > 0 {
				list = append(list, c+first)
			}
		}
		tags[name] = list
	}
	return tags, nil
}

// ReadTagCSV reads rows "id,tags": the tags are class names or label values
// (1 is the first class after the background, as in the masks), separated by
// spaces, semicolons, bars or further columns. Names that contain a space need
// one of the latter three. A first row whose id is "id", "image", "image_id",
// "name", "file" or "filename" is a header.
func ReadTagCSV(path string, classes data.Classes) (map[string][]int, error) {
	return parseFile(path, maxText, func(r io.Reader) (map[string][]int, error) { return ParseTagCSV(r, classes) })
}

// ParseTagCSV is ReadTagCSV on a stream.
func ParseTagCSV(r io.Reader, classes data.Classes) (map[string][]int, error) {
	buf := bufio.NewReader(r)
	if bom, _ := buf.Peek(3); string(bom) == "\ufeff" { // spreadsheets write one
		buf.Discard(3)
	}
	in := csv.NewReader(buf)
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = true
	in.ReuseRecord = true
	tags := map[string][]int{}
	for first := true; ; first = false {
		record, err := in.Read()
		if err == io.EOF {
			return tags, nil
		}
		if err != nil {
			return nil, err
		}
		if first && isHeader(record[0]) {
			continue
		}
		line, _ := in.FieldPos(0)
		id := nameOf(record[0])
		if _, dup := tags[id]; dup {
			return nil, fmt.Errorf("line %d: %q has a line already", line, id)
		}
		list := []int{}
		for _, field := range record[1:] {
			if list, err = appendTags(list, field, classes); err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
		}
		tags[id] = sortedUnique(list)
	}
}

func isHeader(field string) bool {
	switch strings.ToLower(field) {
	case "id", "image", "image_id", "name", "file", "filename":
		return true
	}
	return false
}

// appendTags reads one CSV field.
func appendTags(list []int, field string, classes data.Classes) ([]int, error) {
	for _, part := range strings.FieldsFunc(field, func(r rune) bool { return r == ';' || r == '|' }) {
		part = strings.TrimSpace(part)
		words := strings.Fields(part)
		if classes.Index(part) > 0 {
			words = []string{part}
		}
		for _, word := range words {
			c := classes.Index(word)
			if n, err := strconv.Atoi(word); err == nil && c < 0 {
				c = n
			}
			if c < 1 || c >= classes.Len() {
				return nil, fmt.Errorf("tag %q is neither a class name nor a label value 1..%d (separate names that hold spaces with ;)",
					word, classes.Len()-1)
			}
			list = append(list, c)
		}
	}
	return list, nil
}
