// Package source reads what later steps refine: label maps and class scores
// (CAMs) that an earlier run or another tool wrote, or that another method
// makes. It registers the gen method "import", which takes them as they are.
package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/gen"
)

// Options say where labels come from: exactly one of Labels, Scores and Method
// is set. They are the keys of [gen.options] of method import, and of
// [gen.options.from] of the methods that refine.
type Options struct {
	Labels  string         `toml:"labels"`    // folder of label PNGs, of a run or of any other tool
	Scores  string         `toml:"scores"`    // folder of class scores as .npy files, as IRN, PSA and CLIP-ES write them
	Method  string         `toml:"method"`    // a method of wsss …
	Options map[string]any `toml:"options"`   // … with these options …
	Fuse    configs.Fuse   `toml:"fuse"`      // … whose masks are fused so; default: rule score
	Keep    string         `toml:"keep"`      // folder that keeps what the method makes, scores as .npy or labels as .png: a later run with the same method, options, weights, photo and labels takes it from there
	Name    string         `toml:"name"`      // file of an image below the folder; default "{id}.png" or "{id}.npy"
	Missing string         `toml:"missing"`   // image without a file: "error" (default), "background" or "void"
	Void    string         `toml:"void"`      // undecided pixels of a label: "keep" (default) or "background"
	Tagged  bool           `toml:"only_tags"` // drop classes that are not among the image's tags; needs gen.weak = "tags"
	ScoreOptions
}

// Source yields one label map, or one set of class scores, per image. It is
// safe for concurrent use.
type Source struct {
	opts   Options
	env    gen.Env
	method gen.Method // nil for folders
	fuser  gen.Fuser
	ruled  bool // labels come from the method's scores by rules of the options' own
}

// Open checks the options and the folder. section names the table of the
// options in errors ("gen.options.from").
func Open(env gen.Env, section string, o Options) (*Source, error) {
	s := &Source{opts: o, env: env}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("[%s] %w", section, err)
	}
	if o.Method != "" {
		if err := s.openMethod(); err != nil {
			return nil, fmt.Errorf("[%s] %w", section, err)
		}
		return s, nil
	}
	if info, err := files.Stat(s.dir()); err != nil {
		return nil, fmt.Errorf("[%s] %w", section, err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("[%s] %s is not a folder", section, s.dir())
	}
	return s, nil
}

func (s *Source) check() error {
	o := &s.opts
	given := 0
	for _, v := range []string{o.Labels, o.Scores, o.Method} {
		if v != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return errors.New("allowed is exactly one of labels, scores and method")
	case o.Keep != "" && (o.Method == "" || len(s.env.Gen.Checks) > 0):
		return errors.New("keep: allowed only with method, and without gen.checks, which label changed images, too")
	case o.Method == "" && (len(o.Options) > 0 || !reflect.DeepEqual(o.Fuse, configs.Fuse{})):
		return errors.New("options and fuse: allowed only with method")
	case o.Scores != "" && o.Missing == "void":
		return errors.New(`missing = "void": allowed only with labels`)
	case o.Tagged && s.env.Weak != data.WeakTags:
		return errors.New(`only_tags: allowed only with gen.weak = "tags"`)
	case o.Name != "" && !strings.Contains(o.Name, "{id}"):
		return fmt.Errorf("name = %q: allowed are names with {id}, which stands for the image", o.Name)
	}
	if err := oneOf("missing", o.Missing, "", "error", "background", "void"); err != nil {
		return err
	}
	if err := oneOf("void", o.Void, "", "keep", "background"); err != nil {
		return err
	}
	return o.ScoreOptions.check()
}

func oneOf(key, v string, allowed ...string) error {
	if slices.Contains(allowed, v) {
		return nil
	}
	return fmt.Errorf("%s = %q: allowed are %s", key, v, strings.Join(slices.DeleteFunc(allowed, func(s string) bool { return s == "" }), ", "))
}

// Given tells whether the options name a source.
func (o Options) Given() bool { return o.Labels+o.Scores+o.Method != "" }

// inner is the configuration of the method that the options name.
func (o Options) inner(weak data.WeakKind) configs.Gen {
	fuse := o.Fuse
	if fuse.Rule == "" {
		fuse.Rule = configs.Default().Gen.Fuse.Rule
	}
	return configs.Gen{Method: o.Method, Weak: string(weak), Options: o.Options, Fuse: fuse}
}

// Inner lists the method that the options name, for gen.Spec.
func (o Options) Inner() []configs.Gen {
	if o.Method == "" {
		return nil
	}
	return []configs.Gen{o.inner("")}
}

// Needs are the folders that the options name, for gen.Spec.
func (o Options) Needs() gen.Needs { return gen.Needs{Files: []string{o.Labels, o.Scores}} }

func (s *Source) openMethod() error {
	env := s.env
	env.Gen = s.opts.inner(env.Weak)
	var err error
	if s.method, err = gen.New(env); err != nil {
		return err
	}
	if scorer, ok := s.method.(Scorer); ok {
		s.ruled = s.opts.ScoreOptions != ScoreOptions{}
		s.opts.ScoreOptions = s.opts.ScoreOptions.under(scorer.Rule())
	}
	s.fuser, err = gen.NewFuser(env.Gen.Fuse, env.Classes)
	return err
}

// HasScores tells whether the source yields class scores.
func (s *Source) HasScores() bool {
	_, scorer := s.method.(Scorer)
	return scorer || s.opts.Scores != ""
}

// Weights are the weight files of the method behind the source, as a method's
// own (gen.RunOptions.Weights).
func (s *Source) Weights() map[string]string {
	if m, ok := s.method.(interface{ Weights() map[string]string }); ok {
		return m.Weights()
	}
	return nil
}

// Learn lets the method behind the source learn, for gen.Learner.
func (s *Source) Learn(ctx context.Context, from gen.Lesson) error {
	if s.method == nil {
		return nil
	}
	return gen.Learn(ctx, s.method, from)
}

func (s *Source) dir() string {
	if s.opts.Labels != "" {
		return s.opts.Labels
	}
	return s.opts.Scores
}

// path is the file of an image.
func (s *Source) path(id string) (string, error) {
	name := s.opts.Name
	if name == "" {
		name = "{id}.png"
		if s.opts.Scores != "" {
			name = "{id}.npy"
		}
	}
	return files.Join(s.dir(), strings.ReplaceAll(name, "{id}", id))
}

// Inputs describes the folder, for gen.Reader: a checksum of the names and
// sizes of its files.
func (s *Source) Inputs() (map[string]string, error) {
	if s.method != nil {
		if r, ok := s.method.(gen.Reader); ok {
			return r.Inputs()
		}
		return nil, nil
	}
	ext := ".png"
	if s.opts.Scores != "" {
		ext = ".npy"
	}
	sum, err := Describe(s.dir(), ext)
	return map[string]string{s.dir(): sum}, err
}

// InputFiles is the image's file in the folder, or what the method behind the
// source reads, for gen.Reader.
func (s *Source) InputFiles(id string) ([]string, error) {
	if s.method != nil {
		return gen.InputFiles(s.method, id)
	}
	path, err := s.path(id)
	return []string{path}, err
}

// Describe is a checksum of the names and sizes of a folder's files with the
// given extension.
func Describe(dir, ext string) (string, error) {
	h := sha256.New()
	n := 0
	err := files.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ext || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(rel), info.Size())
		n++
		return err
	})
	return fmt.Sprintf("%d files, %s", n, hex.EncodeToString(h.Sum(nil)[:8])), err
}

// Label returns the image's label map, and the confidence of each pixel where
// the source has one (else nil). It has the image's size.
func (s *Source) Label(ctx context.Context, sample *data.Sample) (*data.LabelMap, []float32, error) {
	switch {
	case s.method != nil && !s.ruled:
		make := s.makeLabel
		if s.opts.Keep != "" {
			make = s.keptLabel
		}
		label, err := make(ctx, sample)
		if err != nil {
			return nil, nil, err
		}
		return s.finish(label, sample), nil, nil
	case s.HasScores():
		scores, err := s.Scores(ctx, sample)
		if err != nil {
			return nil, nil, err
		}
		label, confidence := scores.Label(s.opts.ScoreOptions)
		return label, confidence, nil
	}
	label, err := s.readLabel(sample)
	return label, nil, err
}

func (s *Source) readLabel(sample *data.Sample) (*data.LabelMap, error) {
	path, err := s.path(sample.ID)
	if err != nil {
		return nil, err
	}
	size := sample.Image.Rect.Size()
	label, err := data.ReadLabelMap(path)
	if errors.Is(err, fs.ErrNotExist) && s.mayMiss() {
		label = data.NewLabelMap(size.X, size.Y)
		if s.opts.Missing == "void" {
			for i := range label.Pix {
				label.Pix[i] = data.Ignore
			}
		}
		return label, nil
	}
	if err != nil {
		return nil, err
	}
	if label.Size() != size {
		return nil, fmt.Errorf("%s is %d×%d pixels, the image %d×%d", path, label.W, label.H, size.X, size.Y)
	}
	if err := label.CheckRange(s.env.Classes.Len()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s.finish(label, sample), nil
}

func (s *Source) mayMiss() bool { return s.opts.Missing == "background" || s.opts.Missing == "void" }

// finish applies void and only_tags.
func (s *Source) finish(label *data.LabelMap, sample *data.Sample) *data.LabelMap {
	if !s.opts.Tagged && s.opts.Void != "background" {
		return label
	}
	for i, v := range label.Pix {
		switch {
		case v == data.Ignore:
			if s.opts.Void == "background" {
				label.Pix[i] = 0
			}
		case v != 0 && s.opts.Tagged && !slices.Contains(sample.Weak.Tags, int(v)):
			label.Pix[i] = 0
		}
	}
	return label
}
