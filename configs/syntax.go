package configs

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// excerpt bounds how much of a line an error shows on either side of a fault.
const excerpt = 40

// explain says where in a file a TOML syntax error is, and shows the place.
// Line and column are counted from the byte offset: the decoder's own line is
// one too high for a fault at the end of a line, and 0 at the end of a file
// without a newline.
func explain(raw []byte, err error) error {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return err
	}
	text := strings.TrimPrefix(string(raw), "\ufeff") // as the decoder does
	at := min(max(pe.Position.Start, 0), len(text))
	begin := strings.LastIndexByte(text[:at], '\n') + 1
	end := at + strings.IndexByte(text[at:]+"\n", '\n')
	line := 1 + strings.Count(text[:at], "\n")
	column := 1 + utf8.RuneCountInString(text[begin:at])
	what := pe.Message
	if strings.HasPrefix(what, "expected '.' or '='") {
		what = "a key without a value (allowed are lines key = value and [table])"
	}
	return fmt.Errorf("line %d, column %d: %s: %s", line, column, what, around(text[begin:end], at-begin))
}

// around is a line without what is far from the byte at.
func around(line string, at int) string {
	before, after := line[:at], line[at:]
	if n := len(before) - excerpt; n > 0 {
		before = "…" + strings.ToValidUTF8(before[n:], "")
	}
	if len(after) > excerpt {
		after = strings.ToValidUTF8(after[:excerpt], "") + "…"
	}
	return strings.TrimSpace(before + after)
}
