// Package manifest knows the foundation models, and the networks that a
// training starts from: where their files come from,
// under which licence, how large they are and what they hash to; it fetches
// and checks them. Files that users put into the folder themselves count just
// as well.
package manifest

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"wsss/models/official"
)

//go:embed models.toml
var source string

// Model is one entry of the manifest.
type Model struct {
	Name    string `toml:"name"`
	Family  string `toml:"family"` // sam, sam3, gdino, clip, ram, blip2, saliency, features, owl, resnet, wrn, vgg, swin, efficientnet
	Doc     string `toml:"doc"`
	Licence string `toml:"licence"`
	Repo    string `toml:"repo"`   // on Hugging Face; "" for other sources
	Source  string `toml:"source"` // page, where there is no repository
	Make    string `toml:"make"`   // how its local files are made, for people
	Files   []File `toml:"file"`
	// Pair tells that its files come from different exports: whether they
	// belong together is found out at their first use.
	Pair bool `toml:"pair"`

	// How a network of family saliency or features takes an image and gives its
	// map, for options that leave it out.
	Side    int    `toml:"side"`    // of the square that images are resized to
	Norm    string `toml:"norm"`    // of the pixels: imagenet, half, unit; of features: imagenet, clip, signed, unit
	Output  string `toml:"output"`  // the output with the map, or "first"
	Patch   int    `toml:"patch"`   // features: pixels a side of a patch
	Square  int    `toml:"square"`  // features: side of the square that photos are stretched to
	Prefix  int    `toml:"prefix"`  // features: tokens before those of the patches, -1 for none
	Stretch bool   `toml:"stretch"` // each map is stretched to 0..1
}

// File is one file of a model.
type File struct {
	Role   string   `toml:"role"`  // encoder, decoder, model, vocabulary, …
	Path   string   `toml:"path"`  // in the repository, or
	URL    string   `toml:"url"`   // where to get it, or
	Embed  string   `toml:"embed"` // in the program, or
	Local  string   `toml:"local"` // only put into the folder by the user
	Build  string   `toml:"build"` // made by a builder of models/official, under the name As, from the files of roles From
	As     string   `toml:"as"`
	From   []string `toml:"from"`
	SHA256 string   `toml:"sha256"` // "" where it is not known
	Size   int64    `toml:"size"`   // bytes; 0 where it is not known
	About  string   `toml:"about"`  // the size in words, where it is known roughly
}

// Name is the file's name in the model's folder.
func (f File) Name() string {
	for _, s := range []string{f.As, f.Embed, f.Local, f.Path, f.URL} {
		if s != "" {
			return path.Base(s)
		}
	}
	return ""
}

// Origin is where the model comes from, for people.
func (m Model) Origin() string {
	switch {
	case m.Repo != "":
		return "https://huggingface.co/" + m.Repo
	case m.Source != "":
		return m.Source
	}
	return "comes with wsss"
}

// SizeText is the file's size for people, "" where it is unknown.
func (f File) SizeText() string {
	if f.Size > 0 {
		return fmt.Sprintf("%.1f MB", float64(f.Size)/1e6)
	}
	return f.About
}

// Models lists the manifest, in its order.
func Models() []Model { return known() }

// known is parsed at its first use: most commands need none of it.
var known = sync.OnceValue(func() []Model {
	list, err := parse(source)
	if err != nil {
		panic("manifest: " + err.Error()) // the tests would have seen it
	}
	return list
})

// parse reads and checks a manifest.
func parse(text string) ([]Model, error) {
	var file struct {
		Model []Model `toml:"model"`
	}
	meta, err := toml.Decode(text, &file)
	if err != nil {
		return nil, err
	}
	if extra := meta.Undecoded(); len(extra) > 0 {
		return nil, fmt.Errorf("unknown key %s", extra[0])
	}
	names := map[string]bool{}
	for _, m := range file.Model {
		if m.Name == "" || names[m.Name] || len(m.Files) == 0 || m.Licence == "" {
			return nil, fmt.Errorf("model %q: its name must be unique, and it needs files and a licence", m.Name)
		}
		names[m.Name] = true
		seen := map[string]bool{}
		for _, f := range m.Files {
			if err := f.check(m); err != nil {
				return nil, fmt.Errorf("model %s: %w", m.Name, err)
			}
			if seen[f.Role] || seen[f.Name()] {
				return nil, fmt.Errorf("model %s: role %s or file %s twice", m.Name, f.Role, f.Name())
			}
			seen[f.Role], seen[f.Name()] = true, true
		}
	}
	return file.Model, nil
}

func (f File) check(m Model) error {
	sources := 0
	for _, s := range []string{f.Path, f.URL, f.Embed, f.Local, f.Build} {
		if s != "" {
			sources++
		}
	}
	switch {
	case f.Role == "" || sources != 1:
		return fmt.Errorf("file %+v needs a role and exactly one of path, url, embed, local, build", f)
	case f.Path != "" && m.Repo == "":
		return fmt.Errorf("file %s has a path, but the model no repo", f.Path)
	case f.SHA256 != "" && len(f.SHA256) != 64:
		return fmt.Errorf("file %s: a SHA-256 has 64 digits", f.Name())
	case (f.Build != "") != (f.As != "") || (f.Build != "") != (len(f.From) > 0):
		return fmt.Errorf("file %s: build, as and from go together", f.Name())
	case strings.ContainsAny(f.Name(), `\/`) || f.Name() == "." || f.Name() == "..":
		return fmt.Errorf("file name %q", f.Name())
	}
	for _, role := range f.From {
		if from, err := m.file(role); err != nil || from.Build != "" {
			return fmt.Errorf("file %s is built from %q, which is no file to fetch", f.Name(), role)
		}
	}
	if f.Build != "" {
		return official.Check(f.Build, len(f.From))
	}
	return nil
}

// Find returns a model by name; the error lists those that exist.
func Find(name string) (Model, error) {
	names := make([]string, len(known()))
	for i, m := range known() {
		if m.Name == name {
			return m, nil
		}
		names[i] = m.Name
	}
	return Model{}, fmt.Errorf("model %q is unknown: known are %s", name, strings.Join(names, ", "))
}

// FindAll finds models by their names.
func FindAll(names []string) ([]Model, error) {
	list := make([]Model, len(names))
	for i, name := range names {
		var err error
		if list[i], err = Find(name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// HasRole tells whether a model of the manifest has a file of a role.
func HasRole(model, role string) bool {
	m, err := Find(model)
	if err != nil {
		return false
	}
	_, err = m.file(role)
	return err == nil
}

// Family lists the models of a family.
func Family(family string) []Model {
	var list []Model
	for _, m := range known() {
		if m.Family == family {
			list = append(list, m)
		}
	}
	return list
}

// file returns the file with this role.
func (m Model) file(role string) (File, error) {
	for _, f := range m.Files {
		if f.Role == role {
			return f, nil
		}
	}
	return File{}, fmt.Errorf("model %s has no file %q", m.Name, role)
}
