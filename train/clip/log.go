package clip

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// LogFile is the metrics log in a run folder: one Record per line, as JSON. It
// holds no times, so that a resumed run writes the same bytes.
const LogFile = "log.jsonl"

// Record is one line of the log: an update, or a validation after it.
type Record struct {
	Step     int      `json:"step"` // updates done
	Loss     float64  `json:"loss,omitempty"`
	LR       float64  `json:"lr,omitempty"`
	GradNorm float64  `json:"grad_norm,omitempty"`
	Val      *Metrics `json:"val,omitempty"`
	Event    string   `json:"event,omitempty"` // why a run stopped
}

// logFile appends records.
type logFile struct {
	f    *os.File
	w    *bufio.Writer
	size int64
}

// openLog cuts the log to the length it had at the checkpoint that the run
// goes on from, so that no step appears twice.
func openLog(path string, keep int64) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		keep = min(keep, info.Size())
		err = f.Truncate(keep)
	}
	if err == nil {
		_, err = f.Seek(keep, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &logFile{f: f, w: bufio.NewWriter(f), size: keep}, nil
}

func (l *logFile) add(r Record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	n, err := l.w.Write(append(raw, '\n'))
	l.size += int64(n)
	return err
}

// sync puts everything on disk and returns the length of the file.
func (l *logFile) sync() (int64, error) {
	if err := l.w.Flush(); err != nil {
		return 0, err
	}
	return l.size, l.f.Sync()
}

func (l *logFile) close() error { return errors.Join(l.w.Flush(), l.f.Close()) }

// ReadLog reads a log. A last line cut short by a crash is left out; a missing
// file is an empty log.
func ReadLog(path string) ([]Record, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var records []Record
	dec := json.NewDecoder(bufio.NewReader(f))
	for {
		var r Record
		switch err := dec.Decode(&r); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return records, nil
		case err != nil:
			return nil, fmt.Errorf("%s: line %d: %w", path, len(records)+1, err)
		}
		records = append(records, r)
	}
}
