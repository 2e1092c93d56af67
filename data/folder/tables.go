package folder

import (
	"bytes"
	"slices"
	"strings"

	"wsss/data/annotation"
)

// tableFormat is the name of CSV tables that are called otherwise than wsss'
// own, or lie in subfolders.
const tableFormat = "table"

func init() {
	annotation.Register(annotation.Format{
		Name:  tableFormat,
		What:  "CSV tables of any other name that are laid out like wsss' own: Roboflow's _annotations.csv and _classes.csv, TensorFlow's",
		Signs: map[string]func([]byte) bool{".csv": isTable},
		Find: func(src *annotation.Source) []string {
			return slices.DeleteFunc(src.Signed(tableFormat), func(file string) bool { return slices.Contains(labelFiles, file) })
		},
		Read: readOwn,
	})
}

// isTable recognises a first row of known columns; of a column for each class
// the second row must be 0 and 1, since anything else could be called anything.
func isTable(head []byte) bool {
	in, err := tableReader(bytes.NewReader(head))
	if err != nil {
		return false
	}
	first, err := in.Read()
	if err != nil {
		return false
	}
	t, err := newTable(slices.Clone(first), false)
	if err != nil {
		return false
	}
	if len(t.classes) == 0 {
		return true
	}
	t.record, err = in.Read()
	return err == nil && !slices.ContainsFunc(t.classes, func(c classColumn) bool {
		return c.at >= len(t.record) || !slices.Contains([]string{"0", "1", "0.0", "1.0"}, strings.TrimSpace(t.record[c.at]))
	})
}
