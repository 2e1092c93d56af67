package annotation

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"wsss/data"
)

// viaRow is a row of one of VIA's tables: what stands in its columns.
type viaRow map[string]string

// readVIATable reads VIA's CSV, a row for each region.
func readVIATable(src *Source, file string) ([]viaEntry, error) {
	raw, err := src.read(file)
	if err != nil {
		return nil, err
	}
	in := csv.NewReader(bytes.NewReader(raw))
	in.FieldsPerRecord, in.LazyQuotes, in.Comma = -1, true, viaSeparator(raw)
	parse := viaRow.entry
	var columns []string // the first row's, where no comment names them
	if isVIA3Table(raw) {
		in.Comment = '#'
		var p via3Project
		if columns, err = p.readComments(raw, in.Comma); err != nil {
			return nil, data.Located(src.Path(file), err)
		}
		parse = p.entry
	}
	var entries []viaEntry
	for {
		cells, err := in.Read()
		if err == io.EOF {
			return entries, nil
		}
		line, _ := in.FieldPos(0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", src.Path(file), err)
		}
		if strings.Join(cells, "") == "" || in.Comment != 0 && strings.HasPrefix(cells[0], "#") { // a comment in quotes
			continue
		}
		if columns == nil {
			columns = cells
			for i, name := range columns {
				columns[i] = strings.TrimPrefix(strings.TrimSpace(name), "#")
			}
			continue
		}
		row := viaRow{}
		for i, text := range cells[:min(len(cells), len(columns))] {
			row[columns[i]] = text
		}
		from := fmt.Sprintf("%s:%d", src.Path(file), line)
		e, err := parse(row)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		e.file, e.from = file, from
		entries = append(entries, e)
	}
}

// decode reads the JSON in a column; an empty cell is nothing.
func (r viaRow) decode(column string, v any) error {
	if r[column] == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(r[column]), v); err != nil {
		return fmt.Errorf("%s: %w", column, data.KeyError(err))
	}
	return nil
}

// entry is the photo and the region of a row of versions 1 and 2; no region
// where the photo holds nothing.
func (r viaRow) entry() (viaEntry, error) {
	e := viaEntry{photo: r["filename"]}
	if shape := r["region_shape_attributes"]; shape == "" || shape == "{}" {
		return e, nil
	}
	e.regions = make([]viaRegion, 1)
	region := &e.regions[0]
	return e, cmp.Or(r.decode("region_shape_attributes", &region.Shape), r.decode("region_attributes", &region.Class))
}

// viaSeparator is what stands between the cells: another than the comma where a
// spreadsheet saved the table again.
func viaSeparator(raw []byte) rune {
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	if isVIA3Table(raw) {
		_, line, _ = bytes.Cut(raw, []byte("# CSV_HEADER"))
		line, _, _ = bytes.Cut(line, []byte("\n"))
	}
	best := ','
	for _, sep := range ";\t" {
		if bytes.Count(line, []byte(string(sep))) > bytes.Count(line, []byte(string(best))) {
			best = sep
		}
	}
	return best
}

// isVIA3Table recognises the comments before a table of version 3.
func isVIA3Table(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimPrefix(head, []byte{'"'}), []byte("# Exported using VGG Image Annotator"))
}

// readComments takes the attributes from the comments before a table, and the
// names of its columns. Errors begin with the line.
func (p *via3Project) readComments(raw []byte, sep rune) (columns []string, err error) {
	number := 0
	for line := range bytes.Lines(raw) {
		text := strings.TrimSpace(string(line))
		comment, is := strings.CutPrefix(strings.TrimPrefix(text, `"`), "# ")
		if number++; !is {
			if text == "" || strings.HasPrefix(text, "#") {
				continue
			}
			break
		}
		switch key, value, _ := strings.Cut(comment, " = "); key {
		case "ATTRIBUTE":
			if json.Unmarshal([]byte(value), &p.Attributes) == nil {
				continue
			}
			if err := json.Unmarshal([]byte(joinedCells(text, sep)), &p.Attributes); err != nil {
				return nil, fmt.Errorf("%d: %s: %w (where a spreadsheet saved the table again, export it from VIA once more, or save the project as JSON)", number, key, data.KeyError(err))
			}
		case "CSV_HEADER":
			for column := range strings.SplitSeq(strings.TrimRight(strings.TrimSpace(value), `"`+string(sep)), string(sep)) {
				columns = append(columns, strings.Trim(column, `" `))
			}
		}
	}
	for _, needed := range []string{"file_list", "spatial_coordinates", "metadata"} {
		if !slices.Contains(columns, needed) {
			return nil, fmt.Errorf("1: the comment CSV_HEADER names the columns %s: needed are file_list, spatial_coordinates and metadata, as VIA exports the regions of photos", strings.Join(columns, ", "))
		}
	}
	return columns, nil
}

// entry is the photo and the region of a row of version 3; no region of the
// whole photo.
func (p *via3Project) entry(r viaRow) (e viaEntry, err error) {
	var photos []string
	if err := r.decode("file_list", &photos); err != nil {
		return e, err
	}
	if len(photos) != 1 {
		return e, fmt.Errorf("file_list of %d files: allowed is one", len(photos))
	}
	e.photo = photos[0]
	var m via3Region
	if err := cmp.Or(r.decode("temporal_coordinates", &m.Time), r.decode("spatial_coordinates", &m.XY), r.decode("metadata", &m.Values)); err != nil {
		return e, err
	}
	e.regions, err = p.regions(m)
	return e, err
}

// joinedCells is the value of a comment that a spreadsheet took apart at its commas: it
// takes the quotes off the word that a cell begins with.
func joinedCells(line string, sep rune) string {
	in := csv.NewReader(strings.NewReader(line))
	in.LazyQuotes, in.Comma = true, sep
	cells, err := in.Read()
	if err != nil {
		return ""
	}
	for len(cells) > 1 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	for i, cell := range cells[1:] {
		cells[i+1] = bareKey.ReplaceAllString(cell, `"$1":`)
	}
	_, value, _ := strings.Cut(strings.Join(cells, ","), " = ")
	return value
}

// bareKey is a key of JSON that lost its quotes.
var bareKey = regexp.MustCompile(`^(\w+):`)
