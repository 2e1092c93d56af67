package data

import "fmt"

// mostLines bounds the bad lines or items that are kept of a label file.
const mostLines = 10_000

// LineErrors is what is wrong with a label file: bad lines or items.
type LineErrors struct {
	Path  string
	Lines []string // "12: what is wrong" or " annotation 3: …", at most mostLines
	More  int      // beyond these
}

// Error is the first line, and how many there are.
func (e *LineErrors) Error() string {
	text := e.Lines[0]
	if e.Path != "" {
		text = e.Path + ":" + text
	}
	if n := len(e.Lines) - 1 + e.More; n > 0 {
		text += fmt.Sprintf(" (and %d more, which wsss data validate lists)", n)
	}
	return text
}

// Add notes a bad line, from 1.
func (e *LineErrors) Add(line int, err error) { e.AddItem(fmt.Sprintf("%d: %v", line, err)) }

// AddItem notes a line of the list as it is to stand behind the path and a
// colon.
func (e *LineErrors) AddItem(text string) {
	if len(e.Lines) == mostLines {
		e.More++
		return
	}
	e.Lines = append(e.Lines, text)
}
