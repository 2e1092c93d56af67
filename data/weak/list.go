package weak

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Row is one line of a split list.
type Row struct {
	ID    string // Stem of the first field
	Path  string // the first field with its folders, without extension
	Image string // the image's path as written, "" where the row has only an id
	Mask  string // the mask's path as written, or ""
	Tags  []int  // class indices 1.., nil where the row has none
}

// ReadList reads a split list. Its rows are any of (docs/sources.md §9)
//
//	2007_000032
//	COCO_train2014_000000000009 45 49 50
//	/JPEGImages/2007_000032.jpg
//	/JPEGImages/2007_000032.jpg /SegmentationClassAug/2007_000032.png
//
// The numbers of the second form, CLIP-ES's and L2G's, are classes counted
// from 0 without background; Row.Tags counts from 1. numClasses, background
// included, bounds them. Empty lines are skipped; an id that occurs twice is
// an error.
func ReadList(path string, numClasses int) ([]Row, error) {
	return parseFile(path, maxText, func(r io.Reader) ([]Row, error) { return ParseList(r, numClasses) })
}

// ParseList is ReadList on a stream.
func ParseList(r io.Reader, numClasses int) ([]Row, error) {
	var rows []Row
	seen := map[string]int{}
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<16)
	line := 0
	for scan.Scan() {
		line++
		fields := strings.Fields(scan.Text())
		if len(fields) == 0 {
			continue
		}
		row, err := parseRow(fields, numClasses)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if first := seen[row.Path]; first > 0 {
			return nil, fmt.Errorf("line %d: %q is on line %d already", line, row.Path, first)
		}
		seen[row.Path] = line
		rows = append(rows, row)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", line+1, err)
	}
	return rows, nil
}

func parseRow(fields []string, numClasses int) (Row, error) {
	row := Row{ID: Stem(fields[0]), Path: nameOf(fields[0])}
	if row.ID == "." || row.ID == ".." || row.ID == "/" {
		return Row{}, fmt.Errorf("%q is no image name", fields[0])
	}
	if isPath(fields[0]) {
		row.Image = fields[0]
	}
	for _, f := range fields[1:] {
		if isPath(f) {
			if row.Mask != "" || len(fields) > 2 {
				return Row{}, errors.New("more than one mask path")
			}
			row.Mask = f
			continue
		}
		c, err := strconv.Atoi(f)
		if err != nil {
			return Row{}, fmt.Errorf("%q is neither a mask path nor a class number", f)
		}
		if c < 0 || c >= numClasses-1 {
			return Row{}, fmt.Errorf("class number %d: allowed are 0..%d", c, numClasses-2)
		}
		row.Tags = append(row.Tags, c+1)
	}
	if row.Tags != nil {
		row.Tags = sortedUnique(row.Tags)
	}
	return row, nil
}

func isPath(field string) bool {
	return strings.ContainsAny(field, `/\`) || Stem(field) != field
}

// ReadIDs reads the sample ids of a list (ReadList, resolveRows).
func ReadIDs(path string, numClasses int, has func(id string) bool) ([]string, error) {
	rows, err := ReadList(path, numClasses)
	if err != nil {
		return nil, err
	}
	return resolveRows(rows, has, path)
}

// resolveRows makes sample ids of a list's rows. Of a path the shortest
// beginning is cut off that leaves an id of which has tells that there is an
// image ("JPEGImages/2007_000032" → "2007_000032", but "cam1/a" stays where that
// is an image); with none only the name counts. path names the list in errors.
func resolveRows(rows []Row, has func(id string) bool, path string) ([]string, error) {
	ids := make([]string, len(rows))
	seen := make(map[string]bool, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
		for rest, more := row.Path, strings.Contains(row.Path, "/"); more; {
			if has(rest) {
				ids[i] = rest
				break
			}
			_, rest, more = strings.Cut(rest, "/")
		}
		if seen[ids[i]] {
			return nil, fmt.Errorf("%s: image %q is listed twice", path, ids[i])
		}
		seen[ids[i]] = true
	}
	return ids, nil
}
