package sam

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/data/imageproc"
	"wsss/models/foundation/diskcache"
)

// Cache keeps embeddings on disk, one safetensors file each, named by a hash
// of the encoder and the pixels, so that it never has to be cleared by hand.
// When the files outgrow the limit, the least recently used go. Several
// processes may share a folder.
type Cache struct {
	files   *diskcache.Cache
	encoder string
}

const cacheSuffix = ".embedding.safetensors"

// OpenCache opens or makes a cache of at most limit bytes. encoder identifies
// the encoder's weights: the SHA-256 of its file.
func OpenCache(dir, encoder string, limit int64) (*Cache, error) {
	files, err := diskcache.Open(dir, cacheSuffix, "embedding", limit)
	if err != nil {
		return nil, err
	}
	return &Cache{files, encoder}, nil
}

// Embed returns the image's embedding from the cache, or makes and keeps it.
// A damaged file counts as none. A nil cache only makes it.
func (c *Cache) Embed(ctx context.Context, m *Model, img *imageproc.RGB) (*Embedding, error) {
	if c == nil {
		return m.Embed(ctx, img)
	}
	key := c.key(m, img)
	var parts []*tensors.Tensor
	found := c.files.Get(key, func(path string) (err error) {
		parts, err = readParts(path, len(m.sig.embed))
		return err
	})
	if found {
		return &Embedding{Frame: m.frame(img.W, img.H), parts: parts}, nil
	}
	e, err := m.Embed(ctx, img)
	if err != nil {
		return nil, err
	}
	return e, c.files.Put(key, func(path string) error { return writeParts(path, e.parts) })
}

func (c *Cache) key(m *Model, img *imageproc.RGB) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00%d\x00%d\x00%d\x00", c.encoder, m.sig.side, m.sig.layout, img.W, img.H)
	h.Write(img.Pix)
	return hex.EncodeToString(h.Sum(nil))
}

func writeParts(path string, parts []*tensors.Tensor) error {
	values := make(map[string]*tensors.Tensor, len(parts))
	for i, p := range parts {
		values[fmt.Sprint(i)] = p
	}
	sum, err := digest(parts)
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, values, map[string]string{"sha256": sum})
}

func readParts(path string, n int) ([]*tensors.Tensor, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	parts := make([]*tensors.Tensor, n)
	for i := range parts {
		if parts[i], err = r.Tensor(fmt.Sprint(i)); err != nil {
			return nil, err
		}
	}
	if sum, err := digest(parts); err != nil || sum != r.Metadata()["sha256"] {
		return nil, fmt.Errorf("%s: damaged: its checksum differs", path)
	}
	return parts, nil
}

func digest(parts []*tensors.Tensor) (string, error) {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprint(h, p.Shape().Dimensions)
		values, err := tensors.CopyFlatData[float32](p)
		if err != nil {
			return "", err
		}
		buf := make([]byte, 4*len(values))
		for i, v := range values {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
