package shards

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wsss/checkpoints/files"
)

// Members of tar files are files to the rest of wsss, whose paths are those of
// the archive and the member behind "tar:", such as tar:/data/train-000000.tar/a.jpg.
func init() { files.Register("tar", &archives{open: map[string]*archive{}}) }

const (
	scheme      = "tar:/"
	indexSuffix = ".idx" // behind a tar's name: its index, for random access
	maxIndex    = 1 << 30
)

// entry is where a member's bytes lie.
type entry struct {
	Name   string `json:"name"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
}

// index is the file of an archive's index.
type index struct {
	Bytes   int64   `json:"bytes"` // of the archive: another size is another archive
	Entries []entry `json:"entries"`
}

// archive is a tar file whose members are known.
type archive struct {
	path    string
	entries map[string]entry
	info    fs.FileInfo
}

// archives are the tar files that are open. It is a files.Remote that only
// reads.
type archives struct {
	readOnly
	mu    sync.Mutex
	open  map[string]*archive
	order []string // in which they were opened
	known int      // members of all of them
}

// memberPath is the path of an archive's member.
func memberPath(archive, member string) (string, error) {
	archive, err := files.Abs(archive)
	if err != nil {
		return "", err
	}
	return filepath.Clean(scheme + filepath.ToSlash(archive) + "/" + member), nil
}

// at takes a path apart.
func (a *archives) at(path string) (*archive, entry, error) {
	rest := strings.TrimPrefix(filepath.ToSlash(filepath.Clean(path)), scheme)
	name, member, ok := strings.Cut(rest, ".tar/")
	if !ok {
		return nil, entry{}, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	name += ".tar"
	if !files.IsRemote(name) {
		name = "/" + strings.TrimPrefix(name, "/")
	}
	one, err := a.get(name)
	if err != nil {
		return nil, entry{}, err
	}
	e, known := one.entries[member]
	if !known {
		return nil, e, &fs.PathError{Op: "open", Path: name + ": " + member, Err: fs.ErrNotExist}
	}
	return one, e, nil
}

// get opens an archive's index, once.
func (a *archives) get(name string) (*archive, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one := a.open[name]; one != nil {
		return one, nil
	}
	info, list, err := listArchive(name)
	if err != nil {
		return nil, err
	}
	one := &archive{path: name, info: info, entries: make(map[string]entry, len(list))}
	for _, e := range list {
		one.entries[e.Name] = e
	}
	a.open[name], a.order, a.known = one, append(a.order, name), a.known+len(list)
	for a.known > mostEntries && len(a.order) > 1 { // the oldest goes: it can be read again
		old := a.order[0]
		a.known -= len(a.open[old].entries)
		delete(a.open, old)
		a.order = a.order[1:]
	}
	return one, nil
}

// mostEntries bounds the members that are known at a time, some 200 bytes each.
const mostEntries = 500_000

// listArchive lists the members of an archive.
func listArchive(name string) (info fs.FileInfo, list []entry, err error) {
	if info, err = files.Stat(name); err != nil {
		return nil, nil, err
	}
	list, err = readIndex(name, info.Size())
	return info, list, err
}

// readIndex reads an archive's index, or makes it from the archive where there
// is none or it is another's.
func readIndex(name string, size int64) ([]entry, error) {
	raw, err := files.ReadLimited(name+indexSuffix, maxIndex)
	var x index
	if err == nil && json.Unmarshal(raw, &x) == nil && x.Bytes == size {
		for _, e := range x.Entries {
			if e.Offset < 0 || e.Size < 0 || e.Offset > size || e.Size > size-e.Offset {
				return nil, fmt.Errorf("%s: the member %q lies behind the end of its archive: pack it again", name+indexSuffix, e.Name)
			}
		}
		return x.Entries, nil
	}
	f, _, err := files.OpenRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return scan(f, name, size)
}

// scan lists the regular files of a tar.
func scan(f io.ReadSeeker, name string, size int64) ([]entry, error) {
	var list []entry
	t := tar.NewReader(f)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: damaged or cut short after %d members: %w", name, len(list), err)
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if h.Size > size-at {
			return nil, fmt.Errorf("%s: cut short: the member %q has %d bytes, and %d are left", name, h.Name, h.Size, size-at)
		}
		list = append(list, entry{strings.TrimPrefix(h.Name, "./"), at, h.Size})
	}
}

// memberInfo is a member as a file.
type memberInfo struct {
	entry
	mod time.Time
}

func (m memberInfo) Name() string       { return filepath.Base(m.entry.Name) }
func (m memberInfo) Size() int64        { return m.entry.Size }
func (m memberInfo) Mode() fs.FileMode  { return 0o444 }
func (m memberInfo) ModTime() time.Time { return m.mod }
func (m memberInfo) IsDir() bool        { return false }
func (m memberInfo) Sys() any           { return nil }

// Stat is files.Remote's.
func (a *archives) Stat(path string) (fs.FileInfo, error) {
	one, e, err := a.at(path)
	if err != nil {
		return nil, err
	}
	return memberInfo{e, one.info.ModTime()}, nil
}

// Section opens a member's archive, and tells where in it the member lies, for who reads
// it once.
func (a *archives) Section(path string) (in *os.File, at, size int64, err error) {
	one, e, err := a.at(path)
	if err != nil {
		return nil, 0, 0, err
	}
	if in, err = files.Open(one.path); err != nil {
		return nil, 0, 0, err
	}
	info, err := in.Stat()
	if err == nil && info.Size()-e.Offset < e.Size {
		err = fmt.Errorf("%s: cut short: the member %q has %d bytes, and %d are there", one.path, e.Name, e.Size, max(0, info.Size()-e.Offset))
	}
	if err != nil {
		in.Close()
		return nil, 0, 0, err
	}
	return in, e.Offset, e.Size, nil
}

// Open is files.Remote's: the member is copied into a file without a name.
func (a *archives) Open(path string) (*os.File, error) {
	in, at, size, err := a.Section(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := os.CreateTemp("", "wsss-member-*")
	if err != nil {
		return nil, err
	}
	os.Remove(out.Name()) // where the system allows that
	n, err := io.Copy(out, io.NewSectionReader(in, at, size))
	if err == nil && n != size {
		err = fmt.Errorf("%s: cut short: %d bytes, and %d are there", path, size, n)
	}
	if err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	if err != nil {
		out.Close()
		return nil, err
	}
	return out, nil
}

var errReadOnly = errors.New("members of a tar file are only read")

// readOnly is the half of a files.Remote that changes something, or lists.
type readOnly struct{}

// ReadDir is files.Remote's; nobody needs it.
func (readOnly) ReadDir(path string) ([]fs.DirEntry, error) {
	return nil, &fs.PathError{Op: "readdir", Path: path, Err: fs.ErrNotExist}
}

// Write is files.Remote's.
func (readOnly) Write(path string, _ func(io.Writer) error) error {
	return &fs.PathError{Op: "write", Path: path, Err: errReadOnly}
}

// CreateNew is files.Remote's.
func (readOnly) CreateNew(path string, _ []byte) error {
	return &fs.PathError{Op: "create", Path: path, Err: errReadOnly}
}

// Remove is files.Remote's.
func (readOnly) Remove(path string) error {
	return &fs.PathError{Op: "remove", Path: path, Err: errReadOnly}
}

// Mount is files.Remote's.
func (readOnly) Mount(address string, _ bool) error {
	return fmt.Errorf("%s: the folder of the tar files is named, with data.kind = %q", address, Kind)
}
