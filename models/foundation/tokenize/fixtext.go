package tokenize

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// FixText repairs damaged text the way CLIP's preparation does (docs/sources.md §7,
// "fix mojibake"). It is a documented subset of what the Python package ftfy
// does, line by line, in this order and again until nothing changes:
//
//   - HTML's references (&eacute; &#233;) are replaced, unless this line or one
//     before it has a "<";
//   - terminal colour escapes are removed;
//   - UTF-8 that was read as Windows-1252 or Latin-1 is decoded again, up to
//     three times, when all of the line's non-ASCII characters take part and
//     the result is valid UTF-8 ("â€œ" → "“", "Ã©" → "é");
//   - Latin ligatures are spelt out, full- and half-width forms become plain
//     ones, curly quotes become straight;
//   - every kind of line break becomes \n, control characters are dropped;
//   - the result is in normal form C.
//
// Not reproduced: ftfy's statistics for text that is only partly damaged, its
// repair of lossy sequences, and its other code pages.
func FixText(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if isPlainASCII(s) && !strings.Contains(s, "&") {
		return s
	}
	var b strings.Builder
	unescape := true
	for line := range strings.SplitAfterSeq(s, "\n") {
		unescape = unescape && !strings.Contains(line, "<")
		b.WriteString(fixLine(line, unescape))
	}
	return b.String()
}

// maxRepairs bounds how often a line is gone over: more can only be meant to
// waste time.
const maxRepairs = 64

func fixLine(s string, unescape bool) string {
	for range maxRepairs {
		before := s
		if unescape {
			s = reference.ReplaceAllStringFunc(s, unescapeReference)
		}
		s = terminalEscape.ReplaceAllString(s, "")
		for range 3 {
			fixed, ok := undoMojibake(s)
			if !ok {
				break
			}
			s = fixed
		}
		s = typography.Replace(s)
		s = strings.Map(narrowOrDrop, s)
		if s = norm.NFC.String(s); s == before {
			break
		}
	}
	return s
}

var reference = regexp.MustCompile(`&#?[0-9A-Za-z]{1,24};`)

// unescapeReference replaces a whole reference of HTML, also one whose name is
// in capitals (&EACUTE;), and nothing else.
func unescapeReference(s string) string {
	if s == "&semi;" || s == "&SEMI;" {
		return ";"
	}
	if text := html.UnescapeString(s); !strings.HasSuffix(text, ";") {
		return text
	}
	if s != strings.ToUpper(s) || strings.HasPrefix(s, "&#") {
		return s
	}
	if text := html.UnescapeString(strings.ToLower(s)); !strings.HasSuffix(text, ";") {
		return strings.ToUpper(text)
	}
	return s
}

// isPlainASCII tells whether nothing in s can need a repair.
func isPlainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

var terminalEscape = regexp.MustCompile("\x1b\\[((?:\\d|;)*)([a-zA-Z])")

var typography = strings.NewReplacer(
	"ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "ſt", "ﬆ", "st",
	"Ĳ", "IJ", "ĳ", "ij", "ŉ", "ʼn",
	"Ǆ", "DŽ", "ǅ", "Dž", "ǆ", "dž", "Ǉ", "LJ", "ǈ", "Lj", "ǉ", "lj", "Ǌ", "NJ", "ǋ", "Nj", "ǌ", "nj",
	"Ǳ", "DZ", "ǲ", "Dz", "ǳ", "dz",
	"\u02bc", "'", "\u2018", "'", "\u2019", "'", "\u201a", "'", "\u201b", "'",
	"\u201c", `"`, "\u201d", `"`, "\u201e", `"`, "\u201f", `"`,
	"\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n",
)

// narrowOrDrop maps width variants to their plain form and drops control and
// invisible formatting characters.
func narrowOrDrop(r rune) rune {
	switch {
	case r == 0x3000:
		return ' '
	case r >= 0xff01 && r <= 0xffef:
		plain := norm.NFKC.String(string(r))
		if c, n := utf8.DecodeRuneInString(plain); n == len(plain) {
			return c
		}
		return r
	case r < ' ' && r != '\t' && r != '\n' && r != '\f', r == 0x7f,
		r >= 0x206a && r <= 0x206f, r == 0xfeff, r >= 0xfff9 && r <= 0xfffc:
		return -1
	}
	return r
}

// undoMojibake encodes s as Windows-1252 (Latin-1 where that has a hole) and
// reads the bytes as UTF-8. ok is false when a character does not fit, the
// bytes are not UTF-8, or nothing would change.
func undoMojibake(s string) (string, bool) {
	raw := make([]byte, 0, len(s))
	high := false
	for _, r := range s {
		b, ok := charmap.Windows1252.EncodeRune(r)
		switch {
		case r < 0x80:
			b = byte(r)
		case ok:
			high = true
		case r < 0x100:
			b, high = byte(r), true
		default:
			return s, false
		}
		raw = append(raw, b)
	}
	if !high || !utf8.Valid(raw) {
		return s, false
	}
	fixed := string(raw)
	// A lone pair such as "Â£" could be meant; a result in control characters
	// could not.
	if strings.ContainsFunc(fixed, func(r rune) bool { return r >= 0x80 && unicode.IsControl(r) }) {
		return s, false
	}
	return fixed, true
}
