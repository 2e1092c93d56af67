package files

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const noFollow = unix.O_NOFOLLOW

// TryLock takes a file's lock without waiting; held tells that somebody has
// it, be it another part of this process. Closing f gives it back, and so does
// the death of the process. ErrNoLocks: the file system has none.
func TryLock(f *os.File) (held bool, err error) {
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return true, nil
	}
	return false, ErrNoLocks
}

func isLink(err error) bool { return errors.Is(err, unix.ELOOP) }
