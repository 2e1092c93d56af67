package names

import (
	"path/filepath"
	"slices"
	"strings"
)

// unread are the extensions of pictures that are not read.
var unread = []string{
	".heic", ".heif", ".hif", ".avif", ".gif", ".jp2", ".j2k", ".jxl", ".psd", ".svg",
	".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw",
}

// Formats names the image formats that are read, for messages.
const Formats = "JPEG, PNG, WebP, TIFF and BMP"

// IsImage tells whether a file's name is that of an image.
func IsImage(name string) bool {
	return slices.Contains(Extensions, strings.ToLower(filepath.Ext(name)))
}

// IsUnread tells whether a file's name is that of a picture that is not read.
func IsUnread(name string) bool {
	return slices.Contains(unread, strings.ToLower(filepath.Ext(name)))
}
