package data

import (
	"encoding/json"
	"errors"
	"fmt"
)

// mostLines bounds the bad lines or items that are kept of a label file.
const mostLines = 10_000

// LineErrors is what is wrong with a label file: bad lines or items.
type LineErrors struct {
	Path  string   // "" where the lines name their files
	Lines []string // "12: what is wrong" or " annotation 3: …", at most mostLines
	More  int      // beyond these
	cause error
}

// Located is the error of a file's reader, which begins with the line or the
// item, behind the file's path; nil where there is none.
func Located(path string, err error) error {
	if err == nil {
		return nil
	}
	if lines := (*LineErrors)(nil); errors.As(err, &lines) {
		lines.Path = path
		return lines
	}
	return fmt.Errorf("%s:%w", path, err)
}

// Err is the list as an error, nil where it is empty.
func (e *LineErrors) Err() error {
	if len(e.Lines) == 0 {
		return nil
	}
	return e
}

// Text is line i with its file.
func (e *LineErrors) Text(i int) string {
	if e.Path == "" {
		return e.Lines[i]
	}
	return e.Path + ":" + e.Lines[i]
}

// Unwrap is the cause of the first line, where it was given.
func (e *LineErrors) Unwrap() error { return e.cause }

// Error is the first line, and how many there are.
func (e *LineErrors) Error() string {
	text := e.Text(0)
	if n := len(e.Lines) - 1 + e.More; n > 0 {
		text += fmt.Sprintf(" (and %d more, which wsss data validate lists)", n)
	}
	return text
}

// Add notes a bad line, from 1.
func (e *LineErrors) Add(line int, err error) { e.AddItem(fmt.Sprintf("%d: %v", line, err)) }

// AddError notes an error that names its file and item, or all of a list of such.
func (e *LineErrors) AddError(err error) {
	if len(e.Lines) == 0 {
		e.cause = err
	}
	list := (*LineErrors)(nil)
	if !errors.As(err, &list) {
		e.AddItem(err.Error())
		return
	}
	for i := range list.Lines {
		e.AddItem(list.Text(i))
	}
	e.More += list.More
}

// AddItem notes a line of the list as it is to stand behind the path and a
// colon.
func (e *LineErrors) AddItem(text string) {
	if len(e.Lines) == mostLines {
		e.More++
		return
	}
	e.Lines = append(e.Lines, text)
}

// KeyError tells a value of the wrong kind by its key, where encoding/json tells it by
// the type in Go.
func KeyError(err error) error {
	if e := (*json.UnmarshalTypeError)(nil); errors.As(err, &e) {
		return fmt.Errorf("key %q holds a %s, which is not allowed there", e.Field, e.Value)
	}
	return err
}
