// Package text reads text files whatever encoding the tool or spreadsheet that
// wrote them chose: UTF-8 with or without a byte order mark, UTF-16, and the
// older encodings, by name or, for Western European ones, by detection.
package text

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// looked is how many bytes at the start of a file decide its encoding.
const looked = 1 << 20

// Check refuses the name of an encoding that Reader does not know; "" is found out.
func Check(name string) error {
	if name == "" {
		return nil
	}
	_, err := named(name)
	return err
}

func named(name string) (encoding.Encoding, error) {
	enc, err := htmlindex.Get(name)
	if err != nil {
		return nil, fmt.Errorf("encoding %.40q is unknown: allowed are names such as utf-8, utf-16, windows-1252, iso-8859-1, gbk and shift_jis", name)
	}
	return enc, nil
}

// Reader returns the text of r as UTF-8 without byte order mark. name is an
// encoding as web pages name them ("iso-8859-1", "shift_jis", "gbk"), or "":
// then a byte order mark decides, or zero bytes in every second place
// (UTF-16), and what is not UTF-8 in its first megabyte counts as
// windows-1252, which holds all of ISO-8859-1 that is printable. Lines that
// end in a carriage return alone end in a line feed.
func Reader(r io.Reader, name string) (io.Reader, error) {
	// Most files are small, and there are many: the head grows with what is there.
	head, err := io.ReadAll(io.LimitReader(r, looked))
	if err != nil {
		return nil, err
	}
	body, marked := bytes.CutPrefix(head, []byte("\ufeff"))
	in := io.Reader(bytes.NewReader(body))
	if len(head) == looked {
		in = io.MultiReader(in, bufio.NewReader(r))
	}
	out := in
	enc := detect(head)
	if name != "" {
		if enc, err = named(name); err != nil {
			return nil, err
		}
	}
	if marked {
		enc = nil
	}
	if enc != nil && enc != unicode.UTF8 {
		out = transform.NewReader(in, enc.NewDecoder())
	}
	if bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(head, '\n') < 0 {
		out = feeds{out}
	}
	return out, nil
}

// detect is the encoding that the first bytes show, nil for UTF-8.
func detect(head []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM)
	case zeros(head, 1) && !zeros(head, 0):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case zeros(head, 0) && !zeros(head, 1):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	case !validStart(head):
		return charmap.Windows1252
	}
	return nil
}

// zeros tells whether most of the bytes in even (0) or odd (1) places are 0,
// as in UTF-16 text of mostly Latin letters.
func zeros(head []byte, from int) bool {
	head = head[:min(len(head), 1024)]
	n := 0
	for i := from; i < len(head); i += 2 {
		if head[i] == 0 {
			n++
		}
	}
	return n > 0 && 4*n >= len(head)
}

// validStart tells whether the bytes are UTF-8, of which the last character
// may be cut off.
func validStart(head []byte) bool {
	if len(head) == looked {
		for i := 1; i < utf8.UTFMax; i++ {
			if utf8.RuneStart(head[len(head)-i]) {
				head = head[:len(head)-i]
				break
			}
		}
	}
	return utf8.Valid(head)
}

// feeds turns carriage returns into line feeds.
type feeds struct{ r io.Reader }

func (f feeds) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	for i, c := range p[:n] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}
