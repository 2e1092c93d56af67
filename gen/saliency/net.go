package saliency

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute-onnx/support/protos"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/gen/source"
	"wsss/models/foundation/load"
	"wsss/models/foundation/saliency"
	"wsss/models/manifest"
	"wsss/models/onnximport/onnxfile"
)

// Network are the keys of a table that names a salient-object network.
type Network struct {
	Model    string `toml:"model"`     // of `wsss models list`, …
	Network  string `toml:"network"`   // … or an ONNX file, with what follows
	ModelDir string `toml:"model_dir"` // folder of model files; "" = the usual one

	// What the manifest says for its models, and a file does not tell.
	Side    int     `toml:"side"`    // of the square that images are resized to; 0 = what the file fixes
	Norm    string  `toml:"norm"`    // of the pixels: imagenet (U²-Net, BiRefNet; default), half (-0.5..0.5: ISNet), signed (-1..1: MODNet), unit (0..1), clip, bytes (0..255; default of a file that takes bytes), caffe (B, G, R less the mean)
	Layout  string  `toml:"layout"`  // of the input: nchw or nhwc; default: by its shape, nchw where that does not tell
	Output  string  `toml:"output"`  // the output with the map, where there are several, or "first"
	Channel int     `toml:"channel"` // of an output with several, from 1; 0 = the second of two
	Logits  *bool   `toml:"logits"`  // the map has logits; default: what the file ends with, else each map tells
	Scale   float64 `toml:"scale"`   // what a pixel that stands out has, where it is no logit; 0 = 1, or 255 in bytes
	Stretch *bool   `toml:"stretch"` // stretch each map to 0..1
}

// Given tells whether a table names a network.
func (n Network) Given() bool { return n.Model != "" || n.Network != "" }

// Needs are the network's files.
func (n Network) Needs() gen.Needs {
	if n.Network != "" {
		return gen.Needs{Files: []string{n.Network}}
	}
	return gen.Needs{Models: []string{n.Model}}
}

// Check names the first key that is wrong. section is the table, for errors.
func (n Network) Check(section string) error {
	switch _, known := saliency.Norms[n.Norm]; {
	case (n.Model == "") == (n.Network == ""):
		return fmt.Errorf("[%s] allowed is exactly one of model, a network of `wsss models list`, and network, an ONNX file", section)
	case !known && n.Norm != "":
		return fmt.Errorf("[%s] norm = %q: allowed are %s", section, n.Norm, strings.Join(slices.Sorted(maps.Keys(saliency.Norms)), ", "))
	case !slices.Contains([]string{"", saliency.NCHW, saliency.NHWC}, n.Layout):
		return fmt.Errorf("[%s] layout = %q: allowed are nchw, nhwc", section, n.Layout)
	case n.Channel < 0:
		return fmt.Errorf("[%s] channel = %d: channels count from 1", section, n.Channel)
	case !(n.Scale >= 0 && n.Scale <= 1e6):
		return fmt.Errorf("[%s] scale = %v: allowed are numbers in [0, 1000000]", section, n.Scale)
	case n.Scale > 0 && n.Logits != nil && *n.Logits:
		return fmt.Errorf("[%s] scale and logits = true: allowed is one of them", section)
	case n.Side < 0 || n.Side > 4096:
		return fmt.Errorf("[%s] side = %d: allowed are 0 to 4096 pixels", section, n.Side)
	}
	if n.Model != "" {
		return familyOf(n.Model, section)
	}
	return nil
}

func familyOf(name, section string) error {
	m, err := manifest.Find(name)
	if err != nil {
		return fmt.Errorf("[%s] %w", section, err)
	}
	if m.Family != "saliency" {
		return fmt.Errorf("[%s] model %s is of family %s, wanted is saliency", section, name, m.Family)
	}
	return nil
}

// Mapper makes the saliency maps of photos, each once however many steps of a
// chain ask for it. It is safe for concurrent use.
type Mapper struct {
	section string
	model   *saliency.Model
	hashes  map[string]string
	maps    *memory
}

// Open loads the network that a table names.
func (n Network) Open(b compute.Backend, section string) (*Mapper, error) {
	if err := n.Check(section); err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("[%s] a salient-object network needs a backend, and there is none", section)
	}
	path, err := manifest.Resolve(n.ModelDir, n.Network, n.Model, "saliency", "model")
	if err != nil {
		return nil, err
	}
	opts, err := n.options(path, section)
	if err != nil {
		return nil, err
	}
	s, err := load.Open(b, path, load.Options{})
	if err != nil {
		return nil, err
	}
	m, err := saliency.New(load.Together(s), opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("[%s] %s: %w", section, path, err), s.Close())
	}
	return &Mapper{section: section, model: m, hashes: map[string]string{filepath.Base(path): s.Hash()}, maps: memoryOf(s, opts)}, nil
}

// options joins what the table says, what the manifest does, and what the file
// tells.
func (n Network) options(path, section string) (saliency.Options, error) {
	var m manifest.Model
	if n.Network == "" {
		m, _ = manifest.Find(n.Model) // checked
	}
	o := saliency.Options{Side: cmp.Or(n.Side, m.Side), Layout: n.Layout, Output: cmp.Or(n.Output, m.Output), Channel: n.Channel, Scale: n.Scale, Stretch: m.Stretch}
	if n.Stretch != nil {
		o.Stretch = *n.Stretch
	}
	file, err := onnxfile.Open(path)
	if err != nil {
		return o, err
	}
	defer file.Close()
	norm := cmp.Or(n.Norm, m.Norm)
	if bytes := takesBytes(file); bytes && norm != "" && norm != "bytes" {
		return o, fmt.Errorf("[%s] norm = %q: %s takes bytes; allowed is bytes", section, norm, path)
	} else if bytes {
		norm = "bytes"
	}
	o.Norm = saliency.Norms[cmp.Or(norm, "imagenet")]
	switch {
	case n.Scale > 0:
		o.Values = saliency.Shares
	case n.Logits == nil:
		o.Values = saliency.ValuesOf(file, o.Output)
	case *n.Logits:
		o.Values = saliency.Logits
	default:
		o.Values = saliency.Shares
	}
	return o, nil
}

// takesBytes tells whether the file's images are uint8.
func takesBytes(file *onnxfile.File) bool {
	return slices.ContainsFunc(file.Proto.Graph.Input, func(in *protos.ValueInfoProto) bool {
		weight := slices.ContainsFunc(file.Proto.Graph.Initializer, func(t *protos.TensorProto) bool { return t.Name == in.Name })
		return !weight && in.GetType().GetTensorType().GetElemType() == int32(protos.TensorProto_UINT8)
	})
}

// Weights maps the network's file to its SHA-256.
func (m *Mapper) Weights() map[string]string { return m.hashes }

// Map tells for each pixel of a sample's photo how much it stands out, 0..1,
// row-major. The caller must not change it.
func (m *Mapper) Map(ctx context.Context, s *data.Sample) ([]float32, error) {
	if s.Image == nil || s.Image.Rect.Empty() {
		return nil, fmt.Errorf("[%s] saliency needs the image, and it has no pixels", m.section)
	}
	return m.maps.get(s, func() ([]float32, error) {
		small, err := m.model.Map(ctx, imageproc.FromImage(s.Image))
		if err != nil {
			return nil, fmt.Errorf("[%s] saliency: %w", m.section, err)
		}
		size := s.Image.Rect.Size()
		if small.W == size.X && small.H == size.Y {
			return small.Values, nil
		}
		return source.Bilinear(small.Values, small.W, small.H, size.X, size.Y, float64(small.W)/float64(size.X), float64(small.H)/float64(size.Y)), nil
	})
}

// memory remembers the maps of the photos that are in work, by the sample that
// all steps of a chain share; a map goes when its sample does.
type memory struct {
	mu   sync.Mutex
	maps map[weak.Pointer[data.Sample]]*entry
}

type entry struct {
	mu     sync.Mutex
	values []float32 // nil: not made yet
}

func (r *memory) get(s *data.Sample, make func() ([]float32, error)) ([]float32, error) {
	key := weak.Make(s)
	r.mu.Lock()
	e := r.maps[key]
	if e == nil {
		e = &entry{}
		r.maps[key] = e
		runtime.AddCleanup(s, r.forget, key)
	}
	r.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.values != nil {
		return e.values, nil
	}
	var err error
	e.values, err = make()
	return e.values, err
}

func (r *memory) forget(key weak.Pointer[data.Sample]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.maps, key)
}

// use is a network as some options use it.
type use struct {
	session weak.Pointer[load.Session]
	opts    saliency.Options
}

// memories are shared by steps of a chain that name the same network.
var memories = struct {
	mu  sync.Mutex
	all map[use]*memory
}{all: map[use]*memory{}}

func memoryOf(s *load.Session, o saliency.Options) *memory {
	memories.mu.Lock()
	defer memories.mu.Unlock()
	for u := range memories.all {
		if u.session.Value() == nil {
			delete(memories.all, u)
		}
	}
	u := use{weak.Make(s), o}
	if memories.all[u] == nil {
		memories.all[u] = &memory{maps: map[weak.Pointer[data.Sample]]*entry{}}
	}
	return memories.all[u]
}

// names joins class names, for errors.
func names(classes data.Classes, list []int) string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = classes.Name(c)
	}
	return strings.Join(out, ", ")
}
