package lock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"wsss/checkpoints/files"
)

// A lease is renewed every renewEvery and is nobody's once it has not been for
// expireAfter, by the file server's own clock.
var (
	renewEvery  = 5 * time.Second
	expireAfter = time.Minute
)

// lease is the lock of file systems without locks, as some mounts of NFS are:
// a file made with a hard link, which only one process can do, whose time its
// owner renews.
type lease struct {
	renewal
	path string
	text []byte // what the file holds while it is ours
}

func (l *lease) still() error {
	if now, err := files.ReadFile(l.path); err == nil && !bytes.Equal(now, l.text) || errors.Is(err, fs.ErrNotExist) {
		return ErrLost
	}
	return nil
}

// leaseText is what a lease's file holds.
type leaseText struct {
	Holder
	Token    uint64 `json:"token"`              // tells two leases of one process apart
	Released bool   `json:"released,omitempty"` // in object storage: it is nobody's any more
}

func acquireLease(dir string, me Holder) (*Lock, error) {
	path := filepath.Join(dir, leaseName)
	text, err := json.Marshal(leaseText{Holder: me, Token: rand.Uint64()})
	if err != nil {
		return nil, err
	}
	for range 10 {
		err := files.CreateNew(path, text)
		if err == nil {
			l := &lease{path: path, text: text}
			l.begin(l.still, l.touch)
			return &Lock{lease: l, path: path}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if err := expire(dir, path); err != nil {
			return nil, err
		}
	}
	return nil, &HeldError{Dir: dir}
}

// expire removes the lease of a process that is gone; a HeldError where it
// lives, or may.
func expire(dir, path string) error {
	before, err := files.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var h Holder
	_ = json.Unmarshal(before, &h)
	age, err := leaseAge(dir, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if age < expireAfter && (h.PID == 0 || alive(h)) {
		return &HeldError{Dir: dir, Holder: h}
	}
	// Only one process can rename the old lease away. If another process has replaced
	// it since it was read above, what is renamed is that process's lease: the bytes
	// tell, and it is put back.
	aside := fmt.Sprintf("%s-%016x", path, rand.Uint64())
	if err := os.Rename(path, aside); err != nil {
		return ignoreMissing(err)
	}
	defer os.Remove(aside)
	if now, err := files.ReadFile(aside); err != nil || !bytes.Equal(now, before) {
		return ignoreExists(os.Link(aside, path))
	}
	return nil
}

// leaseAge is the time since the lease was renewed, by the clock that also
// gives files their times.
func leaseAge(dir, path string) (time.Duration, error) {
	info, err := files.Stat(path)
	if err != nil {
		return 0, err
	}
	now, err := files.Clock(dir)
	if err != nil {
		return 0, err
	}
	return now.Sub(info.ModTime()), nil
}

// touch writes the lease again in place, so that the file's time is the server's.
func (l *lease) touch() {
	if f, err := os.OpenFile(l.path, os.O_WRONLY, 0); err == nil {
		_, _ = f.WriteAt(l.text, 0)
		f.Close()
	}
}

func (l *lease) release() {
	l.end()
	if now, err := files.ReadFile(l.path); err == nil && bytes.Equal(now, l.text) {
		_ = files.Remove(l.path)
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func ignoreExists(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
