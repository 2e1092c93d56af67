package maskcode

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/text"
)

// TableName is the file that Roboflow writes beside masks: rows of pixel value
// and class.
const TableName = "_classes.csv"

// ClassesOf reads the class names of a data set's labelmap.txt or _classes.csv,
// in its root or in the folder train, background first; nil where it has none.
func ClassesOf(root string) ([]string, error) {
	entries, err := readLabelmap(filepath.Join(root, LabelmapName))
	switch {
	case err == nil && len(entries) > 0:
		return Names(entries), nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	for _, dir := range []string{"", "train"} {
		path := filepath.Join(root, dir, TableName)
		f, _, err := files.OpenRegular(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		names, err := parseTable(io.LimitReader(f, maxLabelmap))
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s:%w", path, err)
		}
		return names, nil
	}
	return nil, nil
}

// parseTable reads rows "value, name" below a header. A table of other columns,
// as that of image tags, which Roboflow calls the same, is none.
func parseTable(r io.Reader) ([]string, error) {
	r, err := text.Reader(r, "")
	if err != nil {
		return nil, err
	}
	in := csv.NewReader(r)
	in.TrimLeadingSpace = true
	in.FieldsPerRecord = -1
	head, err := in.Read()
	if err != nil || len(head) != 2 || !strings.EqualFold(strings.TrimSpace(head[0]), "pixel value") {
		return nil, nil
	}
	names := []string{}
	for line := 2; ; line++ {
		row, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%d: %w", line, err)
		}
		v, err := strconv.Atoi(strings.TrimSpace(row[0]))
		if err != nil || v != len(names) || len(row) != 2 || v >= data.MaxClasses {
			return nil, fmt.Errorf("%d: %.80q: allowed are rows of a pixel value and a class, from 0 on", line, row)
		}
		names = append(names, strings.TrimSpace(row[1]))
	}
	if len(names) == 0 || !IsBackground(names[0]) {
		return nil, errors.New("1: class 0 is not background")
	}
	names[0] = "background"
	return names, nil
}
