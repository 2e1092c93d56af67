package folder

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"strconv"
	"strings"

	"wsss/data"
	"wsss/data/text"
)

// ParseCSV reads a label table. The first row names the columns, in any order;
// image is the path below the image folder, with or without extension. What a
// row is follows from its cells, so that one file may hold every form:
//
//	image,tags                              cat;dog
//	image,cat,dog                           a column for each class, of 0 and 1
//	image,class                             one tag per row
//	image,class,x,y[,rank]                  a point, 0-based pixel
//	image,class,scribble                    "x y;x y;…", 0-based pixels
//	image,class,x0,y0,x1,y1[,difficult,crowd]  a box: pixels x0 <= x < x1
//
// A class is a name or a label value. An image with a row but empty cells has
// an empty list of the forms that the header names: it holds nothing. Images
// for which known is false are errors. Errors name the line, the column, its
// value and what is allowed.
func ParseCSV(r io.Reader, classes data.Classes, known func(id string) bool) (map[string]*data.WeakLabels, error) {
	return collect(parseCSV, r, classes, known)
}

func collect(parse func(io.Reader, sink) error, r io.Reader, classes data.Classes, known func(id string) bool) (map[string]*data.WeakLabels, error) {
	s := sink{labels: map[string]*data.WeakLabels{}, classes: classes, known: known}
	if err := parse(r, s); err != nil {
		return nil, fmt.Errorf("line %w", err)
	}
	for _, w := range s.labels {
		finish(w)
	}
	return s.labels, nil
}

// table is a CSV file being read.
type table struct {
	column       map[string]int
	classes      []classColumn // of a table with a column for each class
	strange      error         // what else such a table is
	width        int           // columns of the first row
	empty        []int         // columns without a name, whose cells must be empty
	record       []string
	decimalComma bool // "10,5" is a number
}

// parseCSV is ParseCSV into a sink; errors begin with the line's number. It
// goes on after a bad line, so that all are told at once.
func parseCSV(r io.Reader, s sink) error {
	plain, err := text.Reader(r, s.encoding)
	if err != nil {
		return fmt.Errorf("1: %w", err)
	}
	in, err := tableReader(plain)
	if err != nil {
		return fmt.Errorf("1: %w", err)
	}
	head, err := in.Read()
	if err != nil {
		return csvError(err)
	}
	t, err := newTable(slices.Clone(head), in.Comma != ',')
	if err != nil {
		return fmt.Errorf("1: %w", err)
	}
	bad := &data.LineErrors{}
	for rows := 0; ; rows++ {
		t.record, err = in.Read()
		if err == io.EOF {
			if rows == 0 && t.strange != nil {
				return fmt.Errorf("1: %w", t.strange)
			}
			break
		}
		if err != nil {
			if len(bad.Lines) == 0 {
				return csvError(err)
			}
			bad.AddItem(csvError(err).Error())
			break
		}
		if !slices.ContainsFunc(t.record, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue
		}
		if err := t.row(s); err != nil {
			line, _ := in.FieldPos(0)
			if err = s.leave(fmt.Sprintf("%d: ", line), err); err != nil {
				bad.Add(line, err)
			}
		}
	}
	return bad.Err()
}

// tableReader reads cells, whatever stands between them; records are reused.
func tableReader(r io.Reader) (*csv.Reader, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	sep, err := separator(buffered)
	if err != nil {
		return nil, err
	}
	in := csv.NewReader(buffered)
	in.Comma = sep
	in.TrimLeadingSpace = sep != '\t' // it would take empty cells for space
	in.FieldsPerRecord = -1           // spreadsheets leave out empty cells
	in.ReuseRecord = true
	return in, nil
}

func csvError(err error) error {
	var parse *csv.ParseError
	switch {
	case err == io.EOF:
		return errors.New("1: empty: the first row must name the columns")
	case errors.As(err, &parse):
		return fmt.Errorf("%d: %w", parse.Line, parse.Err)
	}
	return fmt.Errorf("1: %w", err)
}

func (t *table) has(name string) bool { _, ok := t.column[name]; return ok }

func (t *table) cell(name string) string {
	i, ok := t.column[name]
	if !ok || i >= len(t.record) {
		return ""
	}
	return strings.TrimSpace(t.record[i])
}

// parseNumber reads a number of the table.
func (t *table) parseNumber(text string) (float64, error) {
	if t.decimalComma && strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1)
	}
	return strconv.ParseFloat(text, 64)
}

// number reads a cell.
func (t *table) number(name string) (float64, error) {
	text := t.cell(name)
	v, err := t.parseNumber(text)
	if err != nil {
		return 0, fmt.Errorf("%s = %.40q: allowed is a number", name, text)
	}
	return v, nil
}

// row adds one row to the labels of its image.
func (t *table) row(s sink) error {
	for i, cell := range t.record {
		if !t.named(i) && strings.TrimSpace(cell) != "" {
			return fmt.Errorf("cell %d is %.40q: its column has no name", i+1, cell)
		}
	}
	w, err := s.image(t.cell("image"))
	if err != nil || w == nil {
		return err
	}
	t.declare(w)
	if len(t.classes) > 0 {
		return t.oneOfAll(w, s)
	}
	for tag := range strings.FieldsFuncSeq(t.cell("tags"), func(r rune) bool { return r == ';' || r == '|' }) {
		c, err := s.class(strings.TrimSpace(tag), 1)
		if err != nil {
			return fmt.Errorf("tags = %w (separated by ;)", err)
		}
		w.Tags = append(w.Tags, c)
	}
	point := t.cell("x")+t.cell("y") != ""
	box := t.cell("x0")+t.cell("y0")+t.cell("x1")+t.cell("y1")+t.cell("w")+t.cell("h") != ""
	scribble := t.cell("scribble") != ""
	if !point && !box && !scribble && t.cell("class") == "" {
		return nil // the image holds nothing
	}
	low := 1 // points and scribbles may lie on the background
	if !box && (point || scribble) {
		low = 0
	}
	class, err := s.class(t.cell("class"), low)
	if err != nil {
		return fmt.Errorf("class = %w", err)
	}
	if point {
		err = errors.Join(err, t.point(w, class))
	}
	if scribble {
		err = errors.Join(err, t.scribble(w, class))
	}
	if box {
		boxErr := t.box(w, class)
		if err != nil && boxErr != nil {
			boxErr = fmt.Errorf("box: %v", boxErr) // one that covers nothing is not all that is wrong
		}
		err = errors.Join(err, boxErr)
	}
	if !point && !box && !scribble {
		w.Tags = append(w.Tags, class)
	}
	return err
}

// declare marks the forms of the header as available for an image.
func (t *table) declare(w *data.WeakLabels) {
	geometry := false
	if t.has("x") {
		needNonNil(&w.Points)
		geometry = true
	}
	if t.has("scribble") {
		needNonNil(&w.Scribbles)
		geometry = true
	}
	if t.has("x0") {
		needNonNil(&w.Boxes)
		geometry = true
	}
	if t.has("tags") || !geometry {
		needNonNil(&w.Tags)
	}
}

// named tells whether a column has a name, be it one that labels do without.
func (t *table) named(i int) bool { return i < t.width && !slices.Contains(t.empty, i) }

func (t *table) point(w *data.WeakLabels, class int) error {
	var at [2]int
	for i, name := range []string{"x", "y"} {
		v, err := t.number(name)
		if err != nil {
			return err
		}
		if at[i], err = pixel(v); err != nil {
			return fmt.Errorf("%s = %w", name, err)
		}
	}
	rank := 0
	if cell := t.cell("rank"); cell != "" {
		var err error
		if rank, err = strconv.Atoi(cell); err != nil || rank < 0 || rank > maxCoordinate {
			return fmt.Errorf("rank = %.40q: allowed is the number of the click, 1 for the first, or 0", cell)
		}
	}
	w.Points = append(w.Points, data.Point{X: at[0], Y: at[1], Class: class, Rank: rank})
	return nil
}

func (t *table) scribble(w *data.WeakLabels, class int) error {
	text := t.cell("scribble")
	var points []image.Point
	for pair := range strings.SplitSeq(text, ";") {
		xy := strings.Fields(pair)
		if len(xy) == 0 {
			continue // a final semicolon
		}
		if len(xy) != 2 {
			return fmt.Errorf("scribble point %.60q: allowed is \"x y\", with ; between points", pair)
		}
		var at [2]int
		for i, number := range xy {
			v, err := t.parseNumber(number)
			if err != nil {
				return fmt.Errorf("scribble point %.60q: allowed is \"x y\", two numbers", pair)
			}
			if at[i], err = pixel(v); err != nil {
				return fmt.Errorf("scribble point %.60q: %w", pair, err)
			}
		}
		points = append(points, image.Pt(at[0], at[1]))
	}
	line, err := newScribble(class, points)
	if err == nil {
		w.Scribbles = append(w.Scribbles, line)
	}
	return err
}

func (t *table) box(w *data.WeakLabels, class int) error {
	var edge [4]float64
	names := []string{"x0", "y0", "x1", "y1"}
	if t.has("w") {
		names = []string{"x0", "y0", "w", "h"}
	}
	for i, name := range names {
		var err error
		if edge[i], err = t.number(name); err != nil {
			return err
		}
	}
	if t.has("w") {
		edge[2], edge[3] = edge[0]+edge[2], edge[1]+edge[3]
	}
	var flag [2]bool
	for i, name := range []string{"difficult", "crowd"} {
		text := t.cell(name)
		if text == "" {
			continue
		}
		var err error
		if flag[i], err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("%s = %.40q: allowed are 0, 1, true, false", name, text)
		}
	}
	b, err := newBox(edge[0], edge[1], edge[2], edge[3], class, flag[0], flag[1])
	if err == nil {
		w.Boxes = append(w.Boxes, b)
	}
	return err
}
