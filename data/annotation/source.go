package annotation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/data/names"
	"wsss/data/text"
)

// Bounds of what is read.
const (
	maxFile  = 512 << 20 // bytes of one annotation file
	maxFiles = 4 << 20   // files below a root
	headSize = 16 << 10  // bytes by which a file is recognised
)

// extensions of annotation files.
var extensions = []string{".json", ".xml", ".txt", ".csv", ".yaml", ".yml", ".data", ".names"}

// correctionSuffix ends the files of package corrections, which lie below the
// data set's root.
const correctionSuffix = ".correction.json"

// Source is a folder whose annotations are looked for.
type Source struct {
	Root string
	// Files are the files below Root by their paths with slashes, ascending,
	// that can hold annotations.
	Files  []string
	photos map[string]string // id → file
	byName map[string][]string

	uploadsOnce sync.Once
	uploaded    map[string][]string // what Label Studio calls them → ids

	splitsOnce sync.Once
	splits     bool // folders of the photos' paths name their splits

	mu      sync.Mutex
	sniffed map[string]bool     // extensions
	signs   map[string][]string // file → formats that recognise it
}

// NewSource lists the files below root, beside which lie photos: ids and their
// files. Folders and files that begin with a dot are skipped.
func NewSource(root string, photos map[string]string) (*Source, error) {
	return newSource(root, photos, false)
}

// NewFlatSource is NewSource without the folders below root.
func NewFlatSource(root string, photos map[string]string) (*Source, error) {
	return newSource(root, photos, true)
}

func newSource(root string, photos map[string]string, flat bool) (*Source, error) {
	s := &Source{Root: root, photos: photos, byName: map[string][]string{}, sniffed: map[string]bool{}, signs: map[string][]string{}}
	real, err := files.EvalSymlinks(root) // WalkDir does not enter a link
	if err != nil {
		return nil, err
	}
	err = files.WalkDir(real, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != real && flat && e.IsDir():
			return fs.SkipDir
		case p != real && e.IsDir() && names.IsRun(p):
			return fs.SkipDir
		case p != real && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() || !slices.Contains(extensions, strings.ToLower(filepath.Ext(p))) || strings.HasSuffix(p, correctionSuffix):
			return nil
		case len(s.Files) == maxFiles:
			return fmt.Errorf("%s holds more than %d files", root, maxFiles)
		}
		rel, err := filepath.Rel(real, p)
		s.Files = append(s.Files, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(s.Files)
	for id := range photos {
		for _, key := range []string{names.Fold(id), names.Fold(path.Base(id))} {
			if !slices.Contains(s.byName[key], id) {
				s.byName[key] = append(s.byName[key], id)
			}
		}
	}
	return s, nil
}

// Path is where a file of Files lies.
func (s *Source) Path(file string) string { return filepath.Join(s.Root, filepath.FromSlash(file)) }

// Photo is the file of an image.
func (s *Source) Photo(id string) string { return s.photos[id] }

// file is a photo's path below the root, with slashes.
func (s *Source) file(id string) string {
	rel, err := filepath.Rel(s.Root, s.photos[id])
	if err != nil {
		return ""
	}
	return filepath.ToSlash(rel)
}

// IDs lists the photos, ascending.
func (s *Source) IDs() []string {
	return slices.Sorted(maps.Keys(s.photos))
}

// Size is a photo's width and height, from its header.
func (s *Source) Size(id string) (w, h int, err error) {
	size, err := data.ImageSize(s.photos[id])
	return size.X, size.Y, err
}

// Ext is a file's extension in lower case.
func ext(file string) string { return strings.ToLower(path.Ext(file)) }

// head is the beginning of a file as UTF-8; nothing of what is no file.
func (s *Source) head(file string) []byte {
	f, _, err := files.OpenRegular(s.Path(file))
	if err != nil {
		return nil
	}
	defer f.Close()
	head, _ := plain(io.LimitReader(f, headSize))
	return head
}

// Signed lists the files that a format recognises by their first bytes. The
// files of an extension are looked at once, for all formats.
func (s *Source) Signed(format string) []string {
	f, err := Lookup(format)
	if err != nil {
		return nil
	}
	var found []string
	for extension := range f.Signs {
		s.sniff(extension)
	}
	for _, file := range s.Files {
		if slices.Contains(s.signs[file], format) {
			found = append(found, file)
		}
	}
	return found
}

// withNeighbours adds, to the files of a format that has one for each photo,
// those beside them that are called like a photo and were not recognised:
// reading them tells what is wrong, where they would be missed without a word.
func (s *Source) withNeighbours(found []string) []string {
	folders := map[string]bool{} // with the extension
	for _, file := range found {
		folders[path.Dir(file)+"/"+ext(file)] = true
	}
	for _, file := range s.Files {
		stem := strings.TrimSuffix(path.Base(file), path.Ext(file))
		if !folders[path.Dir(file)+"/"+ext(file)] || len(s.signs[file]) > 0 || splitName(stem) != "" {
			continue
		}
		if len(s.byName[names.Fold(stem)]) > 0 {
			found = append(found, file)
		}
	}
	slices.Sort(found)
	return found
}

// sniff notes for each file of an extension which formats recognise it.
func (s *Source) sniff(extension string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sniffed[extension] {
		return
	}
	s.sniffed[extension] = true
	of := slices.DeleteFunc(slices.Clone(s.Files), func(file string) bool { return ext(file) != extension })
	found := make([][]string, len(of))
	_ = data.Parallel(context.Background(), len(of), nil, func(i int) error {
		head := s.head(of[i])
		for _, f := range registry {
			if is := f.Signs[extension]; is != nil && is(head) {
				found[i] = append(found[i], f.Name)
			}
		}
		return nil
	})
	for i, file := range of {
		if len(found[i]) > 0 {
			s.signs[file] = found[i]
		}
	}
}

// read reads a whole file of at most maxFile bytes, in any encoding, as UTF-8.
func (s *Source) read(file string) ([]byte, error) {
	f, size, err := files.OpenRegular(s.Path(file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", s.Path(file), maxFile)
	}
	return plain(io.LimitReader(f, maxFile))
}

// plain reads text in any encoding as UTF-8 without a byte order mark.
func plain(r io.Reader) ([]byte, error) {
	in, err := text.Reader(r, "")
	if err != nil {
		return nil, err
	}
	return io.ReadAll(in)
}

// readJSON decodes a file. The error tells its line.
func (s *Source) readJSON(file string, v any) error {
	raw, err := s.read(file)
	if err != nil {
		return err
	}
	return decodeJSON(raw, s.Path(file), v)
}

func decodeJSON(raw []byte, name string, v any) error {
	err := json.Unmarshal(raw, v)
	at := int64(-1)
	switch e := err.(type) {
	case nil:
		return nil
	case *json.SyntaxError:
		at = e.Offset
	case *json.UnmarshalTypeError:
		at = e.Offset
		err = data.KeyError(err)
	}
	if at >= 0 {
		line := bytes.Count(raw[:min(at, int64(len(raw)))], []byte("\n")) + 1
		return fmt.Errorf("%s:%d: %w", name, line, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Find is the id of the photo that a file means: name is its path as the
// tool writes it, with either slash, from the file's folder near, from the root
// or from anywhere; only the end of it may be right. "" where there is no such
// photo. The error names the photos where several fit.
func (s *Source) Find(name, near string) (string, error) {
	name = path.Clean(strings.ReplaceAll(strings.TrimSpace(name), `\`, "/"))
	for _, candidate := range []string{path.Join(path.Dir(near), name), name} {
		for _, id := range s.byName[names.Fold(names.TrimExtension(candidate))] {
			if id == names.TrimExtension(candidate) {
				return id, nil
			}
		}
	}
	ids := s.byName[names.Fold(names.TrimExtension(path.Base(name)))]
	if len(ids) == 0 && names.TrimExtension(path.Base(name)) != path.Base(name) {
		ids = s.byName[names.Fold(path.Base(name))] // a photo called x.jpg.png
	}
	best, most := []string(nil), -1
	for _, id := range ids {
		n := 4 * commonEnd(names.Fold(names.TrimExtension(name)), names.Fold(id))
		// Of photos of the same name, the one beside the file is meant.
		if near != "" && path.Dir(s.file(id)) == path.Dir(near) {
			n += 2
		}
		if path.Base(id) == names.TrimExtension(path.Base(name)) {
			n++
		}
		if n > most {
			best, most = nil, n
		}
		if n == most {
			best = append(best, id)
		}
	}
	if len(best) > 1 {
		slices.Sort(best)
		return "", ambiguous(name, best)
	}
	if len(best) == 1 {
		return best[0], nil
	}
	return "", nil
}

// ambiguous is the error of a name that several photos fit.
func ambiguous(name string, ids []string) error {
	return fmt.Errorf("%q can be any of the photos %s", name, strings.Join(ids[:min(len(ids), 4)], ", "))
}

// commonEnd counts the path elements in which two names end alike.
func commonEnd(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < len(x) && n < len(y) && x[len(x)-1-n] == y[len(y)-1-n] {
		n++
	}
	return n
}
