package shards

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wsss/checkpoints/files"
)

// Pseudo-labels in tar files are a folder to the rest of wsss, with <id>.png and
// <id>.json as `wsss gen` writes them: packed:/ROOT/<id>.png.
func init() { files.Register(labelScheme, packed) }

const labelScheme = "packed"

var packed = &labelFolders{of: map[string]*Dataset{}}

// labelFolders are those of the datasets that were asked for one. It is a
// files.Remote that only reads.
type labelFolders struct {
	readOnly
	mu sync.Mutex
	of map[string]*Dataset // by path
}

// LabelsDir is the folder of the pseudo-labels that were packed with a dataset.
func (d *Dataset) LabelsDir() string {
	dir := filepath.Clean(labelScheme + ":/" + filepath.ToSlash(d.root))
	packed.mu.Lock()
	defer packed.mu.Unlock()
	packed.of[dir] = d
	return dir
}

// at is the member of a label's file; "" for a folder itself.
func (l *labelFolders) at(path string) (member string, err error) {
	path = filepath.Clean(path)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[path] != nil {
		return "", nil
	}
	for dir, d := range l.of {
		name, ok := strings.CutPrefix(path, dir+string(filepath.Separator))
		if !ok {
			continue
		}
		end := filepath.Ext(name)
		if end == ".png" || end == ".json" {
			if member, err := d.member(filepath.ToSlash(strings.TrimSuffix(name, end)), labelEnd+end); err == nil {
				return member, nil
			}
		}
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// Stat is files.Remote's.
func (l *labelFolders) Stat(path string) (fs.FileInfo, error) {
	member, err := l.at(path)
	if err != nil {
		return nil, err
	}
	if member == "" {
		return folderInfo(filepath.Base(path)), nil
	}
	return files.Stat(member)
}

// Open is files.Remote's.
func (l *labelFolders) Open(path string) (*os.File, error) {
	member, err := l.at(path)
	if err != nil {
		return nil, err
	}
	if member == "" {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrInvalid}
	}
	return files.Open(member)
}

// folderInfo is a folder of labels, by its name.
type folderInfo string

func (f folderInfo) Name() string     { return string(f) }
func (folderInfo) Size() int64        { return 0 }
func (folderInfo) Mode() fs.FileMode  { return fs.ModeDir | 0o555 }
func (folderInfo) ModTime() time.Time { return time.Time{} }
func (folderInfo) IsDir() bool        { return true }
func (folderInfo) Sys() any           { return nil }
