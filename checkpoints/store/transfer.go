package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"gocloud.dev/blob"
)

// errDamaged tells of a file that is not what its store says of it: shorter, or of
// another checksum.
var errDamaged = errors.New("damaged or cut short")

// local is a file of a store in this machine.
type local struct {
	*os.File
	kept string    // its name, "" where it has none any more and vanishes when it is closed
	mod  time.Time // of the file in the store
}

// fetch reads a file into a local one, whole, and opens that. It keeps its name
// where the store's files are cached.
func (s *store) fetch(name string) (l local, err error) {
	b, key, err := s.at(name)
	if err != nil {
		return l, err
	}
	if key == "" {
		return l, &fs.PathError{Op: "open", Path: name, Err: errors.New("is a bucket")}
	}
	err = s.try("read", name, func(ctx context.Context) (err error) {
		l.File, l.mod, err = s.download(ctx, b, key)
		return err
	})
	if err != nil {
		return local{}, err
	}
	if l.kept = l.Name(); !s.cached(name) {
		os.Remove(l.kept)
		l.kept = ""
	}
	return l, nil
}

// download reads a file into a new local one.
func (s *store) download(ctx context.Context, b *bucket, key string) (_ *os.File, mod time.Time, err error) {
	r, err := b.NewReader(ctx, key, nil) // before a file is made: most that are asked for are not there yet
	if err != nil {
		return nil, mod, err
	}
	f, err := s.local.create()
	if err != nil {
		return nil, mod, errors.Join(err, r.Close())
	}
	// A tar file comes in few pieces: the system is called for each, twice.
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, lively{ctx, r}, make([]byte, min(max(r.Size(), 32<<10), 1<<20)))
	switch err = errors.Join(err, r.Close()); {
	case err == nil && n != r.Size():
		err = fmt.Errorf("%w: %d of %d bytes", errDamaged, n, r.Size())
	case err != nil && strings.Contains(err.Error(), "checksum did not match"): // the library's error has no type
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, mod, err
	}
	return f, r.ModTime(), nil
}

// Write is files.Remote's. What write makes is kept here until it is whole, so
// that an upload can be tried again.
func (s *store) Write(name string, write func(io.Writer) error) error {
	w := spool{local: s.local}
	defer w.close()
	if err := write(&w); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return s.upload(name, &w, false)
}

// CreateNew is files.Remote's. An answer that was lost on its way is found out
// by what the file holds: writers put something of their own into it.
func (s *store) CreateNew(name string, raw []byte) error {
	w := spool{local: s.local}
	defer w.close()
	if _, err := w.Write(raw); err != nil {
		return err
	}
	tries := 0
	err := s.uploadCounted(name, &w, true, &tries)
	if errors.Is(err, fs.ErrExist) && tries > 1 {
		if f, err2 := s.fetch(path.Clean(name)); err2 == nil {
			have, _ := io.ReadAll(io.LimitReader(f, int64(len(raw))+1))
			f.Close()
			if bytes.Equal(have, raw) {
				return nil
			}
		}
	}
	return err
}

func (s *store) upload(name string, w *spool, fresh bool) error {
	return s.uploadCounted(name, w, fresh, new(int))
}

func (s *store) uploadCounted(name string, w *spool, fresh bool, tries *int) error {
	name = path.Clean(name)
	b, key, err := s.at(name)
	if err != nil {
		return err
	}
	s.local.drop(name)
	defer s.local.drop(name)
	return s.try("write", name, func(ctx context.Context) error {
		*tries++
		in, err := w.reader()
		if err != nil {
			return err
		}
		// Not by a writer of b: Azure's ends the process where the store refuses what it was given.
		return b.Upload(ctx, key, lively{ctx, in}, &blob.WriterOptions{ContentType: contentType(name), IfNotExist: fresh, MaxConcurrency: 1})
	})
}

// contentType is for browsers that look into the bucket.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".json":
		return "application/json"
	case ".html":
		return "text/html; charset=utf-8"
	case ".txt", ".toml", ".csv", ".log":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// inMemory is how much a spool holds before it takes a local file.
const inMemory = 4 << 20

// spool keeps what is to be uploaded.
type spool struct {
	local *cache
	buf   bytes.Buffer
	f     *os.File
}

func (s *spool) Write(p []byte) (int, error) {
	if s.f == nil && s.buf.Len()+len(p) <= inMemory {
		return s.buf.Write(p)
	}
	if s.f == nil {
		var err error
		if s.f, err = s.local.create(); err != nil {
			return 0, err
		}
		if _, err := s.buf.WriteTo(s.f); err != nil {
			return 0, err
		}
	}
	return s.f.Write(p)
}

// reader reads all from the beginning.
func (s *spool) reader() (io.Reader, error) {
	if s.f == nil {
		return bytes.NewReader(s.buf.Bytes()), nil
	}
	_, err := s.f.Seek(0, io.SeekStart)
	return s.f, err
}

func (s *spool) close() {
	if s.f != nil {
		s.f.Close()
		os.Remove(s.f.Name())
	}
}
