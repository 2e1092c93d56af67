// Package files writes files so that a crash never leaves half of one, and
// joins paths so that a foreign name never leaves its folder.
package files

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// WriteAtomic writes path through a temporary file in the same folder: write,
// fsync, rename, fsync of the folder. A reader sees the old file or the new
// one, whole. The folder is made when missing. Several processes may write the
// same path at once; the last rename wins. An error or panic of write leaves
// no temporary file behind; a killed process may leave one, named
// ".tmp-…-<name>", that nothing reads and Sweep removes.
func WriteAtomic(path string, write func(io.Writer) error) error {
	if r := remoteOf(path); r != nil {
		return r.Write(path, write)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := CreateTemp(dir, TempPrefix+"*-"+filepath.Base(path))
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		if !renamed {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	buf := bufio.NewWriterSize(f, 1<<16)
	if err = write(buf); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err = buf.Flush(); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = rename(f, path); err != nil {
		return err
	}
	renamed = true
	return syncDir(dir)
}

// rename gives a temporary file its name and closes it; on Linux in this order,
// so that its lock holds until it has the name.
func rename(f *os.File, path string) error {
	if runtime.GOOS == "linux" {
		return errors.Join(os.Rename(f.Name(), path), f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// CreateNew makes the file path with the given bytes, whole, where there is
// none; of several processes that try one succeeds, and the others get an error
// that is fs.ErrExist. It needs no locks: a hard link is made by one process
// alone, also over NFS. The folder is made when missing.
func CreateNew(path string, raw []byte) error {
	if r := remoteOf(path); r != nil {
		return r.CreateNew(path, raw)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := CreateTemp(dir, TempPrefix+"*-"+filepath.Base(path))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	err = os.Link(f.Name(), path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without hard links: made in two steps. Who reads it in
	// between sees a file cut short.
	if f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Sync(), f.Close())
}

// WriteJSON writes v as indented JSON with a final newline, atomically.
func WriteJSON(path string, v any) error {
	return WriteAtomic(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems refuse fsync on a folder; the rename is then as safe
	// as they make it.
	_ = d.Sync()
	return nil
}

// Clock is the time by the clock that gives the files of a folder theirs, which
// is a file server's where the folder is on one.
func Clock(dir string) (time.Time, error) {
	if r := remoteOf(dir); r != nil {
		return remoteClock(r, dir)
	}
	f, err := CreateTemp(dir, TempPrefix+"*-clock")
	if err != nil {
		return time.Time{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write([]byte{0}); err != nil {
		return time.Time{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// Join joins root and a name read from a dataset, archive or config, and
// refuses names that would leave root (absolute, "..", NUL). Symbolic links
// below root are followed: whoever laid out the folder put them there.
func Join(root, name string) (string, error) {
	if err := CheckInside(root, name); err != nil {
		return "", err
	}
	return filepath.Join(root, name), nil
}

// CheckInside is the error of Join, for lists of many names that are joined later.
func CheckInside(root, name string) error {
	if name == "" || !filepath.IsLocal(name) || strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("path %q leaves its folder %s", name, root)
	}
	return nil
}

// OpenRegular opens a file for reading and tells its size in bytes. Folders,
// pipes and devices are refused without being opened: that would wait for
// ever, or read without an end.
func OpenRegular(path string) (*os.File, int64, error) {
	if r := remoteOf(path); r != nil {
		f, err := r.Open(path)
		if err != nil {
			return nil, 0, err
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, 0, err
		}
		return f, info.Size(), nil
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %s, where a file is expected", path, kind(info.Mode()))
	}
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// OpenLimited is OpenRegular for files of at most so many bytes.
func OpenLimited(path string, limit int64) (*os.File, int64, error) {
	f, size, err := OpenRegular(path)
	if err == nil && size > limit {
		f.Close()
		return nil, 0, tooLarge(path, size, limit)
	}
	return f, size, err
}

func tooLarge(path string, size, limit int64) error {
	return fmt.Errorf("%s: the file has %d bytes: at most %d are allowed", path, size, limit)
}

// MaxRecord bounds the size of what wsss itself writes down about a run and
// reads whole.
const MaxRecord = 256 << 20

// ReadLimited reads a regular file of at most so many bytes.
func ReadLimited(path string, limit int64) ([]byte, error) {
	f, size, err := openOnce(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, tooLarge(path, size, limit)
	}
	raw := make([]byte, size)
	n, err := io.ReadFull(f, raw)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // it became shorter since
		err = nil
	}
	return raw[:n], err
}

// kind says what a path leads to that is no regular file.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// Exists tells whether there is a file or a folder of this name.
func Exists(path string) bool {
	_, err := Stat(path)
	return err == nil
}

// IsFile tells whether there is a file of this name, which is no folder.
func IsFile(path string) bool {
	info, err := Stat(path)
	return err == nil && !info.IsDir()
}

// IsDir tells whether there is a folder of this name.
func IsDir(path string) bool {
	info, err := Stat(path)
	return err == nil && info.IsDir()
}

// SHA256Of is the hash of bytes, in hexadecimal.
func SHA256Of(raw []byte) string { return fmt.Sprintf("%x", sha256.Sum256(raw)) }

// SHA256 is the hash of a file's bytes, in hexadecimal.
func SHA256(path string) (string, error) {
	f, _, err := openOnce(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
