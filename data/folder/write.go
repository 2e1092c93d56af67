package folder

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
)

// Record is one image's labels on their way to a file.
type Record struct {
	ID   string
	W, H int // size of the image, pixels
	Weak data.WeakLabels
}

// WriteCSV writes the forms of labels that any record has as tags.csv,
// points.csv, scribbles.csv and boxes.csv below dir, each atomically. Open
// reads them back to the same labels. Forms that a record lacks (nil) leave it
// out of that file. It returns the files it wrote.
func WriteCSV(dir string, records []Record, classes data.Classes) ([]string, error) {
	if err := checkWritable(classes); err != nil {
		return nil, err
	}
	var written []string
	for _, f := range []struct {
		name, head string
		rows       func(r Record) [][]string // nil where the form is not available
	}{
		{"tags.csv", "image,tags", func(r Record) [][]string { return tagRows(r, classes) }},
		{"points.csv", "image,class,x,y,rank", func(r Record) [][]string { return pointRows(r, classes) }},
		{"scribbles.csv", "image,class,scribble", func(r Record) [][]string { return scribbleRows(r, classes) }},
		{"boxes.csv", "image,class,x0,y0,x1,y1,difficult,crowd", func(r Record) [][]string { return boxRows(r, classes) }},
	} {
		if !anyRows(records, f.rows) {
			continue
		}
		path := filepath.Join(dir, f.name)
		err := files.WriteAtomic(path, func(w io.Writer) error {
			out := csv.NewWriter(w)
			head := strings.Split(f.head, ",")
			if err := out.Write(head); err != nil {
				return err
			}
			for _, r := range records {
				for _, row := range f.rows(r) {
					cells := make([]string, len(head)) // an image that holds nothing has empty cells
					copy(cells, append([]string{r.ID}, row...))
					if err := out.Write(cells); err != nil {
						return err
					}
				}
			}
			out.Flush()
			return out.Error()
		})
		if err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}

func anyRows(records []Record, rows func(Record) [][]string) bool {
	for _, r := range records {
		if rows(r) != nil {
			return true
		}
	}
	return false
}

// orEmpty makes the one row without cells of an image that holds nothing.
func orEmpty(rows [][]string, available bool) [][]string {
	if len(rows) == 0 && available {
		return [][]string{nil}
	}
	return rows
}

func tagRows(r Record, classes data.Classes) [][]string {
	if r.Weak.Tags == nil {
		return nil
	}
	names := make([]string, len(r.Weak.Tags))
	for i, c := range r.Weak.Tags {
		names[i] = classes.Name(c)
	}
	return [][]string{{strings.Join(names, ";")}}
}

func pointRows(r Record, classes data.Classes) (rows [][]string) {
	for _, p := range r.Weak.Points {
		rows = append(rows, []string{classes.Name(p.Class), strconv.Itoa(p.X), strconv.Itoa(p.Y), strconv.Itoa(p.Rank)})
	}
	return orEmpty(rows, r.Weak.Points != nil)
}

func scribbleRows(r Record, classes data.Classes) (rows [][]string) {
	for _, s := range r.Weak.Scribbles {
		points := make([]string, len(s.Points))
		for i, p := range s.Points {
			points[i] = fmt.Sprintf("%d %d", p.X, p.Y)
		}
		rows = append(rows, []string{classes.Name(s.Class), strings.Join(points, ";")})
	}
	return orEmpty(rows, r.Weak.Scribbles != nil)
}

func boxRows(r Record, classes data.Classes) (rows [][]string) {
	for _, b := range r.Weak.Boxes {
		row := []string{classes.Name(b.Class)}
		for _, v := range []float32{b.X0, b.Y0, b.X1, b.Y1} {
			row = append(row, strconv.FormatFloat(float64(v), 'f', -1, 32))
		}
		rows = append(rows, append(row, flag(b.Difficult), flag(b.Crowd)))
	}
	return orEmpty(rows, r.Weak.Boxes != nil)
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// WriteJSON writes all labels to one JSON file, one line per image,
// atomically. Open reads it back to the same labels.
func WriteJSON(path string, records []Record, classes data.Classes) error {
	if err := checkWritable(classes); err != nil {
		return err
	}
	return files.WriteAtomic(path, func(w io.Writer) error { return encodeJSON(w, records, classes) })
}

// checkWritable refuses names of classes that could not be read back.
func checkWritable(classes data.Classes) error {
	for i, name := range classes.Names {
		if strings.ContainsAny(name, nameEnds) {
			return fmt.Errorf("class %d has the name %q: allowed in wsss' own files is text without ; | and line breaks; choose another format, or rename the class", i, name)
		}
	}
	return nil
}

func encodeJSON(w io.Writer, records []Record, classes data.Classes) error {
	buf := bufio.NewWriter(w)
	for i, r := range records {
		open := ",\n"
		if i == 0 {
			open = "{\n"
		}
		key, err := json.Marshal(r.ID)
		if err != nil {
			return err
		}
		value, err := json.Marshal(entryOf(r.Weak, classes))
		if err != nil {
			return err
		}
		fmt.Fprintf(buf, "%s%s: %s", open, key, value)
	}
	if len(records) == 0 {
		buf.WriteString("{")
	}
	buf.WriteString("\n}\n")
	return buf.Flush()
}

func entryOf(w data.WeakLabels, classes data.Classes) (e imageJSON) {
	name := func(c int) classJSON { return classJSON(classes.Name(c)) }
	if w.Tags != nil {
		e.Tags = []classJSON{}
	}
	for _, c := range w.Tags {
		e.Tags = append(e.Tags, name(c))
	}
	if w.Points != nil {
		e.Points = []pointJSON{}
	}
	for _, p := range w.Points {
		e.Points = append(e.Points, pointJSON{name(p.Class), new(float64(p.X)), new(float64(p.Y)), p.Rank})
	}
	if w.Scribbles != nil {
		e.Scribbles = []scribbleJSON{}
	}
	for _, s := range w.Scribbles {
		line := scribbleJSON{Class: name(s.Class), Points: [][]float64{}}
		for _, p := range s.Points {
			line.Points = append(line.Points, []float64{float64(p.X), float64(p.Y)})
		}
		e.Scribbles = append(e.Scribbles, line)
	}
	if w.Boxes != nil {
		e.Boxes = []boxJSON{}
	}
	for _, b := range w.Boxes {
		e.Boxes = append(e.Boxes, boxJSON{
			name(b.Class), edge(b.X0), edge(b.Y0), edge(b.X1), edge(b.Y1), b.Difficult, b.Crowd,
		})
	}
	return e
}

// edge keeps the short decimal form of a float32: 0.1, not 0.10000000149.
func edge(v float32) *float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil {
		short = float64(v)
	}
	return &short
}
