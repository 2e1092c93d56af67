package text

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"
)

// declared finds the encoding in the first line of an XML file.
var declared = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([^"']{1,40})["']`)
})

// NewXMLDecoder returns a decoder of a file in any encoding that its first line
// or its byte order mark names. What claims to be UTF-8 and is not counts as
// windows-1252, which old tools write without saying so. It reads all of r,
// which the caller bounds.
func NewXMLDecoder(r io.Reader) (*xml.Decoder, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var in io.Reader = bytes.NewReader(raw)
	name := ""
	if m := declared().FindSubmatch(raw[:min(len(raw), 512)]); m != nil {
		name = strings.ToLower(string(m[1]))
	}
	marked := detect(raw) != nil && name == "" || bytes.HasPrefix(raw, []byte("\ufeff"))
	if marked || (name == "utf-8" || name == "utf8") && !utf8.Valid(raw) {
		if in, err = Reader(in, ""); err != nil {
			return nil, err
		}
		marked = true
	}
	dec := xml.NewDecoder(in)
	dec.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		if marked || strings.EqualFold(label, "us-ascii") || strings.EqualFold(label, "utf8") {
			return in, nil // UTF-8 already
		}
		enc, err := htmlindex.Get(label)
		if err != nil {
			return nil, fmt.Errorf("encoding %.40q is unknown", label)
		}
		return enc.NewDecoder().Reader(in), nil
	}
	return dec, nil
}
