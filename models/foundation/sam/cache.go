package sam

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/models/foundation/imageproc"
)

// Cache keeps embeddings on disk, one safetensors file each, named by a hash
// of the encoder and the pixels, so that it never has to be cleared by hand.
// When the files outgrow the limit, the least recently used go. Several
// processes may share a folder.
type Cache struct {
	dir     string
	encoder string
	limit   int64
	mu      sync.Mutex // guards size and eviction
	size    int64
}

const cacheSuffix = ".embedding.safetensors"

// OpenCache opens or makes a cache of at most limit bytes. encoder identifies
// the encoder's weights: the SHA-256 of its file.
func OpenCache(dir, encoder string, limit int64) (*Cache, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("embedding cache of %d bytes: the limit must be positive", limit)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c := &Cache{dir: dir, encoder: encoder, limit: limit}
	for _, f := range c.files() {
		c.size += f.size
	}
	return c, c.evict()
}

// Embed returns the image's embedding from the cache, or makes and keeps it.
// A damaged file counts as none. A nil cache only makes it.
func (c *Cache) Embed(ctx context.Context, m *Model, img *imageproc.RGB) (*Embedding, error) {
	if c == nil {
		return m.Embed(ctx, img)
	}
	path := filepath.Join(c.dir, c.key(m, img)+cacheSuffix)
	if parts, err := readParts(path, len(m.sig.embed)); err == nil {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // only the order of eviction suffers
		return &Embedding{m.frame(img.W, img.H), parts}, nil
	}
	e, err := m.Embed(ctx, img)
	if err != nil {
		return nil, err
	}
	return e, c.put(path, e.parts)
}

func (c *Cache) key(m *Model, img *imageproc.RGB) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00%d\x00%d\x00%d\x00", c.encoder, m.sig.side, m.sig.layout, img.W, img.H)
	h.Write(img.Pix)
	return hex.EncodeToString(h.Sum(nil))
}

func (c *Cache) put(path string, parts []part) error {
	values := make(map[string]*tensors.Tensor, len(parts))
	for i, p := range parts {
		values[fmt.Sprint(i)] = tensors.FromFlatDataAndDimensions(p.values, p.dims...)
	}
	before := fileSize(path)
	if err := safetensors.WriteFile(path, values, map[string]string{"sha256": digest(parts)}); err != nil {
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
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), cacheSuffix) && !strings.HasPrefix(e.Name(), ".") {
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

func readParts(path string, n int) ([]part, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	parts := make([]part, n)
	for i := range parts {
		t, err := r.Tensor(fmt.Sprint(i))
		if err != nil {
			return nil, err
		}
		parts[i].dims = slices.Clone(t.Shape().Dimensions)
		if parts[i].values, err = tensors.CopyFlatData[float32](t); err != nil {
			return nil, err
		}
	}
	if digest(parts) != r.Metadata()["sha256"] {
		return nil, fmt.Errorf("%s: damaged: its checksum differs", path)
	}
	return parts, nil
}

func digest(parts []part) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprint(h, p.dims)
		buf := make([]byte, 4*len(p.values))
		for i, v := range p.values {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}
