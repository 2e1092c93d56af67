// Package runlog is the metrics log in the folder of a training: one JSON
// object per line. It holds no times, so that a resumed run writes the same
// bytes.
package runlog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// File is the log's name in a run folder.
const File = "log.jsonl"

// Log appends records to a file.
type Log struct {
	f    *os.File
	w    *bufio.Writer
	size int64
}

// Open cuts the log to keep bytes, the length it had at the checkpoint that the
// run goes on from, so that no step appears twice. A shorter file, which
// somebody cut, goes on with what is left.
func Open(path string, keep int64) (*Log, error) {
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
	return &Log{f: f, w: bufio.NewWriter(f), size: keep}, nil
}

// Add appends a record.
func (l *Log) Add(record any) error {
	raw, err := json.Marshal(record)
	if err != nil {
		return err
	}
	n, err := l.w.Write(append(raw, '\n'))
	l.size += int64(n)
	return err
}

// Sync puts everything on disk and returns the length of the file.
func (l *Log) Sync() (int64, error) {
	if err := l.w.Flush(); err != nil {
		return 0, err
	}
	return l.size, l.f.Sync()
}

// Close writes what is buffered and closes the file.
func (l *Log) Close() error { return errors.Join(l.w.Flush(), l.f.Close()) }

// Read reads a log. A last line cut short by a crash is left out; a missing
// file is an empty log.
func Read[Record any](path string) ([]Record, error) {
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
