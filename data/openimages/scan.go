package openimages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
)

// Source is what a scan found in one CSV file.
type Source struct {
	File   string   `json:"file"` // name without folder
	Size   int64    `json:"size"`
	Offset int64    `json:"offset"` // read so far
	Line   int64    `json:"line"`   // of the last row read
	Kept   int64    `json:"kept"`   // rows of wanted labels
	Bad    int64    `json:"bad"`    // malformed rows left out …
	First  []string `json:"first"`  // … and the first of them
}

// maxNamed bounds the malformed rows that are named in a report.
const maxNamed = 20

// scanState is what a scan has done; it is saved at every checkpoint.
type scanState struct {
	Key     string                      `json:"key"` // what was asked for
	Sources []Source                    `json:"sources"`
	Buckets [numKinds][numBuckets]int64 `json:"buckets"`
}

const stateFile = "scan.json"

// checkpointEvery is the bytes between checkpoints: a few seconds of work.
var checkpointEvery int64 = 256 << 20

// scan reads CSV files into buckets below dir.
type scan struct {
	l        *labels
	dir      string
	skipBad  bool
	depicted bool // boxes of drawings and statues count
	progress func(done, total int)

	state scanState
	out   *bucketWriter
	total int64
	saved int64 // bytes read at the last checkpoint
}

// run scans the files, from where an earlier scan for the same key stopped.
func (s *scan) run(ctx context.Context, key string, paths []string) (err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	s.state = scanState{Key: key, Sources: make([]Source, len(paths))}
	for i, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		s.state.Sources[i] = Source{File: filepath.Base(p), Size: info.Size()}
		s.total += info.Size()
	}
	s.resume()
	if s.out, err = openBuckets(s.dir, s.state.Buckets); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.out.close()) }()
	for i, p := range paths {
		if err := s.file(ctx, p, &s.state.Sources[i]); err != nil {
			return err
		}
	}
	return s.checkpoint()
}

// resume takes up the state of an earlier scan of the same files.
func (s *scan) resume() {
	raw, err := os.ReadFile(filepath.Join(s.dir, stateFile))
	if err != nil {
		return
	}
	var old scanState
	if json.Unmarshal(raw, &old) != nil || old.Key != s.state.Key || len(old.Sources) != len(s.state.Sources) {
		return
	}
	for i, src := range old.Sources {
		if src.Size != s.state.Sources[i].Size {
			return
		}
	}
	for kind := range numKinds {
		for i, want := range old.Buckets[kind] {
			info, err := os.Stat(filepath.Join(s.dir, bucketName(kind, i)))
			if want > 0 && (err != nil || info.Size() < want) {
				return
			}
		}
	}
	s.state = old
	s.saved = s.read()
}

func (s *scan) read() (sum int64) {
	for _, src := range s.state.Sources {
		sum += src.Offset
	}
	return sum
}

// checkpoint makes what was read so far durable.
func (s *scan) checkpoint() error {
	if err := s.out.flush(); err != nil {
		return err
	}
	s.state.Buckets = s.out.sizes
	s.saved = s.read()
	return files.WriteJSON(filepath.Join(s.dir, stateFile), s.state)
}

// columns are the places of the fields in a file.
type columns struct {
	n, id, label, confidence int
	box                      bool
	corners                  [4]int // xmin, ymin, xmax, ymax
	flags                    [5]int // −1 where the file lacks one
}

// readColumns understands a header row.
func readColumns(fields [][]byte) (columns, error) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(f)
	}
	at := func(name string) int { return slices.Index(names, name) }
	c := columns{n: len(names), id: at("ImageID"), label: at("LabelName"), confidence: at("Confidence"), box: at("XMin") >= 0}
	if c.id < 0 || c.label < 0 || c.confidence < 0 {
		return c, fmt.Errorf("header %q: want ImageID, LabelName and Confidence, as in the official label and box files", clip([]byte(fmt.Sprint(names))))
	}
	for i, name := range [...]string{"XMin", "YMin", "XMax", "YMax"} {
		c.corners[i] = at(name)
		if c.box && c.corners[i] < 0 {
			return c, fmt.Errorf("header has XMin, but not %s", name)
		}
	}
	for i, name := range [...]string{"IsGroupOf", "IsDepiction", "IsInside", "IsOccluded", "IsTruncated"} {
		c.flags[i] = at(name)
	}
	return c, nil
}

func (s *scan) file(ctx context.Context, path string, src *Source) error {
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := newRows(f)
	fields, bad, err := r.next()
	if err != nil || bad != nil {
		return &RowError{path, 1, errors.Join(err, bad)}
	}
	cols, err := readColumns(fields)
	if err != nil {
		return &RowError{path, 1, err}
	}
	if src.Offset == 0 {
		src.Offset, src.Line = r.offset, 1
	}
	if _, err := f.Seek(src.Offset, io.SeekStart); err != nil {
		return err
	}
	r = newRows(f)
	r.line, r.offset = src.Line, src.Offset
	for n := 1; ; n++ {
		fields, bad, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if bad == nil {
			bad = s.row(cols, fields, src)
		}
		if bad != nil {
			if err := s.malformed(&RowError{path, r.line, bad}, src); err != nil {
				return err
			}
		}
		src.Line, src.Offset = r.line, r.offset
		if n%8192 == 0 {
			if err := s.pause(ctx); err != nil {
				return err
			}
		}
	}
	s.progress(int(s.read()), int(s.total))
	return nil
}

// pause reports, saves where it is time to, and stops when asked to.
func (s *scan) pause(ctx context.Context) error {
	read := s.read()
	s.progress(int(read), int(s.total))
	if ctx.Err() != nil || read-s.saved >= checkpointEvery {
		return errors.Join(s.checkpoint(), ctx.Err())
	}
	return nil
}

// errDisk marks failures that are not the row's fault.
type errDisk struct{ error }

func (s *scan) malformed(row *RowError, src *Source) error {
	var disk errDisk
	if errors.As(row.Err, &disk) {
		return disk.error
	}
	if !s.skipBad {
		return row
	}
	src.Bad++
	if len(src.First) < maxNamed {
		src.First = append(src.First, (&RowError{src.File, row.Line, row.Err}).Error())
	}
	return nil
}

// row checks one row and keeps it if its label is wanted.
func (s *scan) row(cols columns, fields [][]byte, src *Source) error {
	if len(fields) != cols.n {
		return fmt.Errorf("%d fields: the header has %d", len(fields), cols.n)
	}
	id, err := imageID(fields[cols.id])
	if err != nil {
		return err
	}
	if len(fields[cols.label]) == 0 || fields[cols.label][0] != '/' {
		return fmt.Errorf("LabelName %q: want an identifier such as /m/01g317", clip(fields[cols.label]))
	}
	if cols.box {
		return s.boxRow(cols, fields, id, src)
	}
	var yes bool
	switch c := fields[cols.confidence]; string(c) {
	case "1", "1.0":
		yes = true
	case "0", "0.0":
	default:
		return fmt.Errorf("confidence %q: labels verified by people have 1 or 0; machine-generated ones are not used", clip(c))
	}
	label, wanted := s.l.index[string(fields[cols.label])]
	if !wanted {
		return nil
	}
	src.Kept++
	if err := s.out.mark(mark{id, uint8(label), yes}); err != nil {
		return errDisk{err}
	}
	return nil
}

func (s *scan) boxRow(cols columns, fields [][]byte, id uint64, src *Source) error {
	var corner [4]float64
	var err error
	for i, name := range [...]string{"XMin", "YMin", "XMax", "YMax"} {
		if corner[i], err = unit(name, fields[cols.corners[i]]); err != nil {
			return err
		}
	}
	if corner[0] > corner[2] || corner[1] > corner[3] {
		return fmt.Errorf("box from (%g, %g) to (%g, %g): the minima lie beyond the maxima", corner[0], corner[1], corner[2], corner[3])
	}
	m := boxMark{image: id, x0: float32(corner[0]), y0: float32(corner[1]), x1: float32(corner[2]), y1: float32(corner[3])}
	for i, at := range cols.flags {
		if at < 0 {
			continue
		}
		switch string(fields[at]) {
		case "1":
			m.flags |= 1 << i
		case "0", "-1": // −1: nobody looked
		default:
			return fmt.Errorf("flag %q: want 0, 1 or -1", clip(fields[at]))
		}
	}
	label, wanted := s.l.index[string(fields[cols.label])]
	if !wanted || m.flags&flagDepict != 0 && !s.depicted {
		return nil
	}
	m.label = uint8(label)
	src.Kept++
	if err := s.out.box(m); err != nil {
		return errDisk{err}
	}
	return nil
}
