package files

import (
	"errors"
	"fmt"
	"os"
)

// ErrNoLocks tells that the file system, or this operating system, has no
// locks that die with their process.
var ErrNoLocks = errors.New("the file system has no locks")

// OpenOwn opens a file that wsss itself writes in place, such as a log. Where
// a symbolic link has taken its name, it is an error: what the link leads to
// is not ours to write.
func OpenOwn(path string, flag int) (*os.File, error) {
	if IsRemote(path) {
		return nil, fmt.Errorf("%s: %w, and %w", Address(path), errInPlace, ErrNoLocks)
	}
	f, err := os.OpenFile(path, flag|noFollow, 0o644)
	if err != nil && isLink(err) {
		return nil, fmt.Errorf("%s: a symbolic link, which is not written through: remove it", path)
	}
	return f, err
}
