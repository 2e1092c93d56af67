package load

import (
	"runtime"
	"sync"
	"time"
	"weak"

	"github.com/gomlx/compute"

	"wsss/checkpoints/files"
)

// identity tells sessions apart: another file under an old name is another.
type identity struct {
	backend compute.Backend
	path    string
	size    int64
	changed time.Time
	shapes  int
}

// registry knows the sessions that are in use. It does not keep them: what
// nobody holds is collected.
type registry struct {
	mu       sync.Mutex
	sessions map[identity]weak.Pointer[Session]
}

var shared = registry{sessions: map[identity]weak.Pointer[Session]{}}

func (r *registry) open(b compute.Backend, path string, opt Options) (*Session, error) {
	abs, err := files.Abs(path)
	if err != nil {
		return nil, err
	}
	info, err := files.Stat(abs)
	if err != nil {
		return nil, err
	}
	id := identity{b, abs, info.Size(), info.ModTime(), opt.MaxShapes}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.sessions[id].Value(); s != nil && s.join() {
		return s, nil
	}
	s, err := open(b, path, opt)
	if err != nil {
		return nil, err
	}
	r.sessions[id] = weak.Make(s)
	runtime.AddCleanup(s, r.forget, id)
	return s, nil
}

// forget drops an entry whose session is gone.
func (r *registry) forget(id identity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sessions[id].Value() == nil {
		delete(r.sessions, id)
	}
}

// join adds a user; false if the session is closed.
func (s *Session) join() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		return false
	}
	s.users++
	return true
}
