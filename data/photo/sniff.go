package photo

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"wsss/data/names"
)

// Format is a kind of photo that is read.
type Format string

// The formats.
const (
	JPEG Format = "JPEG"
	PNG  Format = "PNG"
	WebP Format = "WebP"
	TIFF Format = "TIFF"
	BMP  Format = "BMP"
)

// headSize is as much of a file as sniff looks at.
const headSize = 512

// extensionsOf lists the names that a format goes by.
var extensionsOf = map[Format][]string{
	JPEG: {".jpg", ".jpeg", ".jpe", ".jfif"}, PNG: {".png"}, WebP: {".webp"}, TIFF: {".tif", ".tiff"}, BMP: {".bmp"},
}

// misnamed tells whether the name says another format than the bytes do.
func (f Format) misnamed(path string) bool {
	return names.IsImage(path) && !slices.Contains(extensionsOf[f], strings.ToLower(filepath.Ext(path)))
}

// sniff tells a photo's format by its first bytes. The error says what the
// file is instead, and what to do about it.
func sniff(head []byte) (Format, error) {
	has := func(prefix string) bool { return bytes.HasPrefix(head, []byte(prefix)) }
	switch {
	case len(head) == 0:
		return "", fmt.Errorf("not a photo: the file is empty (an unfinished download or copy?)")
	case has("\xff\xd8"):
		return JPEG, nil
	case has("\x89PNG\r\n\x1a\n"):
		return PNG, nil
	case has("RIFF") && len(head) >= 12 && string(head[8:12]) == "WEBP":
		return WebP, nil
	case rawCamera(head) != "":
		return "", unread(rawCamera(head), "develop it to JPEG or TIFF first (darktable-cli, dcraw, the camera's own program)")
	case has("II*\x00"), has("MM\x00*"):
		return TIFF, nil
	case has("BM") && len(head) >= 14 && bytes.Equal(head[6:10], make([]byte, 4)):
		return BMP, nil
	}
	return "", foreign(head)
}

// rawCamera names the camera whose raw file begins like a TIFF.
func rawCamera(head []byte) string {
	switch {
	case len(head) >= 10 && bytes.HasPrefix(head, []byte("II*\x00")) && string(head[8:10]) == "CR":
		return "Canon raw photo (CR2)"
	case bytes.HasPrefix(head, []byte("IIRO")), bytes.HasPrefix(head, []byte("MMOR")), bytes.HasPrefix(head, []byte("IIRS")):
		return "Olympus raw photo (ORF)"
	case bytes.HasPrefix(head, []byte("IIU\x00")):
		return "Panasonic raw photo (RW2)"
	case bytes.HasPrefix(head, []byte("FUJIFILMCCD-RAW")):
		return "Fujifilm raw photo (RAF)"
	}
	return ""
}

func unread(what, remedy string) error {
	return fmt.Errorf("a %s, which is not read: %s", what, remedy)
}

const (
	toJPEG     = "convert it to JPEG or PNG (ImageMagick: `magick IN OUT.jpg`)"
	fetchAgain = "fetch the photo itself"
)

// signatures of files that are no photo we read, by their first bytes.
var signatures = []struct{ prefix, what, remedy string }{
	{"GIF8", "GIF", toJPEG},
	{"\x00\x00\x00\x0cJXL ", "JPEG XL photo", toJPEG},
	{"\xff\x0a", "JPEG XL photo", toJPEG},
	{"\x00\x00\x00\x0cjP  ", "JPEG 2000 photo", toJPEG},
	{"\xff\x4f\xff\x51", "JPEG 2000 photo", toJPEG},
	{"II+\x00", "BigTIFF", "save it as an ordinary TIFF, or as PNG"},
	{"MM\x00+", "BigTIFF", "save it as an ordinary TIFF, or as PNG"},
	{"8BPS", "Photoshop file", "export it as JPEG or PNG"},
	{"%PDF", "PDF", "extract its pictures (`pdfimages -all`)"},
	{"PK\x03\x04", "ZIP archive", "unpack it"},
	{"\x1f\x8b", "gzip archive", "unpack it"},
	{"version https://git-lfs", "pointer of Git LFS", "run `git lfs pull`"},
	{"/annex/objects", "pointer of git-annex", "run `git annex get`"},
}

// foreign says what a file is that is no photo.
func foreign(head []byte) error {
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.prefix)) {
			return unread(s.what, s.remedy)
		}
	}
	if len(head) >= 12 && string(head[4:8]) == "ftyp" {
		switch brand := string(head[8:12]); {
		case brand == "avif" || brand == "avis":
			return unread("AVIF photo", toJPEG)
		case brand == "crx ":
			return unread("Canon raw photo (CR3)", "develop it to JPEG or TIFF first")
		case slices.Contains([]string{"heic", "heix", "hevc", "heim", "heis", "mif1", "msf1"}, brand):
			return unread("HEIC photo (iPhone)", "convert it to JPEG (`magick IN.heic OUT.jpg`, `heif-convert`), or let the phone take JPEG: Settings, Camera, Formats, Most Compatible")
		}
		return unread("video or unknown ISO media file", "extract its frames as JPEG or PNG (ffmpeg)")
	}
	text := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))))
	for _, s := range []struct{ prefix, what, remedy string }{
		{"<!doctype html", "HTML page", "the download saved a web page in the photo's place: " + fetchAgain},
		{"<html", "HTML page", "the download saved a web page in the photo's place: " + fetchAgain},
		{"<svg", "SVG drawing", "render it to PNG"},
		{"<?xml", "XML file", fetchAgain},
		{"{", "text file (JSON?)", "the download may have saved an error message: " + fetchAgain},
	} {
		if bytes.HasPrefix(text, []byte(s.prefix)) {
			return unread(s.what, s.remedy)
		}
	}
	if len(bytes.Trim(head, "\x00")) == 0 {
		return fmt.Errorf("not a photo: the file begins with zeros only (an unfinished download or a damaged disk?)")
	}
	return fmt.Errorf("not a photo: allowed are %s", names.Formats)
}
