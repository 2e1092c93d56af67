package corrections

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wsss/checkpoints/files"
	"wsss/checkpoints/files/lock"
	"wsss/data"
)

// Suffix ends the name of every correction: <id>.correction.json.
const Suffix = ".correction.json"

// maxFile bounds a correction's file, bytes.
const maxFile = 64 << 20

// lockWait is how long Update waits for another process.
const lockWait = 5 * time.Second

// Folder is where the corrections of a data set lie. It need not exist. It is
// safe for concurrent use, also by several processes.
type Folder struct {
	Dir     string
	Classes data.Classes
	mu      sync.Mutex
	seen    listing
}

// ErrChanged is wrapped by the error of Update where the correction is not of
// the version that the change is about.
var ErrChanged = errors.New("the image was corrected elsewhere in the meantime")

// Path is the file of an image's correction.
func (f *Folder) Path(id string) (string, error) {
	return files.Join(f.Dir, filepath.FromSlash(id)+Suffix)
}

// Read returns an image's correction and its version; nil and "" where it has
// none. Errors name the file.
func (f *Folder) Read(id string) (*Correction, string, error) {
	path, err := f.Path(id)
	if err != nil {
		return nil, "", err
	}
	raw, err := f.read(path)
	if err != nil || raw == nil {
		return nil, "", err
	}
	c, err := decode(raw, f.Classes)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return c, version(raw), nil
}

// Version is that of an image's correction, without reading what it says; ""
// where it has none.
func (f *Folder) Version(id string) (string, error) {
	path, err := f.Path(id)
	if err != nil {
		return "", err
	}
	raw, err := f.read(path)
	if err != nil || raw == nil {
		return "", err
	}
	return version(raw), nil
}

// read reads a correction's file, nil where there is none.
func (f *Folder) read(path string) ([]byte, error) {
	if files.IsRemote(path) {
		if known, err := f.seen.has(f.Dir, path); err != nil || !known {
			return nil, err
		}
	}
	raw, err := files.ReadLimited(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && raw == nil {
		raw = []byte{}
	}
	return raw, err
}

func version(raw []byte) string { return files.SHA256Of(raw)[:16] }

// Update changes the correction of an image of a size, whole or not at all, and
// returns the new version. Where base is not nil and not the version that is
// there, nothing is changed and the error wraps ErrChanged. A correction that
// says nothing in the end has no file.
func (f *Folder) Update(ctx context.Context, id string, w, h int, base *string, change func(c *Correction) error) (*Correction, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path, err := f.Path(id)
	if err != nil {
		return nil, "", err
	}
	held, err := f.lock(ctx)
	if err != nil {
		return nil, "", err
	}
	defer held.Release()
	f.seen.forget()
	defer f.seen.forget()
	c, have, err := f.Read(id)
	if err != nil {
		return nil, "", err
	}
	if base != nil && *base != have {
		return c, have, ErrChanged
	}
	if c == nil {
		c = &Correction{W: w, H: h}
	}
	if err := c.fits(path, w, h); err != nil {
		return nil, "", err
	}
	if err := change(c); err != nil {
		return nil, "", err
	}
	if c.Empty() {
		if err := files.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, "", err
		}
		return c, "", nil
	}
	raw, err := encode(id, c, f.Classes)
	if err != nil {
		return nil, "", err
	}
	if len(raw) > maxFile {
		return nil, "", fmt.Errorf("%s: the correction would have %d bytes: at most %d are allowed", path, len(raw), maxFile)
	}
	return c, version(raw), files.WriteAtomic(path, func(out io.Writer) error { _, err := out.Write(raw); return err })
}

// fits refuses a correction of a photo of another size.
func (c *Correction) fits(path string, w, h int) error {
	if c.W != w || c.H != h {
		return fmt.Errorf("%s: made on a photo of %d×%d pixels, which has now %d×%d: delete the file and review the image again", path, c.W, c.H, w, h)
	}
	return nil
}

// lock waits for other processes that write here.
func (f *Folder) lock(ctx context.Context) (*lock.Lock, error) {
	until := time.Now().Add(lockWait)
	for {
		l, err := lock.Acquire(f.Dir, "review")
		var held *lock.HeldError
		if !errors.As(err, &held) || time.Now().After(until) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Any tells whether there is any correction.
func (f *Folder) Any() bool {
	found := errors.New("found")
	return files.WalkDir(f.Dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, Suffix) {
			return found
		}
		return nil
	}) == found
}
