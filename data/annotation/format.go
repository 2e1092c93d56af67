package annotation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Format reads, and where it makes sense writes, what one tool calls its files.
type Format struct {
	Name string
	What string // one line for help: what is read
	// Signs recognise a file by its first bytes, by the file's extension.
	Signs map[string]func(head []byte) bool
	// Find lists the files below the source's root that are of this format;
	// nil takes those that Signs recognise. It looks at names and the first
	// bytes only.
	Find func(src *Source) []string
	// Read adds what the files say to the set. Errors name file and item.
	Read func(src *Source, files []string, set *Builder) error
	// Writes says in one line what Create writes, "" where nothing.
	Writes string
	// Polygons tells that Create writes outlines as polygons, even where an
	// object has a mask.
	Polygons bool
	// Create starts a writer below a folder.
	Create func(t Target) (Writer, error)
}

var registry []Format

// Register adds a format; earlier ones are preferred where a folder holds
// several. It panics on a duplicate name. Call it from init in the format's own
// file.
func Register(f Format) {
	if slices.ContainsFunc(registry, func(g Format) bool { return g.Name == f.Name }) {
		panic("annotation: format registered twice: " + f.Name)
	}
	registry = append(registry, f)
	slices.SortStableFunc(registry, func(a, b Format) int { return rank(a.Name) - rank(b.Name) })
}

// preference is the order in which formats are taken where a folder holds
// several; others come last.
var preference = []string{"csv", "json", "coco", "cvat", "labelstudio", "labelme", "voc", "yolo", "via", "supervisely"}

func rank(name string) int {
	if i := slices.Index(preference, name); i >= 0 {
		return i
	}
	return len(preference)
}

// Formats lists the registered formats, preferred ones first.
func Formats() []Format { return slices.Clone(registry) }

func (f Format) find(src *Source) []string {
	if f.Find != nil {
		return f.Find(src)
	}
	return src.Signed(f.Name)
}

// Names lists the names of the formats that can be read.
func Names() []string {
	var names []string
	for _, f := range registry {
		if f.Read != nil {
			names = append(names, f.Name)
		}
	}
	return names
}

// Lookup finds a format by name; the error lists what is allowed.
func Lookup(name string) (Format, error) {
	i := slices.IndexFunc(registry, func(f Format) bool { return f.Name == name })
	if i < 0 || registry[i].Read == nil {
		return Format{}, fmt.Errorf("annotation format %q is unknown: allowed are %s", name, strings.Join(Names(), ", "))
	}
	return registry[i], nil
}

// Found are the files of one format in a folder.
type Found struct {
	Format string
	Files  []string
}

// Detect finds the formats whose files lie below the source's root, preferred
// ones first.
func Detect(src *Source) []Found {
	var all []Found
	for _, f := range registry {
		if f.Read == nil {
			continue
		}
		if files := f.find(src); len(files) > 0 {
			all = append(all, Found{f.Name, files})
		}
	}
	return all
}

// Options says how Read reads.
type Options struct {
	Format string   // a format's name; "" takes what Detect finds first
	Files  []string // paths of the files; none: those that the format finds
	// Classes pins the class table, background first. Objects of other classes
	// are left out. None: the classes of the files.
	Classes []string
}

// ErrNone is wrapped by Read where no annotation is found.
var ErrNone = errors.New("no annotations found")

// Read reads the annotations of a folder.
func Read(src *Source, opts Options) (*Set, error) {
	if opts.Format == "" {
		found := Detect(src)
		if len(opts.Files) > 0 {
			found = slices.DeleteFunc(found, func(f Found) bool { return !slices.Contains(f.Files, opts.Files[0]) })
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: %w: read are %s", src.Root, ErrNone, strings.Join(Names(), ", "))
		}
		opts.Format = found[0].Format
		if len(opts.Files) == 0 {
			opts.Files = found[0].Files
		}
	}
	f, err := Lookup(opts.Format)
	if err != nil {
		return nil, err
	}
	if len(opts.Files) == 0 {
		if opts.Files = f.find(src); len(opts.Files) == 0 {
			return nil, fmt.Errorf("%s: %w of format %s (%s)", src.Root, ErrNone, f.Name, f.What)
		}
	}
	b := newBuilder(src, opts.Classes)
	if err := f.Read(src, opts.Files, b); err != nil {
		return nil, err
	}
	set, err := b.finish()
	if err != nil {
		return nil, err
	}
	set.Format, set.Files = f.Name, opts.Files
	return set, nil
}
