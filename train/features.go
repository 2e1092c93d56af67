package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/augment"
	"wsss/models"
)

// featureCache holds what a frozen backbone makes of the crops of the training
// images: a file of half-precision numbers for each image and its mirror image. A
// file is told by the photo, the backbone's weights and all that the crop depends
// on, so that it serves every training that needs it.
type featureCache struct {
	dir    string
	of     string                 // hash of the weights and of the crop's options
	photo  func(id string) string // hash of a photo
	h, w   int
	width  int
	shared augment.Options
}

// featureFolder lies beside the trainings of a run.
const featureFolder = "features"

// path is the file of an image's features.
func (c *featureCache) path(id string, flip bool) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %v", c.of, c.photo(id), flip))
	name := hex.EncodeToString(sum[:16])
	return filepath.Join(c.dir, name[:2], name+".f16")
}

// size is that of a file, bytes.
func (c *featureCache) size() int64 { return 2 * int64(c.h) * int64(c.w) * int64(c.width) }

// read fills features [h, w, width] from an image's file.
func (c *featureCache) read(dst []float32, id string, flip bool) error {
	path := c.path(id, flip)
	raw, err := files.ReadLimited(path, c.size())
	if err == nil && int64(len(raw)) != c.size() {
		err = fmt.Errorf("%s: %d bytes of features, wanted are %d: remove it", path, len(raw), c.size())
	}
	if err != nil {
		return err
	}
	for i := range dst {
		dst[i] = float16.Float16(binary.LittleEndian.Uint16(raw[2*i:])).Float32()
	}
	return nil
}

// has tells whether an image's file is there and whole.
func (c *featureCache) has(id string, flip bool) bool {
	info, err := os.Stat(c.path(id, flip))
	return err == nil && info.Mode().IsRegular() && info.Size() == c.size()
}

// flips are the variants of an image: itself, and mirrored if configured.
func (c *featureCache) flips() []bool {
	if c.shared.Flip {
		return []bool{false, true}
	}
	return []bool{false}
}

// cacheFeatures computes what is not cached yet; nil where nothing is to be
// cached. Stopped, it goes on with the images that are left.
func (r *run) cacheFeatures(ctx context.Context, aug augment.Options) (*featureCache, error) {
	t := r.Config
	if !t.CacheFeatures {
		return nil, nil
	}
	if t.MSC {
		return nil, errors.New("train.compute.cache_features = true: an image must be seen at one scale: set train.network.msc = false")
	}
	net, ok := r.Net.(models.FeatureSegmenter)
	if !ok || !t.Frozen {
		return nil, errors.New("train.compute.cache_features = true: only the features of a frozen plain transformer are the same in every update: set train.network.frozen with arch vit-linear or vit-mask")
	}
	if t.CropAt != "center" || t.Blur > 0 || len(t.Jitter) > 0 || t.CopyPaste > 0 {
		return nil, errors.New(`train.compute.cache_features = true: an image must look the same in every epoch: set train.augment.crop_at = "center", without blur, jitter and copy_paste`)
	}
	if t.Crop%net.Patch() != 0 {
		return nil, fmt.Errorf("train.augment.crop = %d: with train.compute.cache_features it is a multiple of the patch, %d, such as %d",
			t.Crop, net.Patch(), (t.Crop/net.Patch()+1)*net.Patch())
	}
	exec, err := model.NewExec(r.Backend, r.net.store, net.Features)
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	weights, err := r.backboneHash()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(filepath.Dir(r.OutDir), featureFolder)
	if files.IsRemote(dir) { // they are read in every epoch: on this machine, for whatever training needs them next
		dir = filepath.Join(os.TempDir(), "wsss-"+featureFolder)
	}
	c := &featureCache{dir: dir, shared: aug, photo: func(id string) string { return or(r.data[id].Photo, "id "+id) },
		of: fmt.Sprintf("%s %s %s %d %s %s", weights, t.Backbone, t.Input, t.Crop, t.Resize, t.Pad), h: t.Crop / net.Patch(), w: t.Crop / net.Patch()}
	return c, c.fill(ctx, r, exec)
}

// fill computes the files that are missing.
func (c *featureCache) fill(ctx context.Context, r *run, exec *model.Exec) error {
	pixels, labels := make([]float32, 3*c.shared.Crop*c.shared.Crop), make([]uint8, c.shared.Crop*c.shared.Crop)
	compute := func(id string, flip bool) (*tensors.Tensor, error) {
		s, err := r.Dataset.Load(id, data.WantImage)
		if err != nil {
			return nil, err
		}
		w, h := s.Image.Rect.Dx(), s.Image.Rect.Dy()
		at := c.shared.Draw(augment.RNG(0, 0, 0), w, h)
		at.Flip = flip
		if err := c.shared.Apply(pixels, labels, s.Image, data.NewLabelMap(w, h), at); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		in := tensors.FromFlatDataAndDimensions(pixels, 1, c.shared.Crop, c.shared.Crop, 3)
		defer in.FinalizeAll() //nolint:errcheck // memory only
		return exec.Call1(in)
	}
	// The first image, always, tells the width.
	first, err := compute(r.ids[0], false)
	if err != nil {
		return err
	}
	c.width = first.Shape().Dim(-1)
	first.FinalizeAll() //nolint:errcheck // memory only
	n := int64(len(r.ids) * len(c.flips()))
	if need, limit := n*c.size(), int64(r.Config.CacheGB*1e9); need > limit {
		return fmt.Errorf("train.compute.cache_features: the features of %d images take %.3g GB, train.compute.cache_gb = %g allows no more: raise it, or lower train.augment.crop", len(r.ids), float64(need)/1e9, r.Config.CacheGB)
	}
	made := 0
	for i, id := range r.ids {
		for _, flip := range c.flips() {
			if c.has(id, flip) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			out, err := compute(id, flip)
			if err == nil {
				err = c.write(c.path(id, flip), out)
			}
			if err != nil {
				return fmt.Errorf("features of %s: %w", id, err)
			}
			if made++; made%100 == 0 {
				r.Log(fmt.Sprintf("features of the frozen backbone: %d of %d images", i+1, len(r.ids)))
			}
		}
	}
	r.Log(fmt.Sprintf("features of the frozen backbone: %d computed, %d were there, %.1f MB in %s", made, n-int64(made), float64(n*c.size())/1e6, c.dir))
	return nil
}

func (c *featureCache) write(path string, out *tensors.Tensor) error {
	defer out.FinalizeAll() //nolint:errcheck // memory only
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	raw := make([]byte, 0, c.size())
	if err := tensors.ConstFlatData(out, func(flat []float32) {
		for _, v := range flat {
			raw = binary.LittleEndian.AppendUint16(raw, float16.FromFloat32(v).Bits())
		}
	}); err != nil {
		return err
	}
	return files.WriteAtomic(path, func(w io.Writer) error { _, err := w.Write(raw); return err })
}

// backboneHash is the SHA-256 of the backbone's variables.
func (r *run) backboneHash() (string, error) {
	var vars []*model.Variable
	for v := range r.net.store.IterVariables() {
		if strings.HasPrefix(v.Path(), "/"+models.BackboneScope+"/") {
			vars = append(vars, v)
		}
	}
	slices.SortFunc(vars, func(a, b *model.Variable) int { return strings.Compare(a.Path(), b.Path()) })
	sum := sha256.New()
	for _, v := range vars {
		if err := hashVariable(sum, v); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func hashVariable(sum hash.Hash, v *model.Variable) error {
	t, err := v.Value()
	if err != nil {
		return err
	}
	fmt.Fprintf(sum, "%s %s\n", v.Path(), t.Shape())
	return t.ConstBytes(func(raw []byte) { sum.Write(raw) })
}
