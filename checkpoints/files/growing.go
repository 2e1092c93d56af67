package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Growing is a file that wsss writes from its front to its end over hours, such
// as a log. Object storage has none of those: there it grows in a file of this
// machine, which Sync and Close put up whole.
type Growing struct {
	f      *os.File
	remote string // its path there; "" where f is the file itself
	dirty  bool   // f holds what is not put up yet
}

// OpenGrowing opens or makes a file to write at its end, whatever happens to it,
// and cuts it to its first keep bytes, where it has more. It returns how many
// there are. A symbolic link is not written through.
func OpenGrowing(path string, keep int64) (*Growing, int64, error) {
	keep = max(keep, 0)
	if IsRemote(path) {
		g := &Growing{remote: path}
		n, err := g.fetch(keep)
		if err != nil && g.f != nil {
			g.f.Close()
		}
		return g, n, err
	}
	f, err := OpenOwn(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil {
		keep = min(keep, info.Size())
		err = f.Truncate(keep)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return &Growing{f: f}, keep, nil
}

// fetch begins with what the store has.
func (g *Growing) fetch(keep int64) (n int64, err error) {
	if g.f, err = os.CreateTemp("", "wsss-growing-*"); err != nil {
		return 0, err
	}
	os.Remove(g.f.Name()) // where the system allows that
	in, err := Open(g.remote)
	if errors.Is(err, fs.ErrNotExist) {
		g.dirty = true
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return 0, err
	}
	g.dirty = info.Size() > keep
	return io.Copy(g.f, io.LimitReader(in, keep))
}

// Write appends bytes.
func (g *Growing) Write(p []byte) (int, error) {
	g.dirty = true
	return g.f.Write(p)
}

// Sync has what was written where it stays.
func (g *Growing) Sync() error {
	if g.remote == "" {
		return g.f.Sync()
	}
	if !g.dirty {
		return nil
	}
	info, err := g.f.Stat()
	if err != nil {
		return err
	}
	err = WriteAtomic(g.remote, func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(g.f, 0, info.Size()))
		return err
	})
	g.dirty = err != nil
	return err
}

// Close ends the writing; in object storage it is a Sync, too.
func (g *Growing) Close() error {
	if g.remote == "" {
		return g.f.Close()
	}
	err := errors.Join(g.Sync(), g.f.Close())
	os.Remove(g.f.Name()) // where it could not be while it was open
	return err
}
