package gen

import (
	"context"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"wsss/checkpoints/files"
)

// claims shares the images of one output folder between processes: each image
// is one byte of a common file, locked while somebody works on it. The kernel
// drops a dead process's locks, so there is nothing stale to detect, and NFS
// carries them to other machines.
type claims struct {
	f *os.File
	// exclusive tells that a claimed image is nobody else's: the file system
	// has locks.
	exclusive bool
}

func openClaims(dir string) (*claims, error) {
	if files.IsRemote(dir) {
		return &claims{}, nil
	}
	f, err := files.OpenOwn(filepath.Join(dir, ".claims"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	c := &claims{f: f}
	// Nobody locks this byte, so that only a file system without locks refuses.
	c.exclusive = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_UNLCK, Start: probe, Len: 1}) == nil
	return c, nil
}

// probe lies behind all bytes that stand for images.
const probe = 1<<62 + 1

func (c *claims) close() {
	if c.f != nil {
		c.f.Close()
	}
}

// try claims the image without waiting. It also succeeds, without a lock, on
// file systems that have none: work is then done twice at worst, as every file
// is written atomically and with the same bytes.
func (c *claims) try(_ context.Context, id string) bool {
	if !c.exclusive {
		return true
	}
	err := unix.FcntlFlock(c.f.Fd(), unix.F_OFD_SETLK, lockOf(id, unix.F_WRLCK))
	return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES)
}

// wait claims the image as soon as nobody else has it, or returns false when
// ctx ends.
func (c *claims) wait(ctx context.Context, id string) bool {
	for !c.try(ctx, id) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}

func (c *claims) release(id string) {
	if !c.exclusive {
		return
	}
	_ = unix.FcntlFlock(c.f.Fd(), unix.F_OFD_SETLK, lockOf(id, unix.F_UNLCK))
}

func lockOf(id string, kind int16) *unix.Flock_t {
	h := fnv.New64a()
	h.Write([]byte(id))
	return &unix.Flock_t{Type: kind, Start: int64(h.Sum64() >> 2), Len: 1}
}
