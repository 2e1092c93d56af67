package folder

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"wsss/data"
)

// columns that a CSV label file may have.
var columns = []string{"image", "tags", "class", "x", "y", "rank", "scribble", "x0", "y0", "x1", "y1", "difficult", "crowd"}

// otherNames are those that other tools give to the columns: TensorFlow's
// tables, spreadsheets, and what people call things.
var otherNames = map[string]string{
	"filename": "image", "file_name": "image", "file": "image", "image_path": "image", "imagepath": "image",
	"image_name": "image", "img": "image", "img_path": "image", "path": "image", "image_id": "image", "imageid": "image",
	"img_id": "image", "img_name": "image", "image_file": "image", "image_filename": "image", "filepath": "image", "file_path": "image", "photo": "image",
	"label": "class", "class_name": "class", "classname": "class", "category": "class", "label_name": "class", "category_name": "class",
	"labels": "tags", "classes": "tags",
	"xmin": "x0", "x_min": "x0", "left": "x0", "ymin": "y0", "y_min": "y0", "top": "y0",
	"xmax": "x1", "x_max": "x1", "right": "x1", "ymax": "y1", "y_max": "y1", "bottom": "y1",
	"bbox_x": "x0", "bbox_y": "y0", "bbox_width": "w", "bbox_height": "h",
	"iscrowd": "crowd",
}

// unusedColumns are columns of other tools that labels do without.
var unusedColumns = []string{
	"width", "height", "image_width", "image_height", "depth", "id", "score", "confidence", "conf", "area",
	"pose", "truncated", "occluded", "folder", "segmented", "class_id", "category_id", "unnamed: 0",
}

// separators that may stand between the cells of a table.
const separators = ",;\t|"

// separator finds out what stands between the cells, by the first line that is
// not empty: the sign that occurs most outside quotes. A line "sep=;", with
// which spreadsheets say so, is taken.
func separator(in *bufio.Reader) (rune, error) {
	for {
		head, err := in.Peek(1 << 16)
		if len(head) == 0 {
			return ',', nil // empty, which the first row tells
		}
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return 0, err
		}
		line, _, whole := strings.Cut(string(head), "\n")
		trimmed := strings.TrimSpace(line)
		sep, named := strings.CutPrefix(strings.ToLower(strings.Trim(trimmed, `"`)), "sep=")
		if named && len(sep) == 1 && strings.Contains(separators, sep) && whole {
			_, err := in.Discard(len(line) + 1)
			return rune(sep[0]), err
		}
		if strings.Trim(trimmed, separators+`"`) == "" && whole {
			if _, err := in.Discard(len(line) + 1); err != nil {
				return 0, err
			}
			continue
		}
		best, most := ',', 0
		for _, c := range separators {
			n, quoted := 0, false
			for _, r := range line {
				if r == '"' {
					quoted = !quoted
				} else if r == c && !quoted {
					n++
				}
			}
			if n > most {
				best, most = c, n
			}
		}
		return best, nil
	}
}

// newTable reads the row that names the columns.
func newTable(head []string, decimalComma bool) (*table, error) {
	t := &table{column: map[string]int{}, width: len(head), decimalComma: decimalComma}
	written := make([]string, len(head))
	for i, name := range head {
		written[i] = strings.ToLower(strings.TrimSpace(name))
	}
	sized := sizedBoxes(written)
	var unknown []int
	for i, name := range written {
		known := name
		if other, ok := otherNames[name]; ok {
			known = other
		}
		switch {
		// x1, y1, x2, y2 and x, y, w, h are boxes of two other conventions.
		case slices.Contains(written, "x2") && slices.Contains(written, "y2") && slices.Contains([]string{"x1", "y1", "x2", "y2"}, name):
			known = map[string]string{"x1": "x0", "y1": "y0", "x2": "x1", "y2": "y1"}[name]
		case slices.Contains(written, "w") && slices.Contains(written, "h") && slices.Contains([]string{"x", "y", "w", "h"}, name):
			known = map[string]string{"x": "x0", "y": "y0", "w": "w", "h": "h"}[name]
		case sized && slices.Contains([]string{"x", "y", "width", "height"}, name):
			known = map[string]string{"x": "x0", "y": "y0", "width": "w", "height": "h"}[name]
		case name == "":
			t.empty = append(t.empty, i)
			continue
		case slices.Contains(unusedColumns, name):
			continue
		case !slices.Contains(columns, known) && known != "w" && known != "h":
			unknown = append(unknown, i)
			continue
		}
		if first, dup := t.column[known]; dup {
			if written[first] == name {
				return nil, fmt.Errorf("column %.60q occurs twice", name)
			}
			return nil, fmt.Errorf("columns %.60q and %.60q are both the %s", written[first], name, known)
		}
		t.column[known] = i
	}
	if len(unknown) == 0 {
		return t, t.check(head)
	}
	t.strange = fmt.Errorf("column %.60q is unknown: allowed are %s", written[unknown[0]], strings.Join(columns, ", "))
	if !t.has("image") || len(t.column) > 1 {
		return nil, t.strange
	}
	for _, i := range unknown { // a column for each class
		if name := strings.TrimSpace(head[i]); strings.ToLower(name) != "background" {
			t.classes = append(t.classes, classColumn{name: name, at: i})
		}
	}
	return t, nil
}

// sizedBoxes tells whether columns width and height are those of boxes: where
// there is a corner, but neither the other one nor sides of another name.
func sizedBoxes(written []string) bool {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(written, name) })
	}
	corner := has("x") && has("y")
	for name, known := range otherNames {
		if known == "x0" && has(name) {
			corner = true
		}
		if (known == "x1" || known == "w") && has(name) {
			return false
		}
	}
	return corner && has("width") && has("height") && !has("x0", "x1", "x2", "w", "rank")
}

// classColumn is a column of a table that has one for each class.
type classColumn struct {
	name  string
	at    int
	class int // 0: not looked up yet
}

// oneOfAll reads a row of such a table: 1 where the photo shows the class.
func (t *table) oneOfAll(w *data.WeakLabels, s sink) error {
	for i := range t.classes {
		c, text := &t.classes[i], ""
		if c.at < len(t.record) {
			text = strings.TrimSpace(t.record[c.at])
		}
		set, err := strconv.ParseBool(cmp.Or(strings.TrimSuffix(text, ".0"), "0"))
		if err != nil {
			return fmt.Errorf("%.60s = %.40q: allowed are 0 and 1, of a table with a column for each class; else %w", c.name, text, t.strange)
		}
		if c.class == 0 {
			if c.class, err = s.find(c.name, 1); err != nil {
				return fmt.Errorf("column %w", err)
			}
			if s.columns != nil {
				*s.columns = append(*s.columns, c.name)
			}
		}
		if set {
			w.Tags = append(w.Tags, c.class)
			s.count(c.class, c.name)
		}
	}
	return nil
}

// check tells which columns must occur together.
func (t *table) check(head []string) error {
	if !t.has("image") || len(t.column) < 2 {
		return fmt.Errorf("the columns are %.200s: needed are image and tags, class or a form of label", strings.Join(head, ", "))
	}
	edges := []string{"x0", "y0", "x1", "y1"}
	if t.has("w") {
		edges = []string{"x0", "y0", "w", "h"}
	}
	for _, group := range [][]string{{"x", "y"}, edges} {
		for _, name := range group {
			if t.has(group[0]) != t.has(name) || t.has(name) && !t.has("class") {
				return fmt.Errorf("columns %s and class must occur together", strings.Join(group, ", "))
			}
		}
	}
	if t.has("scribble") && !t.has("class") {
		return errors.New("columns scribble and class must occur together")
	}
	return nil
}
