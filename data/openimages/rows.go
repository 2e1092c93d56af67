package openimages

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// maxLine bounds a row; the longest official one has about 120 bytes.
const maxLine = 64 << 10

// RowError is a malformed row of a CSV file.
type RowError struct {
	File string
	Line int64 // counted from 1, the header
	Err  error
}

func (e *RowError) Error() string { return fmt.Sprintf("%s: line %d: %v", e.File, e.Line, e.Err) }

// Unwrap returns what is wrong with the row.
func (e *RowError) Unwrap() error { return e.Err }

// rows splits a CSV stream into fields, without allocating.
type rows struct {
	r      *bufio.Reader
	fields [][]byte
	line   int64 // of the last row
	offset int64 // of its end in the file
}

func newRows(r io.Reader) *rows { return &rows{r: bufio.NewReaderSize(r, maxLine)} }

var (
	errLongLine = fmt.Errorf("longer than %d bytes", maxLine)
	errQuotes   = errors.New("unbalanced quotes")
)

// next returns the fields of the next row, valid until the next call. An error
// other than io.EOF and of reading concerns this row alone. Empty lines are
// passed over.
func (r *rows) next() (fields [][]byte, bad, err error) {
	for {
		line, err := r.r.ReadSlice('\n')
		r.offset += int64(len(line))
		long := false
		for errors.Is(err, bufio.ErrBufferFull) {
			long = true
			line, err = r.r.ReadSlice('\n')
			r.offset += int64(len(line))
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0 && !long) {
			return nil, nil, err
		}
		r.line++
		if long {
			return nil, errLongLine, nil
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if len(line) == 0 {
			continue
		}
		if bytes.IndexByte(line, '"') >= 0 {
			fields, bad = quoted(line)
			return fields, bad, nil
		}
		r.fields = r.fields[:0]
		for {
			i := bytes.IndexByte(line, ',')
			if i < 0 {
				break
			}
			r.fields = append(r.fields, line[:i])
			line = line[i+1:]
		}
		r.fields = append(r.fields, line)
		return r.fields, nil, nil
	}
}

// quoted splits the rare row with quotes. No official field spans lines.
func quoted(line []byte) ([][]byte, error) {
	row, err := csv.NewReader(bytes.NewReader(line)).Read()
	if err != nil {
		return nil, errQuotes
	}
	fields := make([][]byte, len(row))
	for i, f := range row {
		fields[i] = []byte(f)
	}
	return fields, nil
}

// imageID reads 16 hexadecimal digits.
func imageID(b []byte) (uint64, error) {
	if len(b) != 16 {
		return 0, fmt.Errorf("ImageID %q: want 16 hexadecimal digits", clip(b))
	}
	var id uint64
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, fmt.Errorf("ImageID %q: want 16 hexadecimal digits", clip(b))
		}
		id = id<<4 | uint64(c)
	}
	return id, nil
}

// unit reads a number in [0, 1].
func unit(name string, b []byte) (float64, error) {
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > 1 {
		return 0, fmt.Errorf("%s %q: want a number in [0, 1]", name, clip(b))
	}
	return v, nil
}

// clip shortens foreign text for a message.
func clip(b []byte) []byte {
	if len(b) > 40 {
		return b[:40]
	}
	return b
}
