package files

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// HashesName is the usual name of a file of Hashes in a run folder.
const HashesName = ".hashes.json"

// Hashes remembers the SHA-256 of files, so that telling whether ten thousand
// photos have changed takes their sizes and times and not their bytes. A file
// is read again where its size, its modification time or its change time (where
// the system tells that) is another: a folder that was copied or touched costs
// one reading, and its hashes stay. A nil *Hashes remembers nothing. It is safe
// for concurrent use.
type Hashes struct {
	path string

	mu    sync.Mutex
	files map[string]hashed
	used  map[string]bool
	dirty bool
}

// hashed is a file as it was when its hash was taken; times are nanoseconds
// since 1970.
type hashed struct {
	Size    int64  `json:"size"`
	Mod     int64  `json:"mod"`
	Changed int64  `json:"changed,omitempty"`
	SHA256  string `json:"sha256"`
}

// hashesFile is the file of Hashes.
type hashesFile struct {
	About string            `json:"about"`
	Files map[string]hashed `json:"files"`
}

// settled is the age from which on a file's times tell of every later change:
// file systems count time in steps, and what is written twice within one step
// keeps its time.
const settled = 2 * time.Second

// OpenHashes reads what an earlier call of Save has left in a file. Where there
// is none, or a damaged one, nothing is remembered yet.
func OpenHashes(path string) *Hashes {
	h := &Hashes{path: path, files: map[string]hashed{}, used: map[string]bool{}}
	if have, err := readHashes(path); err == nil {
		h.files = have
	}
	return h
}

func readHashes(path string) (map[string]hashed, error) {
	raw, err := ReadLimited(path, MaxRecord)
	if err != nil {
		return nil, err
	}
	var f hashesFile
	if err := json.Unmarshal(raw, &f); err != nil || f.Files == nil {
		return nil, fmt.Errorf("%s: not a list of hashes", path)
	}
	return f.Files, nil
}

// SHA256 is the hash of a file's bytes, in hexadecimal.
func (h *Hashes) SHA256(path string) (string, error) {
	info, err := Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a regular file", path)
	}
	return h.remember(path, stampOf(info), func() (string, error) { return SHA256(path) })
}

// Tree is one hash of the names and bytes of all files in a folder and below
// it, temporary ones aside; of a file it is SHA256, and of what does not exist
// it is "".
func (h *Hashes) Tree(path string) (string, error) {
	info, err := Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return h.SHA256(path)
	}
	// The folder is remembered as a whole, by the stamps of all its files.
	var names []string
	whole := hashed{}
	stamps := sha256.New()
	err = WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name()[0] == '.' {
			return err
		}
		info, err := Stat(file) // follows links
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		s := stampOf(info)
		fmt.Fprintf(stamps, "%q %d %d %d\n", file, s.Size, s.Mod, s.Changed)
		whole.Size += s.Size
		whole.Mod, whole.Changed = max(whole.Mod, s.Mod), max(whole.Changed, s.Changed)
		names = append(names, file)
		return nil
	})
	if err != nil {
		return "", err
	}
	key := path + string(filepath.Separator) + hex.EncodeToString(stamps.Sum(nil)[:8])
	return h.remember(key, whole, func() (string, error) {
		sum := sha256.New()
		for _, name := range names {
			one, err := SHA256(name)
			if err != nil {
				return "", err
			}
			rel, err := filepath.Rel(path, name)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(sum, "%q %s\n", filepath.ToSlash(rel), one)
		}
		return hex.EncodeToString(sum.Sum(nil)), nil
	})
}

// Stamp is a time near a file's modification time that also tells its size and
// its change time: another stamp means that the file may have changed.
func Stamp(path string) (time.Time, error) {
	info, err := Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	s := stampOf(info)
	h := fnv.New64a()
	fmt.Fprint(h, s.Size, s.Mod, s.Changed)
	return time.Unix(info.ModTime().Unix(), int64(h.Sum64()%1e9)), nil
}

// changer is what a store's files say of their version: another number means
// another content.
type changer interface{ Changed() int64 }

func stampOf(info fs.FileInfo) hashed {
	if c, ok := info.Sys().(changer); ok {
		return hashed{Size: info.Size(), Mod: info.ModTime().UnixNano(), Changed: c.Changed()}
	}
	return hashed{Size: info.Size(), Mod: info.ModTime().UnixNano(), Changed: changeTime(info)}
}

// remember returns the hash that is known for a key and a stamp, or takes it.
func (h *Hashes) remember(key string, now hashed, take func() (string, error)) (string, error) {
	if h == nil {
		return take()
	}
	if abs, err := Abs(key); err == nil {
		key = abs
	}
	h.mu.Lock()
	have, ok := h.files[key]
	h.used[key] = true
	h.mu.Unlock()
	if ok && have.Size == now.Size && have.Mod == now.Mod && have.Changed == now.Changed {
		return have.SHA256, nil
	}
	began := time.Now()
	sum, err := take()
	if err != nil {
		return "", err
	}
	now.SHA256 = sum
	h.mu.Lock()
	defer h.mu.Unlock()
	if began.Sub(time.Unix(0, max(now.Mod, now.Changed))) < settled {
		delete(h.files, key)
	} else {
		h.files[key] = now
	}
	h.dirty = true
	return sum, nil
}

// Save writes what is remembered, with what other processes have written
// meanwhile. Files that are gone are forgotten. Losing what it wrote costs
// time and nothing else.
func (h *Hashes) Save() error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.dirty {
		return nil
	}
	all, err := readHashes(h.path)
	if err != nil {
		all = map[string]hashed{}
	}
	for key := range all {
		if _, ok := h.files[key]; !ok && h.used[key] {
			delete(all, key)
		}
	}
	for key, f := range h.files {
		all[key] = f
	}
	for key := range all {
		if !h.used[key] {
			if _, err := os.Stat(key); err != nil && !IsRemote(key) {
				delete(all, key)
			}
		}
	}
	h.dirty = false
	return WriteJSON(h.path, hashesFile{About: "SHA-256 of files that the run has read, by size and times. It saves time; it may be deleted.", Files: all})
}
