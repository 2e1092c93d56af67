// Package diskcache keeps what networks made of photos in a folder of bounded
// size: a file for each key, the least recently used of which go first. A key
// is a hash of all that a value depends on, so that nothing has to be cleared
// by hand. Several processes may share a folder.
package diskcache

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wsss/checkpoints/files"
)

// Cache is a folder of files with one suffix. It is safe for concurrent use.
type Cache struct {
	dir, suffix string
	limit       int64
	mu          sync.Mutex // guards size and eviction
	size        int64
}

// Open opens or makes a cache of at most limit bytes. what names its content in
// errors.
func Open(dir, suffix, what string, limit int64) (*Cache, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("%s cache of %d bytes: the limit must be positive", what, limit)
	}
	if err := files.Local(what+" cache", dir, "it is read and written again and again"); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c := &Cache{dir: dir, suffix: suffix, limit: limit}
	for _, f := range c.files() {
		c.size += f.size
	}
	return c, c.evict()
}

func (c *Cache) path(key string) string { return filepath.Join(c.dir, key+c.suffix) }

// Get reads the file of a key, and tells whether there is one that read takes:
// a damaged file counts as none.
func (c *Cache) Get(key string, read func(path string) error) bool {
	path := c.path(key)
	if read(path) != nil {
		return false
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // only the order of eviction suffers
	return true
}

// Put writes the file of a key, which write must do atomically.
func (c *Cache) Put(key string, write func(path string) error) error {
	path := c.path(key)
	before := fileSize(path)
	if err := write(path); err != nil {
		return err
	}
	c.mu.Lock()
	c.size += fileSize(path) - before
	c.mu.Unlock()
	return c.evict()
}

// evict removes the least recently used files until the cache is at 9/10 of
// its limit, if it is above it.
func (c *Cache) evict() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size <= c.limit {
		return nil
	}
	files := c.files() // of other processes too
	c.size = 0
	for _, f := range files {
		c.size += f.size
	}
	for _, f := range files {
		if c.size <= c.limit/10*9 {
			break
		}
		if err := os.Remove(f.path); err != nil && !os.IsNotExist(err) {
			return err
		}
		c.size -= f.size
	}
	return nil
}

type cached struct {
	path string
	size int64
	used time.Time
}

// files lists the cache's files, the least recently used first.
func (c *Cache) files() []cached {
	entries, _ := os.ReadDir(c.dir)
	var list []cached
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), c.suffix) && !strings.HasPrefix(e.Name(), ".") {
			list = append(list, cached{filepath.Join(c.dir, e.Name()), info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(list, func(a, b cached) int {
		return cmp.Or(a.used.Compare(b.used), strings.Compare(a.path, b.path))
	})
	return list
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
