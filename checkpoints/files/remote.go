package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Remote is a store whose files the operating system does not know: object
// storage. Paths are as package filepath makes them of an address, with one
// slash: "s3:/bucket/a/b.png". A folder is there where something is below it.
// Methods are safe for concurrent use; what is missing is an error that is
// fs.ErrNotExist.
type Remote interface {
	Stat(path string) (fs.FileInfo, error)
	// ReadDir lists a folder by name; the entries know their sizes and times.
	ReadDir(path string) ([]fs.DirEntry, error)
	// Open reads a file into one of this machine and opens that.
	Open(path string) (*os.File, error)
	// Write writes a file whole or not at all.
	Write(path string, write func(io.Writer) error) error
	// CreateNew is Write where there is no such file, else an error that is
	// fs.ErrExist.
	CreateNew(path string, raw []byte) error
	Remove(path string) error
	// Mount checks an address and makes its path work; reads of what is not
	// written here may be answered from a copy that is seconds old.
	Mount(address string, readOnly bool) error
}

// sectional is a Remote whose files are parts of others: what is read once needs no copy
// of its own. The part of size bytes begins at at, and is there whole.
type sectional interface {
	Section(path string) (f *os.File, at, size int64, err error)
}

// openOnce is OpenRegular for what is read once, from its begin to its end.
func openOnce(name string) (io.ReadCloser, int64, error) {
	if r, ok := remoteOf(name).(sectional); ok {
		f, at, size, err := r.Section(name)
		if err != nil {
			return nil, 0, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.NewSectionReader(f, at, size), f}, size, nil
	}
	return OpenRegular(name)
}

var remotes = map[string]Remote{}

// Register makes paths of a scheme, such as "s3", those of a store. Call it from
// init.
func Register(scheme string, r Remote) { remotes[scheme] = r }

// scheme is what stands before the first ":/" of an address or a path of a store
// that could be registered, else "".
func scheme(name string) string {
	head, _, ok := strings.Cut(name, ":/")
	if !ok || len(head) < 2 || strings.Trim(head, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return ""
	}
	return head
}

// remoteOf is the store of a path, nil where it is the system's.
func remoteOf(name string) Remote {
	if len(remotes) == 0 {
		return nil
	}
	return remotes[scheme(name)]
}

// IsRemote tells whether a path is of object storage.
func IsRemote(name string) bool { return remoteOf(name) != nil }

// IsAddress tells whether a text is an address of a store, known here or not.
func IsAddress(text string) bool {
	kind := scheme(text)
	return slices.Contains(stores, kind) && strings.HasPrefix(text, kind+"://")
}

// stores are the schemes of object storage.
var stores = []string{"s3", "gs", "azblob"}

// Mount checks where a config says data lie or results go, and returns the path
// to work with: a folder as it is, or that of an address such as
// "s3://bucket/prefix?region=eu-west-1". key is the config's, for errors.
func Mount(key, address string, readOnly bool) (string, error) {
	kind := scheme(address)
	if kind == "" || !strings.Contains(address, "://") { // a folder, or mounted before
		return address, nil
	}
	r := remotes[kind]
	if r == nil && slices.Contains(stores, kind) {
		return "", fmt.Errorf("%s: this wsss was built without %s:// (the build tag no%s)", key, kind, kind)
	}
	if r == nil {
		return "", fmt.Errorf("%s: %s:// is no store that wsss knows: allowed are a folder, s3://, gs:// and azblob://", key, kind)
	}
	if err := r.Mount(address, readOnly); err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	bare, _, _ := strings.Cut(address, "?")
	return filepath.Clean(bare), nil
}

// Local refuses a path of object storage for what needs a folder.
func Local(key, name, why string) error {
	if !IsRemote(name) {
		return nil
	}
	return fmt.Errorf("%s = %q: %s: give it a folder", key, Address(name), why)
}

// Address shows a path of object storage as an address.
func Address(name string) string {
	if head, rest, ok := strings.Cut(name, ":/"); ok && IsRemote(name) && !strings.HasPrefix(rest, "/") {
		return head + "://" + rest
	}
	return name
}

// Abs is filepath.Abs. A path of a store is whole as it is.
func Abs(name string) (string, error) {
	if IsRemote(name) {
		return filepath.Clean(name), nil
	}
	return filepath.Abs(name)
}

// Same tells whether two paths name one file or folder, which may be in a store.
func Same(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	first, err1 := os.Stat(a)
	second, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(first, second)
}

// errInPlace is why object storage cannot be written as logs are.
var errInPlace = errors.New("object storage has no files that can be written bit by bit")

// Stat is os.Stat.
func Stat(name string) (fs.FileInfo, error) {
	if r := remoteOf(name); r != nil {
		return r.Stat(name)
	}
	return os.Stat(name)
}

// Open is os.Open; a file of a store is a copy.
func Open(name string) (*os.File, error) {
	if r := remoteOf(name); r != nil {
		return r.Open(name)
	}
	return os.Open(name)
}

// ReadFile is os.ReadFile.
func ReadFile(name string) ([]byte, error) {
	if !IsRemote(name) {
		return os.ReadFile(name)
	}
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// ReadDir is os.ReadDir.
func ReadDir(name string) ([]fs.DirEntry, error) {
	if r := remoteOf(name); r != nil {
		return r.ReadDir(name)
	}
	return os.ReadDir(name)
}

// Remove is os.Remove. A store has no empty folders to remove.
func Remove(name string) error {
	if r := remoteOf(name); r != nil {
		return r.Remove(name)
	}
	return os.Remove(name)
}

// RemoveAll is os.RemoveAll.
func RemoveAll(name string) error {
	if !IsRemote(name) {
		return os.RemoveAll(name)
	}
	err := WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return Remove(path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// MkdirAll is os.MkdirAll with the usual mode. A store needs no folders.
func MkdirAll(name string) error {
	if IsRemote(name) {
		return nil
	}
	return os.MkdirAll(name, 0o755)
}

// EvalSymlinks is filepath.EvalSymlinks. A store has none.
func EvalSymlinks(name string) (string, error) {
	if !IsRemote(name) {
		return filepath.EvalSymlinks(name)
	}
	_, err := Stat(name)
	return name, err
}

// WalkDir is filepath.WalkDir.
func WalkDir(root string, walk fs.WalkDirFunc) error {
	if !IsRemote(root) {
		return filepath.WalkDir(root, walk)
	}
	return fs.WalkDir(tree{root}, ".", func(name string, d fs.DirEntry, err error) error {
		return walk(filepath.Join(root, name), d, err)
	})
}

// Glob is filepath.Glob of a pattern with slashes below a folder, whose own name
// stands for itself.
func Glob(root, pattern string) ([]string, error) {
	if !IsRemote(root) {
		return filepath.Glob(filepath.Join(escapeGlob(root), filepath.FromSlash(pattern)))
	}
	found := []string{root}
	for part := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, dir := range found {
			entries, err := ReadDir(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			for _, e := range entries {
				ok, err := path.Match(part, e.Name())
				if err != nil {
					return nil, err
				}
				if ok {
					next = append(next, filepath.Join(dir, e.Name()))
				}
			}
		}
		found = next
	}
	return found, nil
}

// escapeGlob makes a path match itself.
func escapeGlob(p string) string {
	if filepath.Separator == '\\' {
		return p // Windows has no escapes, and forbids * and ? in names
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(p)
}

// tree is a folder of a store for fs.WalkDir.
type tree struct{ root string }

func (t tree) Open(name string) (fs.File, error)          { return Open(path.Join(t.root, name)) }
func (t tree) Stat(name string) (fs.FileInfo, error)      { return Stat(path.Join(t.root, name)) }
func (t tree) ReadDir(name string) ([]fs.DirEntry, error) { return ReadDir(path.Join(t.root, name)) }

// remoteClock is Clock of a store.
func remoteClock(r Remote, dir string) (time.Time, error) {
	probe := filepath.Join(dir, fmt.Sprintf("%sclock-%016x", TempPrefix, rand.Uint64()))
	if err := r.Write(probe, func(io.Writer) error { return nil }); err != nil {
		return time.Time{}, err
	}
	info, err := r.Stat(probe)
	if err := errors.Join(err, r.Remove(probe)); err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
