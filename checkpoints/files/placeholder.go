package files

import (
	"bytes"
	"strings"
)

// Placeholder says, of the first bytes of a file that is not what it should be,
// what stands in its place and what helps; "" where it is none of the usual.
func Placeholder(head []byte) string {
	text := strings.ToLower(string(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))))
	switch {
	case len(head) == 0:
		return "the file is empty (an unfinished download or copy?)"
	case strings.HasPrefix(text, "version https://git-lfs"):
		return "it is a pointer of Git LFS: run `git lfs pull` where it comes from"
	case strings.HasPrefix(text, "/annex/objects"):
		return "it is a pointer of git-annex: run `git annex get` where it comes from"
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "it is a web page, which a download saved in its place: fetch the file itself"
	case len(bytes.Trim(head, "\x00")) == 0:
		return "it begins with zeros only (an unfinished download or a damaged disk?)"
	}
	return ""
}
