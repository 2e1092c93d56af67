// Package lock gives an output folder one writer at a time. The lock is the
// operating system's where the file system has such locks, and dies with its
// process; elsewhere it is a lease, a file that its owner keeps renewing.
package lock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wsss/checkpoints/files"
)

const (
	lockName   = ".lock"   // of the operating system's lock
	leaseName  = ".lease"  // where there are no such locks
	leasesName = ".leases" // in object storage: a folder
)

// Holder is the process that has a folder.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Command string    `json:"command"` // its subcommand, such as "train"
	Space   string    `json:"space"`   // where the PID means something: boot and PID namespace
}

// HeldError tells that another process has the folder.
type HeldError struct {
	Dir    string
	Holder Holder // PID 0: not known, as it has not yet said who it is
}

func (e *HeldError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("%s: another process writes here; wait for it, or choose another out", files.Address(e.Dir))
	}
	h := e.Holder
	return fmt.Sprintf("%s: another process writes here: %q, pid %d on %s, since %s; wait for it or stop it, or choose another out",
		files.Address(e.Dir), h.Command, h.PID, h.Host, h.Since.Format("2006-01-02 15:04:05"))
}

// Lock is a folder that is held.
type Lock struct {
	f     *os.File // the operating system's lock; nil for a lease
	lease keeper   // nil for the operating system's lock
	path  string
}

// keeper keeps a lease.
type keeper interface {
	lost() <-chan struct{} // closed when it is another's
	still() error          // ErrLost when it is another's, as the store says now
	release()
}

// Acquire takes the folder dir, which is made when missing, for the
// subcommand. It does not wait: where another process, or another part of this
// one, has the folder it returns a *HeldError.
func Acquire(dir, command string) (*Lock, error) {
	if err := files.MkdirAll(dir); err != nil {
		return nil, err
	}
	me := self(command)
	if files.IsRemote(dir) {
		return acquireObject(dir, me)
	}
	l, err := acquireOS(dir, me)
	if errors.Is(err, files.ErrNoLocks) {
		return acquireLease(dir, me)
	}
	return l, err
}

// Check tells whether a folder is free, without taking it: nil, or a
// *HeldError.
func Check(dir string) error {
	if files.IsRemote(dir) {
		_, err := newestObject(dir)
		return err
	}
	if _, err := files.Stat(dir); err != nil {
		return nil
	}
	l, err := Acquire(dir, "check")
	if err != nil {
		return err
	}
	l.Release()
	return nil
}

// ErrLost is the cause of a context that ended because another machine took
// over the folder after this one could not renew its lease.
var ErrLost = errors.New("another process took over the folder: its lease here could not be renewed in time")

// Context is ctx until the folder is no longer this process's, which only
// happens to leases.
func (l *Lock) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if l.lease != nil {
		go func() {
			select {
			case <-l.lease.lost():
				cancel(ErrLost)
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}

// Still is ErrLost when the folder is no longer this process's: before a write
// that must not meet another's.
func (l *Lock) Still() error {
	if l == nil || l.lease == nil {
		return nil
	}
	return l.lease.still()
}

// Release gives the folder back. The lock's file goes with it.
func (l *Lock) Release() {
	if l == nil {
		return
	}
	if l.lease != nil {
		l.lease.release()
		return
	}
	os.Remove(l.path) // while it is locked: acquireOS tells a removed file from the present one
	l.f.Close()
}

// acquireOS locks dir's lock file. A file that was removed between opening and
// locking is another one than the next process sees, and is left.
func acquireOS(dir string, me Holder) (*Lock, error) {
	path := filepath.Join(dir, lockName)
	for {
		f, err := files.OpenOwn(path, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return nil, err
		}
		held, err := files.TryLock(f)
		if err != nil || held {
			if held {
				err = &HeldError{Dir: dir, Holder: readHolder(f)}
			}
			f.Close()
			if errors.Is(err, files.ErrNoLocks) {
				os.Remove(path)
			}
			return nil, err
		}
		if same(f, path) {
			writeHolder(f, me)
			return &Lock{f: f, path: path}, nil
		}
		f.Close()
	}
}

func same(f *os.File, path string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

func self(command string) Holder {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	return Holder{PID: os.Getpid(), Host: host, Since: time.Now().Truncate(time.Second), Command: command, Space: processSpace()}
}

// writeHolder says who has the lock. It is for people: the lock holds without.
func writeHolder(f *os.File, h Holder) {
	raw, err := json.Marshal(h)
	if err == nil && f.Truncate(0) == nil {
		_, _ = f.WriteAt(append(raw, '\n'), 0)
	}
}

// readHolder reads who has the lock. A process that has just taken it may be
// writing that down.
func readHolder(f *os.File) Holder {
	for range 20 {
		raw, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
		var h Holder
		if err == nil && json.Unmarshal(raw, &h) == nil && alive(h) {
			h.Command = strings.ToValidUTF8(h.Command, "?")
			return h
		}
		time.Sleep(5 * time.Millisecond)
	}
	return Holder{}
}

// alive tells whether what is written down can be the present holder: a killed
// one leaves its name in the file until the next has written its own.
func alive(h Holder) bool {
	return h.Space == "" || h.Space != processSpace() || processLives(h.PID)
}
