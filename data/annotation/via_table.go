package annotation

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
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
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	parse := viaRow.entry
	var columns []string // the first row's, where no comment names them
	if isVIA3Table(raw) {
		in.Comment = '#'
		var p via3Project
		if columns, err = p.readComments(raw); err != nil {
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

// isVIA3Table recognises the comments before a table of version 3.
func isVIA3Table(head []byte) bool {
	return bytes.HasPrefix(head, []byte("# Exported using VGG Image Annotator"))
}

// readComments takes the attributes from the comments before a table, and the
// names of its columns. Errors begin with the line.
func (p *via3Project) readComments(raw []byte) (columns []string, err error) {
	number := 0
	for line := range bytes.Lines(raw) {
		comment, is := strings.CutPrefix(string(line), "# ")
		if number++; !is {
			break
		}
		switch key, value, _ := strings.Cut(comment, " = "); key {
		case "ATTRIBUTE":
			if err := json.Unmarshal([]byte(value), &p.Attributes); err != nil {
				return nil, fmt.Errorf("%d: %s: %w", number, key, data.KeyError(err))
			}
		case "CSV_HEADER":
			columns = strings.Split(strings.TrimSpace(value), ",")
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
