package annotation

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"

	"wsss/data/names"
)

// studioPath is the file that an address means: /data/local-files/?d=a/b.jpg,
// s3://bucket/a/b.jpg, /data/upload/1/b.jpg.
func studioPath(address string) string {
	if u, err := url.Parse(address); err == nil {
		if d := u.Query().Get("d"); d != "" {
			return d
		}
		if u.Path != "" {
			return strings.TrimPrefix(u.Path, "/")
		}
	}
	return address
}

// uploadHash is what Label Studio puts before the name of a file on upload.
var uploadHash = regexp.MustCompile(`^[0-9a-f]{8}-`)

// studioImage finds the photo under the name with the hash of its upload, then
// without, then by the name as it stands, which may hold ? and #, and last by
// what an upload makes of the photos' names.
func studioImage(src *Source, b *Builder, address, file, from string) (*Image, error) {
	full := studioPath(address)
	base := uploadHash.ReplaceAllString(path.Base(full), "")
	bare := path.Join(path.Dir(full), base)
	for _, name := range []string{full, bare, address} {
		id, err := src.Find(name, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		if id != "" {
			return b.Photo(id, from), nil
		}
	}
	if base != path.Base(full) {
		if ids := src.uploads()[uploadedName(base)]; len(ids) == 1 {
			return b.Photo(ids[0], from), nil
		} else if len(ids) > 1 {
			return nil, ambiguous(base, ids)
		}
	}
	b.miss(bare)
	return nil, nil
}

// notUploaded are the signs that an upload drops.
var notUploaded = regexp.MustCompile(`[^-\p{L}\p{N}\p{M}_.]`)

// uploadedName is what Label Studio makes of a file's name on upload, as Django
// does: spaces become _, and other signs go. Extensions and case do not count.
func uploadedName(name string) string {
	name = strings.ReplaceAll(strings.TrimSpace(name), " ", "_")
	return names.Fold(notUploaded.ReplaceAllString(names.TrimExtension(name), ""))
}

// uploads finds photos by uploadedName.
func (s *Source) uploads() map[string][]string {
	s.uploadsOnce.Do(func() {
		s.uploaded = map[string][]string{}
		for _, id := range s.IDs() {
			key := uploadedName(path.Base(id) + ".jpg")
			s.uploaded[key] = append(s.uploaded[key], id)
		}
	})
	return s.uploaded
}
