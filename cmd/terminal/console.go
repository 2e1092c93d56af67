// Package terminal is what a command shows: text that cannot command the
// terminal, and the progress of long work.
package terminal

import (
	"fmt"
	"os"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Out and Err are where commands print. Control characters of names
// and texts that come from data are shown, not obeyed.
var (
	Out = &Console{file: func() *os.File { return os.Stdout }}
	Err = &Console{file: func() *os.File { return os.Stderr }}
)

// Console writes to the terminal, or to wherever the output goes, and keeps the
// first error: a full disk below a redirected output is a failure.
type Console struct {
	file func() *os.File
	mu   sync.Mutex
	err  error
}

// Write is io.Writer's.
func (c *Console) Write(p []byte) (int, error) {
	_, err := c.file().Write(Visible(p))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	return len(p), err
}

// Failed is the first error of writing.
func (c *Console) Failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Visible shows control characters other than tab and newline, those that turn
// the direction of text, and bytes that are no text, by their numbers.
func Visible(p []byte) []byte {
	clean := true
	for _, c := range p {
		if c < ' ' && c != '\n' && c != '\t' || c >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return p
	}
	out := make([]byte, 0, len(p)+16)
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			out = fmt.Appendf(out, `\x%02x`, p[0])
		case r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, p[:n]...)
		}
		p = p[n:]
	}
	return out
}
