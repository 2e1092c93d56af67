package names

import (
	"path"
	"path/filepath"
	"strings"
	"sync"

	"wsss/checkpoints/files"
)

// Finder finds files by name. A name as written is tried first; else the folder
// is listed, once, and names that Fold makes equal match. It is safe for
// concurrent use.
type Finder struct {
	mu   sync.Mutex
	dirs map[string]map[string]string // folder → folded name → name
}

// File is the file called name, with slashes, below root; "" where there is
// none.
func (f *Finder) File(root, name string) string {
	if full := filepath.Join(root, filepath.FromSlash(name)); files.IsFile(full) {
		return full
	}
	dir, ok := f.folder(root, path.Dir(name))
	if !ok {
		return ""
	}
	if actual, ok := f.list(dir)[Fold(path.Base(name))]; ok {
		if full := filepath.Join(dir, actual); files.IsFile(full) {
			return full
		}
	}
	return ""
}

// Image is the image of an id, a path without extension, below root; "" where
// there is none.
func (f *Finder) Image(root, id string) string {
	full := filepath.Join(root, filepath.FromSlash(id))
	for _, ext := range Extensions[:3] {
		if files.IsFile(full + ext) {
			return full + ext
		}
	}
	dir, ok := f.folder(root, path.Dir(id))
	if !ok {
		return ""
	}
	in, base := f.list(dir), Fold(path.Base(id))
	for _, ext := range Extensions {
		if actual, ok := in[base+ext]; ok {
			if full := filepath.Join(dir, actual); files.IsFile(full) {
				return full
			}
		}
	}
	return ""
}

// maskEndings are what tools put after an image's name in that of its mask.
var maskEndings = []string{"", "_mask", "-mask", ".mask", "_masks", "_pred", "-pred", "_label", "_labels", "_seg", "_segmentation", "_gt"}

// Mask is the mask PNG of an image below root, "" where there is none: <id>.png
// or, where that is missing, <image>.png (a.jpg.png) and the names that other
// tools use (a_mask.png, a_pred.png, …). image is the image's file name, "" where it
// is not known. taken tells ids that are images themselves, whose masks are
// not those of others; it may be nil.
func (f *Finder) Mask(root, id, image string, taken func(id string) bool) string {
	if full := filepath.Join(root, filepath.FromSlash(id)+".png"); files.IsFile(full) {
		return full
	}
	dir, ok := f.folder(root, path.Dir(id))
	if !ok {
		return ""
	}
	in := f.list(dir)
	candidates := []string{}
	for _, ending := range maskEndings {
		if ending == "" || taken == nil || !taken(id+ending) {
			candidates = append(candidates, path.Base(id)+ending)
		}
		if ending == "" && image != "" {
			candidates = append(candidates, image)
		}
	}
	for _, name := range candidates {
		if actual, ok := in[Fold(name)+".png"]; ok {
			if full := filepath.Join(dir, actual); files.IsFile(full) {
				return full
			}
		}
	}
	return ""
}

// MaskOf is the id of the image that a mask of this name (a path without
// ".png") may belong to besides the one of the same name: the name without
// image extension or mask ending. It is "" where nothing is to be cut off.
func MaskOf(name string) string {
	if id := TrimExtension(name); id != name {
		return id
	}
	lower := strings.ToLower(name)
	longest := ""
	for _, ending := range maskEndings {
		if ending != "" && strings.HasSuffix(lower, ending) && len(ending) > len(longest) {
			longest = ending
		}
	}
	if longest == "" || len(longest) == len(path.Base(name)) {
		return ""
	}
	return name[:len(name)-len(longest)]
}

// folder finds a folder below root by its name, part by part.
func (f *Finder) folder(root, name string) (string, bool) {
	if name == "." {
		return root, true
	}
	dir := filepath.Join(root, filepath.FromSlash(name))
	if info, err := files.Stat(dir); err == nil {
		return dir, info.IsDir()
	}
	dir = root
	for part := range strings.SplitSeq(name, "/") {
		actual, ok := f.list(dir)[Fold(part)]
		if !ok {
			return "", false
		}
		dir = filepath.Join(dir, actual)
	}
	return dir, true
}

// list maps the folded names in a folder to the actual ones.
func (f *Finder) list(dir string) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if in, ok := f.dirs[dir]; ok {
		return in
	}
	entries, _ := files.ReadDir(dir) // what cannot be listed holds nothing; whoever wants the file says so
	in := make(map[string]string, len(entries))
	for _, e := range entries {
		if key := Fold(e.Name()); in[key] == "" {
			in[key] = e.Name()
		}
	}
	if f.dirs == nil {
		f.dirs = map[string]map[string]string{}
	}
	f.dirs[dir] = in
	return in
}
