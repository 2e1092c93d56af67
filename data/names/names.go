// Package names finds the files that other tools' label files mean: names with
// either slash, with folders or an absolute path of another machine, in another
// case, or with accents written in another form (NFC and NFD).
package names

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Extensions of the files that count as images, lower case, the common ones
// first.
var Extensions = []string{".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".jpe", ".jfif"}

// TrimExtension drops the extension of an image, as sample ids have none.
func TrimExtension(name string) string {
	if ext := path.Ext(name); ext != name && path.Base(name) != ext && slices.Contains(Extensions, strings.ToLower(ext)) {
		return strings.TrimSuffix(name, ext)
	}
	return name
}

// Clean turns the name of an image in a label file into a path below the folder
// of images: slashes of either kind, no "./". Of a name that leads out of the
// folder ("/home/me/a.jpg", "C:\a.jpg", "../a.jpg", a URL) only the last part
// stays, and outside is true. The result is "" where nothing of a name is left.
func Clean(name string) (clean string, outside bool) {
	name = strings.ReplaceAll(strings.TrimSpace(name), `\`, "/")
	drive := len(name) > 1 && name[1] == ':'
	outside = drive || strings.HasPrefix(name, "/") || strings.Contains(name, "://")
	if name == "" {
		return "", false
	}
	clean = path.Clean(name)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		outside = true
	}
	if outside {
		if clean = path.Base(clean); drive && len(clean) == 2 {
			clean = ""
		}
	}
	if clean == "." || clean == ".." || clean == "/" || strings.ContainsRune(clean, 0) || !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", outside
	}
	return clean, outside
}

// Fold brings names that differ by case or by the form of accented letters to
// one.
func Fold(name string) string { return strings.ToLower(norm.NFC.String(name)) }
