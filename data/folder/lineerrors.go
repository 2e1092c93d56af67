package folder

import "fmt"

// mostLines bounds the bad lines that are kept of a label file.
const mostLines = 10_000

// LineErrors are the bad lines of a label file.
type LineErrors struct {
	Path  string
	Lines []string // "12: what is wrong", at most mostLines
	More  int      // bad lines beyond these
}

// Error is the first line, and how many there are.
func (e *LineErrors) Error() string {
	text := e.Lines[0]
	if e.Path != "" {
		text = e.Path + ":" + text
	}
	if n := len(e.Lines) - 1 + e.More; n > 0 {
		text += fmt.Sprintf(" (and %d bad lines more, which wsss data validate lists)", n)
	}
	return text
}

func (e *LineErrors) add(line int, err error) {
	if len(e.Lines) == mostLines {
		e.More++
		return
	}
	e.Lines = append(e.Lines, fmt.Sprintf("%d: %v", line, err))
}
