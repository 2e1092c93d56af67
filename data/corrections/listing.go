package corrections

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"time"

	"wsss/checkpoints/files"
)

// listing is what lies in a folder of object storage: most images have no
// correction, and asking for each of them is a request. What others add is seen
// a little later.
type listing struct {
	mu    sync.Mutex
	names map[string]bool
	until time.Time // it is young
}

// young is how long a listing stands, at least; it stands longer where making one
// takes long.
const young = 5 * time.Second

// has tells whether a file was there when the folder was last listed.
func (l *listing) has(dir, path string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.names == nil || time.Now().After(l.until) {
		began, names := time.Now(), map[string]bool{}
		err := files.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, Suffix) {
				names[path] = true
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		l.names, l.until = names, time.Now().Add(max(young, 20*time.Since(began)))
	}
	return l.names[path], nil
}

// forget makes the next look a new one.
func (l *listing) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = nil
}
