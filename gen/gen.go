// Package gen is stage one: weak labels become pseudo-label masks. A Method
// turns one sample into scored binary masks, a Fuser turns the masks into one
// label map, and the Runner does it for a whole split: in parallel, resumable,
// one atomic PNG and sidecar JSON per image. One method per file; a method
// registers itself.
package gen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/gomlx/compute"

	"wsss/configs"
	"wsss/data"
)

// Prompt is what a mask was asked for with: points (with background clicks)
// and/or a box, of one class. It is kept with the mask, for review.
type Prompt struct {
	Class  int          `json:"class"`
	Points []data.Point `json:"points,omitempty"`
	Box    *data.Box    `json:"box,omitempty"`
	Source string       `json:"source"`           // "box", "point", "scribble", "tag", "detector", …
	Phrase string       `json:"phrase,omitempty"` // text that led to it
	Score  float32      `json:"score"`            // the prompt's own confidence, 1 for human labels
}

// Mask is one binary mask of one class.
type Mask struct {
	Class     int      `json:"class"`
	Bits      data.RLE `json:"-"`
	Score     float32  `json:"score"`     // the masker's confidence in 0..1 (SAM: predicted IoU)
	Stability float32  `json:"stability"` // 0..1; 0 where the method has none
	From      Prompt   `json:"from"`
	Note      string   `json:"note,omitempty"` // e.g. why the mask is weak
	// VouchedBy are the regions of other photos that the class was taken from, the
	// most similar first; of method retrieve.
	VouchedBy []Voucher `json:"vouched_by,omitempty"`
}

// Voucher is a region of a photo that a mask's class was taken from.
type Voucher struct {
	Photo      string  `json:"photo"`
	Area       int     `json:"area"`       // pixels of the region
	Similarity float32 `json:"similarity"` // cosine of the features
	Corrected  bool    `json:"corrected,omitempty"`
}

// Method makes the masks of one sample. Implementations are safe for
// concurrent use. Masks come in a deterministic order: the same sample, config
// and weights give the same bytes.
type Method interface {
	Generate(ctx context.Context, s *data.Sample) ([]Mask, error)
}

// ErrUnlabelled is wrapped by the error of a method for an image that has none
// of the weak labels it works from. Run leaves such images out.
var ErrUnlabelled = errors.New("not labelled")

// Unlabelled is the error of a method for an image that has none of the weak
// labels it works from, not even the word that there is nothing.
func Unlabelled(kind data.WeakKind) error {
	return fmt.Errorf("%w: the dataset has no %s for this image: label it, if only as holding nothing", ErrUnlabelled, kind)
}

// Env is what a method may need beside its options.
type Env struct {
	Backend compute.Backend // nil for methods that need no network (see Spec)
	Classes data.Classes
	Weak    data.WeakKind // the form of weak label to use
	Seed    int64
	Gen     configs.Gen
}

// Spec describes a registered method.
type Spec struct {
	Doc          string          // one line for -h
	Weak         []data.WeakKind // the forms it accepts
	NeedsBackend bool
	New          func(env Env) (Method, error) // decodes env.Gen.Options strictly
	// Inner lists the methods that a method's options name, for one that
	// refines or combines what others make; nil for all others.
	Inner func(options map[string]any) ([]configs.Gen, error)
	// Needs says what the method reads with these options, which it checks as
	// far as that is possible without opening anything; nil for a method that
	// needs nothing.
	Needs func(options map[string]any) (Needs, error)
	// Classes refuses options that name classes which the dataset has not; nil
	// for a method without such options.
	Classes func(options map[string]any, classes data.Classes) error
	// Check tells what the headers of the files say against the method's
	// options, as far as the files are there; nil for a method that all fit.
	Check func(g configs.Gen) error
}

// Reader is a Method that reads what an earlier run or another tool wrote.
type Reader interface {
	// Inputs describes each folder that it reads, for the run's manifest.
	Inputs() (map[string]string, error)
	// InputFiles lists the files, and folders with all that is in them, that
	// the label of an image depends on; the label is made again when one of
	// them changes, appears or goes. They need not exist.
	InputFiles(id string) ([]string, error)
}

// Taught is a Method that learnt from photos which it may be asked to label.
type Taught interface {
	// LearntFrom tells whether it learnt from the photo of a file, by the file's
	// SHA-256.
	LearntFrom(sum string) bool
}

// Warnings are what a method wants said about its labels, for one that has a
// method of this name.
func Warnings(m Method) []string {
	if w, ok := m.(interface{ Warnings() []string }); ok {
		return w.Warnings()
	}
	return nil
}

// InputFiles lists what a method reads for an image; nothing where it is no
// Reader.
func InputFiles(m Method, id string) ([]string, error) {
	if r, ok := m.(Reader); ok {
		return r.InputFiles(id)
	}
	return nil, nil
}

// WeightsOf is the hashes of the weight files that a method says it uses.
func WeightsOf(method Method) map[string]string {
	if m, ok := method.(interface{ Weights() map[string]string }); ok {
		return m.Weights()
	}
	return nil
}

// NeedsBackend tells whether a method, or one that its options name, needs a
// backend.
func NeedsBackend(g configs.Gen) (bool, error) {
	spec, err := Lookup(g.Method)
	if err != nil || spec.NeedsBackend || spec.Inner == nil {
		return spec.NeedsBackend, err
	}
	inner, err := spec.Inner(g.Options)
	if err != nil {
		return false, err
	}
	for _, g := range inner {
		if needs, err := NeedsBackend(g); needs || err != nil {
			return needs, err
		}
	}
	return false, nil
}

var methods = map[string]Spec{}

// Register adds a method; it panics on a duplicate name. Call it from init in
// the method's own file.
func Register(name string, spec Spec) {
	if _, dup := methods[name]; dup {
		panic("gen: method registered twice: " + name)
	}
	methods[name] = spec
}

// Methods lists the registered names, sorted.
func Methods() []string {
	names := make([]string, 0, len(methods))
	for n := range methods {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Lookup returns a registered method's description, or an error that lists
// the ones that exist.
func Lookup(name string) (Spec, error) {
	s, ok := methods[name]
	if !ok {
		return Spec{}, fmt.Errorf("gen.method = %q is unknown: allowed are %s%s", name, strings.Join(Methods(), ", "), configs.DidYouMean(name, Methods()))
	}
	return s, nil
}

// CheckWeak returns an error where a method does not take the form of weak
// label that its table names.
func CheckWeak(g configs.Gen) error {
	spec, err := Lookup(g.Method)
	if err == nil && !slices.Contains(spec.Weak, data.WeakKind(g.Weak)) {
		err = fmt.Errorf("gen.weak = %q: method %s takes %s", g.Weak, g.Method, joinKinds(spec.Weak))
	}
	return err
}

// New makes the method that env.Gen.Method names, after checking that it takes
// the form of weak label and that it has a backend if it needs one.
func New(env Env) (Method, error) {
	spec, err := Lookup(env.Gen.Method)
	if err != nil {
		return nil, err
	}
	if err := CheckWeak(configs.Gen{Method: env.Gen.Method, Weak: string(env.Weak)}); err != nil {
		return nil, err
	}
	if spec.NeedsBackend && env.Backend == nil {
		return nil, fmt.Errorf("gen.method = %q needs a backend, and there is none", env.Gen.Method)
	}
	return spec.New(env)
}

func joinKinds(kinds []data.WeakKind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}
