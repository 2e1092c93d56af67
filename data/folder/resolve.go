package folder

import (
	"path"
	"path/filepath"
	"strings"

	"wsss/data/names"
)

// resolve finds the image that a name in a list or label file means where it is
// no id: in another case or form of accents, with the folder of images before
// it, or a name without folders, or with those of another machine, that only
// one image has. A name with folders that are not there means no image.
func (d *Dataset) resolve(name string) (string, bool) {
	clean, outside := names.Clean(name)
	id := names.Fold(names.TrimExtension(clean))
	if rest, ok := strings.CutPrefix(id, names.Fold(filepath.Base(d.imageDir))+"/"); ok && !outside {
		if found := d.aliases()[rest]; found != "" {
			return found, true
		}
	}
	if strings.Contains(id, "/") || !outside {
		if found := d.aliases()[id]; found != "" {
			return found, true
		}
	}
	if strings.Contains(id, "/") {
		return "", false
	}
	found := d.aliases()["*/"+id]
	return found, found != ""
}

// findAliases keys ids by their folded form, and by "*/" and the last part of
// that.
func (d *Dataset) findAliases() map[string]string {
	aliases := make(map[string]string, 2*len(d.images))
	add := func(key, id string) {
		if first, taken := aliases[key]; taken && first != id {
			id = ""
		}
		aliases[key] = id
	}
	for id := range d.images {
		add(names.Fold(id), id)
		add("*/"+path.Base(names.Fold(id)), id)
	}
	return aliases
}
