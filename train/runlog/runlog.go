// Package runlog is the metrics log in the folder of a training: one JSON
// object per line. It holds no times, so that a resumed run writes the same
// bytes.
package runlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"wsss/checkpoints/files"
)

// File is the log's name in a run folder.
const File = "log.jsonl"

// maxLine bounds a line, newline included: a validation of thousands of
// classes fits.
const maxLine = 1 << 20

// Log appends records to a file.
type Log struct {
	f    *files.Growing
	w    *bufio.Writer
	size int64
}

// maxLog bounds what is read of a log: some million updates.
const maxLog = 1 << 30

// Open cuts the log to keep bytes, the length it had at the checkpoint that the
// run goes on from, so that no step appears twice. A shorter file, which
// somebody cut, goes on with what is left. It writes at the end of the file
// whatever happens to it, and not through a symbolic link.
func Open(path string, keep int64) (*Log, error) {
	f, keep, err := files.OpenGrowing(path, keep)
	if err != nil {
		return nil, err
	}
	return &Log{f: f, w: bufio.NewWriter(f), size: keep}, nil
}

// Repair takes damaged lines out of the first keep bytes of a log, those that a
// checkpoint counts on, and returns how many bytes are left of them. It says
// to warn what it took out. A log that is whole, or missing, is not touched.
func Repair(path string, keep int64, warn func(string)) (int64, error) {
	f, _, err := files.OpenLimited(path, maxLog)
	if errors.Is(err, fs.ErrNotExist) {
		return keep, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var good bytes.Buffer
	damage, err := each(path, io.LimitReader(f, keep), false, func(line []byte) bool {
		good.Write(line)
		return true
	})
	if err != nil || damage.Lines == 0 {
		return keep, err
	}
	warn(damage.String())
	return int64(good.Len()), files.WriteAtomic(path, func(w io.Writer) error {
		_, err := w.Write(good.Bytes())
		return err
	})
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

// Damage is what reading a log has left out: lines that hold no whole record.
type Damage struct {
	Path  string
	Lines int // damaged ones
	First int // the first of them, from 1
	Of    int // lines of the log
}

func (d Damage) String() string {
	return fmt.Sprintf("%s: %d of %d lines are damaged, line %d first, and left out: the curves lack them, the network does not", d.Path, d.Lines, d.Of, d.First)
}

// Each hands over the records of a log. Damaged lines are skipped and counted:
// a file system leaves zeros where it had given room to what was not yet
// written, and people edit. Empty lines, and a last line that a killed process
// left unfinished, are no damage. do tells whether the line is a record.
func Each(path string, do func(line []byte) bool) (Damage, error) {
	f, _, err := files.OpenLimited(path, maxLog)
	if err != nil {
		return Damage{}, err
	}
	defer f.Close()
	return each(path, f, true, do)
}

// each is Each on a part of the log, which may end where no line does.
func each(path string, r io.Reader, unfinished bool, do func(line []byte) bool) (Damage, error) {
	d := Damage{Path: path}
	last := false // the line before was damaged, and had no end
	var err error
	d.Of, err = eachLine(r, func(n int, line []byte) {
		last = false
		if whole(line) && do(line) || len(bytes.TrimSpace(line)) == 0 {
			return
		}
		if d.Lines++; d.First == 0 {
			d.First = n
		}
		last = line[len(line)-1] != '\n'
	})
	if err != nil {
		return d, fmt.Errorf("%s: %w", path, err)
	}
	if last && unfinished {
		if d.Lines--; d.Lines == 0 {
			d.First = 0
		}
	}
	return d, nil
}

// Read reads the records of a log as Each does. What a checkpoint counts on
// Repair has looked after. A missing file is an empty log.
func Read[Record any](path string) ([]Record, error) {
	var records []Record
	_, err := Each(path, func(line []byte) bool {
		var r Record
		if json.Unmarshal(line, &r) != nil {
			return false
		}
		records = append(records, r)
		return true
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return records, err
}

// whole tells a line that was written to its end.
func whole(line []byte) bool {
	return len(line) > 2 && line[0] == '{' && line[len(line)-1] == '\n' && json.Valid(line)
}

// eachLine hands over the lines of a log with their newlines, numbered from 1,
// and returns how many there are. What is too long for a line comes in pieces,
// none of which is whole.
func eachLine(r io.Reader, do func(n int, line []byte)) (int, error) {
	b := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 {
			do(n, line)
		}
		switch {
		case errors.Is(err, io.EOF):
			if len(line) == 0 {
				n--
			}
			return n, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return n, err
		}
	}
}
