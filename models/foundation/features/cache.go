package features

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/data/imageproc"
	"wsss/models/foundation/diskcache"
)

// Cache keeps maps of features on disk, in half precision, one safetensors file
// each. A file is named by a hash of the photo's pixels and of all that the
// features depend on (Network.Key), so that those of another network or size
// are never taken.
type Cache struct{ files *diskcache.Cache }

const cacheSuffix = ".features.safetensors"

// SetCache makes n keep its maps in a folder of at most limit bytes. Call it
// before the first photo.
func (n *Network) SetCache(dir string, limit int64) error {
	files, err := diskcache.Open(dir, cacheSuffix, "feature", limit)
	if err == nil {
		n.cache = &Cache{files}
	}
	return err
}

// PhotoHash identifies the pixels of a photo.
func PhotoHash(p *imageproc.RGB) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n", p.W, p.H)
	h.Write(p.Pix)
	return hex.EncodeToString(h.Sum(nil))
}

func (c *Cache) key(n *Network, p *imageproc.RGB) string {
	sum := sha256.Sum256([]byte(n.Key() + "\n" + PhotoHash(p)))
	return hex.EncodeToString(sum[:])
}

// get is nil where there is no file, a damaged one, or one of other contents.
func (c *Cache) get(n *Network, p *imageproc.RGB) (m *Map) {
	if c == nil {
		return nil
	}
	key := c.key(n, p)
	if !c.files.Get(key, func(path string) (err error) {
		m, err = readMap(path, key)
		return err
	}) {
		return nil
	}
	return m
}

// put keeps a map, and gives it the values that will be read: a run with and
// without the cache ends with the same bytes.
func (c *Cache) put(n *Network, p *imageproc.RGB, m *Map) error {
	half := make([]float16.Float16, len(m.Values))
	for i, v := range m.Values {
		half[i] = float16.FromFloat32(v)
		m.Values[i] = half[i].Float32()
	}
	if c == nil {
		return nil
	}
	key := c.key(n, p)
	return c.files.Put(key, func(path string) error {
		return safetensors.WriteFile(path, map[string]*tensors.Tensor{
			"values": tensors.FromFlatDataAndDimensions(half, m.H, m.W, m.C),
			"norms":  tensors.FromFlatDataAndDimensions(m.Norms, m.H, m.W),
		}, map[string]string{
			"key": key, "sha256": digest(half, m.Norms),
			"scale_x": strconv.FormatFloat(m.ScaleX, 'g', -1, 64), "scale_y": strconv.FormatFloat(m.ScaleY, 'g', -1, 64),
		})
	})
}

func readMap(path, key string) (*Map, error) {
	r, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	meta := r.Metadata()
	if meta["key"] != key {
		return nil, fmt.Errorf("%s: features of another photo or network", path)
	}
	half, dims, err := flat[float16.Float16](r, "values", 3)
	if err != nil {
		return nil, err
	}
	norms, _, err := flat[float32](r, "norms", 2)
	if err != nil {
		return nil, err
	}
	m := &Map{H: dims[0], W: dims[1], C: dims[2], Norms: norms, Values: make([]float32, len(half))}
	if len(norms) != m.W*m.H || digest(half, norms) != meta["sha256"] {
		return nil, fmt.Errorf("%s: damaged: its checksum differs", path)
	}
	for i, v := range half {
		m.Values[i] = v.Float32()
	}
	if m.ScaleX, err = strconv.ParseFloat(meta["scale_x"], 64); err == nil {
		m.ScaleY, err = strconv.ParseFloat(meta["scale_y"], 64)
	}
	return m, err
}

// flat reads the values of a tensor of a rank.
func flat[T float32 | float16.Float16](r *safetensors.Reader, name string, rank int) ([]T, []int, error) {
	t, err := r.Tensor(name)
	if err != nil {
		return nil, nil, err
	}
	defer t.FinalizeAll() //nolint:errcheck // memory only
	dims := append([]int(nil), t.Shape().Dimensions...)
	if len(dims) != rank {
		return nil, nil, fmt.Errorf("%s has shape %v", name, dims)
	}
	v, err := tensors.CopyFlatData[T](t)
	return v, dims, err
}

func digest(half []float16.Float16, norms []float32) string {
	h := sha256.New()
	raw := make([]byte, 0, 1<<12)
	flush := func() { h.Write(raw); raw = raw[:0] }
	for _, v := range half {
		b := v.Bits()
		if raw = append(raw, byte(b), byte(b>>8)); len(raw) >= 1<<12-8 {
			flush()
		}
	}
	flush()
	fmt.Fprint(h, norms)
	return hex.EncodeToString(h.Sum(nil))
}
