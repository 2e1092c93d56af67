// Package load opens foundation models from files: any ONNX model as a
// Session, and each family with its tokenizer or lists.
package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"wsss/models/backend"
	"wsss/models/foundation"
	"wsss/models/onnximport"
	"wsss/models/onnximport/onnxfile"
)

// Options say how sessions run.
type Options struct {
	// MaxShapes bounds the compiled graphs that a session keeps, one per set
	// of input shapes; 0 means 8.
	MaxShapes int
	// Warn is told, once per file, when a model runs whole through ONNX
	// Runtime because it cannot be imported. Nil is Fallback.
	Warn func(msg string)
	// Edit changes the graph before it is imported; such a model never runs whole
	// through ONNX Runtime, which would take the file as it is. Nil changes nothing.
	Edit func(f *onnxfile.File) error
}

// Fallback is told where Options.Warn is nil. A model that runs elsewhere than
// on the backend that was asked for is never silent.
var Fallback = func(msg string) { fmt.Fprintln(os.Stderr, msg) }

// Together lets photos share runs of a small encoder where one would leave the
// device idle.
func Together(s *Session) foundation.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.together == nil {
		s.together = foundation.Together(s, func(pixels int) int { return backend.AtOnce(s.backend, pixels) })
	}
	return s.together
}

// Session runs an ONNX file on a backend. It implements foundation.Session.
type Session struct {
	backend compute.Backend
	path    string
	opt     Options
	in, out []foundation.Port
	hash    string

	mu      sync.Mutex
	users   int // calls of Open less those of Close
	models  []*onnximport.Model
	runners map[string]*onnximport.Runner // by the outputs that are wanted

	together foundation.Session // of photos that share runs; nil until somebody asks
}

// Open opens the ONNX model at path. Nothing is compiled yet. Who opens a file
// again on the same backend, while it is in use, gets the same session, so that
// its weights and compiled graphs are there once.
func Open(b compute.Backend, path string, opt Options) (*Session, error) {
	if opt.MaxShapes == 0 {
		opt.MaxShapes = 8
	}
	if opt.Warn != nil || opt.Edit != nil { // who is to be told is not shared
		return open(b, path, opt)
	}
	return shared.open(b, path, opt)
}

func open(b compute.Backend, path string, opt Options) (*Session, error) {
	m, err := onnximport.Open(path, onnximport.Options{Edit: opt.Edit})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s := &Session{backend: b, path: path, opt: opt, users: 1, runners: map[string]*onnximport.Runner{}}
	for _, p := range m.Inputs() {
		s.in = append(s.in, foundation.Port(p))
	}
	for _, p := range m.Outputs() {
		s.out = append(s.out, foundation.Port(p))
	}
	s.hash, err = m.Hash()
	return s, err
}

// Inputs are the graph's inputs.
func (s *Session) Inputs() []foundation.Port { return s.in }

// Outputs are the graph's outputs.
func (s *Session) Outputs() []foundation.Port { return s.out }

// Hash is the SHA-256 of the file, for provenance and caches.
func (s *Session) Hash() string { return s.hash }

// Path is the file.
func (s *Session) Path() string { return s.path }

// Run computes the outputs named in want, or all.
func (s *Session) Run(ctx context.Context, inputs map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	return s.RunEach(ctx, inputs, nil, want...)
}

// RunEach is foundation.Repeater's.
func (s *Session) RunEach(ctx context.Context, inputs map[string]*tensors.Tensor, each []string, want ...string) (map[string]*tensors.Tensor, error) {
	return s.run(ctx, want, func(r *onnximport.Runner) (map[string]*tensors.Tensor, error) {
		out, err := r.RunEach(inputs, each)
		if errors.Is(err, onnximport.ErrWhole) {
			err = fmt.Errorf("%w: %w", foundation.ErrOneByOne, err)
		}
		return out, err
	})
}

// RunHere is foundation.Batcher's.
func (s *Session) RunHere(ctx context.Context, inputs map[string]*tensors.Tensor, want ...string) (map[string]*tensors.Tensor, error) {
	return s.run(ctx, want, func(r *onnximport.Runner) (map[string]*tensors.Tensor, error) { return r.RunHere(inputs) })
}

func (s *Session) run(ctx context.Context, want []string, f func(r *onnximport.Runner) (map[string]*tensors.Tensor, error)) (map[string]*tensors.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := s.runner(want)
	if err != nil {
		return nil, err
	}
	out, err := f(r)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return maps.Clone(out), nil
}

// runner returns the runner for a set of outputs: what only the others need
// is left out of its graph.
func (s *Session) runner(want []string) (*onnximport.Runner, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.Join(want, "\x00")
	if r := s.runners[key]; r != nil {
		return r, nil
	}
	m, err := onnximport.Open(s.path, onnximport.Options{Edit: s.opt.Edit, Outputs: want})
	if err != nil {
		return nil, err
	}
	warn := s.opt.Warn
	if warn == nil {
		warn = Fallback
	}
	r, err := onnximport.NewRunner(s.backend, m, onnximport.RunnerOptions{MaxShapes: s.opt.MaxShapes, Warn: warn, NoORT: s.opt.Edit != nil})
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	s.models = append(s.models, m)
	s.runners[key] = r
	return r, nil
}

// Close frees everything that the session holds, once all who opened it have
// closed it.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users > 0 {
		return nil
	}
	var first error
	for _, r := range s.runners {
		r.Close()
	}
	for _, m := range s.models {
		if err := m.Close(); err != nil && first == nil {
			first = err
		}
	}
	if t, ok := s.together.(interface{ Release() }); ok {
		t.Release()
	}
	clear(s.runners)
	s.models = nil
	return first
}
