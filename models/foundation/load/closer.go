package load

import (
	"errors"
	"path/filepath"

	"github.com/gomlx/compute"
)

// Closer frees the sessions of a model.
type Closer []*Session

// Close frees the sessions.
func (c Closer) Close() error {
	var errs []error
	for _, s := range c {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Hashes maps the files' names, without folders, to their SHA-256, for
// provenance that is the same on every machine.
func (c Closer) Hashes() map[string]string {
	m := make(map[string]string, len(c))
	for _, s := range c {
		m[filepath.Base(s.path)] = s.hash
	}
	return m
}

// openAll opens several files, or none.
func openAll(b compute.Backend, opt Options, paths ...string) (Closer, error) {
	var list Closer
	for _, p := range paths {
		s, err := Open(b, p, opt)
		if err != nil {
			return nil, errors.Join(err, list.Close())
		}
		list = append(list, s)
	}
	return list, nil
}

// finish closes the sessions where building a model on them failed.
func finish[M any](m M, list Closer, err error) (M, Closer, error) {
	if err != nil {
		var none M
		return none, nil, errors.Join(err, list.Close())
	}
	return m, list, nil
}
