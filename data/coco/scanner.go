package coco

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// maxDepth and maxToken bound what a hostile file can make the scanner hold.
const (
	maxDepth = 64
	maxToken = 1 << 16
)

// scanner reads JSON front to back in constant memory and knows its offset, so
// that the index can note where a segmentation lies instead of keeping it.
// Values that are skipped are checked for their nesting only.
type scanner struct {
	r     io.Reader
	buf   []byte
	pos   int
	end   int   // buf[pos:end] is unread
	start int64 // offset of buf[0] in the stream
	depth int
	lit   [maxLiteral]byte
}

func newScanner(r io.Reader) *scanner { return &scanner{r: r, buf: make([]byte, 1<<18)} }

// offset of the next byte.
func (s *scanner) offset() int64 { return s.start + int64(s.pos) }

// peek returns the next byte without taking it.
func (s *scanner) peek() (byte, error) {
	for s.pos == s.end {
		s.start += int64(s.end)
		n, err := s.r.Read(s.buf)
		s.pos, s.end = 0, n
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
	}
	return s.buf[s.pos], nil
}

// token skips white space and returns the next byte without taking it.
func (s *scanner) token() (byte, error) {
	for {
		c, err := s.peek()
		if err != nil || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c, err
		}
		s.pos++
	}
}

func (s *scanner) expect(want byte) error {
	c, err := s.token()
	if err != nil {
		return err
	}
	if c != want {
		return fmt.Errorf("%q where %q should be", c, want)
	}
	s.pos++
	return nil
}

// list reads open, items separated by commas, close.
func (s *scanner) list(open, end byte, item func() error) error {
	if err := s.expect(open); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return fmt.Errorf("nests deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	for first := true; ; first = false {
		c, err := s.token()
		if err != nil {
			return err
		}
		switch {
		case c == end:
			s.pos++
			return nil
		case !first && c != ',':
			return fmt.Errorf("%q where %q or %q should be", c, ',', end)
		case !first:
			s.pos++
		}
		if err := item(); err != nil {
			return err
		}
	}
}

// object calls field for every key, in order; field must take the value.
func (s *scanner) object(field func(key string) error) error {
	return s.list('{', '}', func() error {
		key, err := s.text()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return field(key)
	})
}

// array calls item for every element; item must take it.
func (s *scanner) array(item func() error) error { return s.list('[', ']', item) }

// text reads a string.
func (s *scanner) text() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	raw := []byte{'"'}
	for escaped, plain := false, true; ; {
		c, err := s.peek()
		if err != nil {
			return "", err
		}
		s.pos++
		raw = append(raw, c)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped, plain = true, false
		case c == '"':
			if plain {
				return string(raw[1 : len(raw)-1]), nil
			}
			var v string
			err := json.Unmarshal(raw, &v)
			return v, err
		}
		if len(raw) > maxToken {
			return "", fmt.Errorf("string of more than %d bytes", maxToken)
		}
	}
}

// begin skips a byte order mark.
func (s *scanner) begin() error {
	switch c, err := s.peek(); {
	case err != nil:
		return err
	case c == 0xff || c == 0xfe:
		return errors.New("text in UTF-16: save it as UTF-8")
	case c != 0xef:
		return nil
	}
	for _, want := range []byte("\ufeff") {
		if c, err := s.peek(); err != nil || c != want {
			return fmt.Errorf("%q where '{' should be", c)
		}
		s.pos++
	}
	return nil
}

// done checks that nothing but white space follows.
func (s *scanner) done() error {
	c, err := s.token()
	if err == io.ErrUnexpectedEOF {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%q after the end of the JSON", c)
	}
	return err
}

// null takes a null, where there is one.
func (s *scanner) null() (bool, error) {
	if c, err := s.token(); err != nil || c != 'n' {
		return false, err
	}
	raw, err := s.literal()
	if err == nil && string(raw) != "null" {
		err = fmt.Errorf("%q is no value", raw)
	}
	return err == nil, err
}

// literal takes what stands before the next separator; it is valid until the
// next call.
func (s *scanner) literal() ([]byte, error) {
	if _, err := s.token(); err != nil {
		return nil, err
	}
	raw := s.lit[:0]
	for {
		c, err := s.peek()
		if err != nil {
			return nil, err
		}
		if c == ',' || c == ']' || c == '}' || c <= ' ' {
			return raw, nil
		}
		if len(raw) == maxLiteral {
			return nil, fmt.Errorf("%q… is no value", raw)
		}
		raw = append(raw, c)
		s.pos++
	}
}

// maxLiteral bounds the digits of a number.
const maxLiteral = 64

// number reads a number; true and false count as 1 and 0.
func (s *scanner) number() (float64, error) {
	if _, err := s.token(); err != nil {
		return 0, err
	}
	var raw [maxLiteral]byte
	n := 0
	for {
		c, err := s.peek()
		if err != nil {
			return 0, err
		}
		if c == ',' || c == ']' || c == '}' || c <= ' ' {
			break
		}
		if n == len(raw) {
			return 0, fmt.Errorf("%q… is no number", raw[:])
		}
		raw[n] = c
		n++
		s.pos++
	}
	switch string(raw[:n]) {
	case "true":
		return 1, nil
	case "false":
		return 0, nil
	}
	v, err := strconv.ParseFloat(string(raw[:n]), 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", raw[:n])
	}
	return v, nil
}

// isText tells whether a string comes next.
func (s *scanner) isText() bool {
	c, err := s.token()
	return err == nil && c == '"'
}

// wholeID reads an id that is a whole number, as 48 and, where it is no text,
// 48.0 are.
func wholeID(raw string, isText bool) (int64, bool) {
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil && (raw == "0" || strings.TrimLeft(raw, "-+0") != "" && raw[0] != '+' && raw[0] != '0') && n > math.MinInt64/2 {
		return n, true
	}
	v, err := strconv.ParseFloat(raw, 64)
	if i := int64(v); err == nil && !isText && strings.ContainsAny(raw, ".eE") && v > -1<<53 && v < 1<<53 && float64(i) == v {
		return i, true
	}
	return 0, false
}

// whole reads an integer that float64 holds exactly.
func (s *scanner) whole() (int64, error) {
	v, err := s.number()
	if err != nil {
		return 0, err
	}
	if i := int64(v); v > -1<<53 && v < 1<<53 && float64(i) == v {
		return i, nil
	}
	return 0, fmt.Errorf("%v is no whole number", v)
}

// skip takes a value of any type.
func (s *scanner) skip() error {
	c, err := s.token()
	if err != nil {
		return err
	}
	switch c {
	case '"':
		return s.skipText()
	case '{', '[':
		return s.skipNested()
	case ',', ':', '}', ']':
		return fmt.Errorf("%q where a value should be", c)
	}
	for {
		if c, err = s.peek(); err != nil {
			return err
		}
		if c == ',' || c == ']' || c == '}' || c <= ' ' {
			return nil
		}
		s.pos++
	}
}

func (s *scanner) skipText() error {
	s.pos++
	for escaped := false; ; s.pos++ {
		c, err := s.peek()
		if err != nil {
			return err
		}
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			s.pos++
			return nil
		}
	}
}

func (s *scanner) skipNested() error {
	var open [maxDepth]byte
	depth := 0
	for {
		c, err := s.peek()
		if err != nil {
			return err
		}
		switch c {
		case '"':
			if err := s.skipText(); err != nil {
				return err
			}
			continue
		case '{', '[':
			if depth == maxDepth {
				return fmt.Errorf("nests deeper than %d", maxDepth)
			}
			open[depth] = c
			depth++
		case '}', ']':
			if depth--; open[depth] != c-2 { // in ASCII the closing sign is two after the opening one
				return errors.New("brackets do not match")
			}
			if depth == 0 {
				s.pos++
				return nil
			}
		}
		s.pos++
	}
}
