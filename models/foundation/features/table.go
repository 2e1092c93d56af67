package features

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"wsss/models/manifest"
)

// Table are the keys of a config's table that names a network and says how it
// sees photos.
type Table struct {
	Model     string `toml:"model"`      // of `wsss models list`: family features, clip, efficientnet or resnet, …
	Network   string `toml:"network"`    // … or a file: .onnx, .pth or .safetensors
	ModelDir  string `toml:"model_dir"`  // folder of model files; "" = the usual one
	Side      int    `toml:"side"`       // the longer side of a photo is made so many pixels; 0 = as it is, up to max_side
	MaxSide   int    `toml:"max_side"`   // no longer side is larger; default 1024
	Square    int    `toml:"square"`     // photos are stretched to a square of so many pixels, for an ONNX file that takes no other size
	Fit       string `toml:"fit"`        // pad (default): black at the right and below up to whole patches; stretch
	Norm      string `toml:"norm"`       // of the pixels: imagenet (default), clip, signed (-1..1), unit (0..1), bytes (0..255), caffe (B, G, R less the mean)
	Stride    int    `toml:"stride"`     // of a CNN's map, in pixels: 8, 16 (default), 32
	Output    string `toml:"output"`     // value of an ONNX file with the features, an output or any other
	Layout    string `toml:"layout"`     // of that value: bchw, bhwc, bnc; default by its shape
	Prefix    int    `toml:"prefix"`     // tokens before those of the patches; 0 = what the shape leaves, -1 = none
	Patch     int    `toml:"patch"`      // pixels a side of a patch, where the file does not tell
	MaxShapes int    `toml:"max_shapes"` // sizes of photos whose compiled graphs are kept
	Cache     string `toml:"cache"`      // folder that keeps features in half precision, so that a photo is encoded once; "" = none
	CacheMB   int64  `toml:"cache_mb"`   // its largest size; default 20000
}

// roles are the file of each family that gives features, and what it is
// normalised by where neither the manifest nor the table says so.
var roles = map[string]struct{ role, norm string }{
	"features": {"model", "imagenet"}, "clip": {"vision", "clip"}, "efficientnet": {"weights", "imagenet"}, "resnet": {"weights", "imagenet"},
}

// options joins what the table and the manifest say.
func (t Table) options() (Options, manifest.Model, error) {
	var m manifest.Model
	var o Options
	switch {
	case (t.Model == "") == (t.Network == ""):
		return o, m, errors.New("allowed is exactly one of model, a network of `wsss models list`, and network, a file")
	case t.CacheMB < 0:
		return o, m, fmt.Errorf("cache_mb = %d: allowed are 1 or more, 0 for the default", t.CacheMB)
	case t.Cache == "" && t.CacheMB > 0:
		return o, m, errors.New("cache_mb: allowed only with cache")
	}
	norm := "imagenet"
	if t.Model != "" {
		var err error
		if m, err = manifest.Find(t.Model); err != nil {
			return o, m, err
		}
		r, ok := roles[m.Family]
		if !ok {
			return o, m, fmt.Errorf("model %s is of family %s, wanted is one of %s", t.Model, m.Family, strings.Join(slices.Sorted(maps.Keys(roles)), ", "))
		}
		norm = first(m.Norm, r.norm)
	}
	norm = first(t.Norm, norm)
	n, known := Norms[norm]
	if !known {
		return o, m, fmt.Errorf("norm = %q: allowed are %s", norm, strings.Join(slices.Sorted(maps.Keys(Norms)), ", "))
	}
	o = Options{Side: first(t.Side, m.Side), MaxSide: t.MaxSide, Square: first(t.Square, m.Square), Fit: t.Fit, Norm: n, Stride: t.Stride, Output: first(t.Output, m.Output),
		Layout: t.Layout, Prefix: first(t.Prefix, m.Prefix), Patch: first(t.Patch, m.Patch), MaxShapes: t.MaxShapes}
	return o, m, o.Check()
}

func first[T comparable](own, otherwise T) T {
	var zero T
	if own != zero {
		return own
	}
	return otherwise
}

// Check names the first key that is wrong, after section, the table's name.
func (t Table) Check(section string) error {
	if _, _, err := t.options(); err != nil {
		return fmt.Errorf("[%s] %w", section, err)
	}
	return nil
}

// Open opens the network that the table names.
func (t Table) Open(b compute.Backend, section string) (*Network, error) {
	o, m, err := t.options()
	if err != nil {
		return nil, fmt.Errorf("[%s] %w", section, err)
	}
	path := t.Network
	if path == "" {
		if path, err = manifest.Resolve(t.ModelDir, "", t.Model, m.Family, roles[m.Family].role); err != nil {
			return nil, fmt.Errorf("[%s] %w", section, err)
		}
	}
	n, err := Open(b, path, o)
	if err == nil && t.Cache != "" {
		err = n.SetCache(t.Cache, first(t.CacheMB, defaultCacheMB)<<20)
	}
	if err != nil {
		return nil, fmt.Errorf("[%s] %w", section, err)
	}
	return n, nil
}

const defaultCacheMB = 20_000
