package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"wsss/data"
	"wsss/data/words"
)

// UsageError is what is wrong with a config or the choices of a call: nothing
// was done.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap is for errors.Is and errors.As.
func (e UsageError) Unwrap() error { return e.Err }

// Usagef is a UsageError of a text, as fmt.Errorf makes it.
func Usagef(format string, args ...any) error { return UsageError{Err: fmt.Errorf(format, args...)} }

// IsUsage tells whether err is a mistake in a config or a call: a UsageError, or a
// split that the dataset has not, whoever asked for it.
func IsUsage(err error) bool {
	return errors.As(err, new(UsageError)) || errors.As(err, new(*data.SplitError))
}

// InFile says which file a wrong config is in; other errors stay.
func InFile(file string, err error) error {
	if file == "" || !IsUsage(err) {
		return err
	}
	return UsageError{Err: fmt.Errorf("%s: %w", file, err)}
}

// MissingError lists what a command needs and has not got: exit code 3.
type MissingError struct {
	Lacks []string
	told  bool // they are listed already
}

func (e MissingError) Error() string {
	if e.told {
		return fmt.Sprintf("missing before this can run: %s", words.Count(len(e.Lacks), "thing, listed above", "things, listed above"))
	}
	return "missing before this can run:\n  " + strings.Join(e.Lacks, "\n  ")
}
