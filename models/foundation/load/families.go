package load

import (
	"errors"
	"path/filepath"

	"github.com/gomlx/compute"

	"wsss/models/backend"
	"wsss/models/foundation"
	"wsss/models/foundation/blip2"
	"wsss/models/foundation/clip"
	"wsss/models/foundation/gdino"
	"wsss/models/foundation/ram"
	"wsss/models/foundation/sam"
	"wsss/models/foundation/tokenize"
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

// SAM opens an encoder and a decoder.
func SAM(b compute.Backend, encoder, decoder string, opt Options) (*sam.Model, Closer, error) {
	list, err := openAll(b, opt, encoder, decoder)
	if err != nil {
		return nil, nil, err
	}
	m, err := sam.New(list[0], list[1])
	return finish(m, list, err)
}

// GDINO opens Grounding-DINO with its BERT vocabulary.
func GDINO(b compute.Backend, path, vocabulary string, o gdino.Options, opt Options) (*gdino.Model, Closer, error) {
	words, err := tokenize.LoadBERT(vocabulary)
	if err != nil {
		return nil, nil, err
	}
	list, err := openAll(b, opt, path)
	if err != nil {
		return nil, nil, err
	}
	m, err := gdino.New(list[0], words, o)
	if err == nil && backend.KindOf(b) == backend.XLA {
		m.ShareShapes()
	}
	return finish(m, list, err)
}

// CLIP opens the towers, which may be one file, with the BPE merges.
func CLIP(b compute.Backend, vision, text, merges string, opt Options) (*clip.Model, Closer, error) {
	words, err := tokenize.LoadCLIP(merges)
	if err != nil {
		return nil, nil, err
	}
	paths := []string{vision}
	if text != vision {
		paths = append(paths, text)
	}
	list, err := openAll(b, opt, paths...)
	if err != nil {
		return nil, nil, err
	}
	m, err := clip.New(list[0], list[len(list)-1], words)
	return finish(m, list, err)
}

// RAM opens the tagger with its tag list and thresholds.
func RAM(b compute.Backend, path, tags, thresholds string, opt Options) (*ram.Model, Closer, error) {
	words, err := ram.LoadList(tags, thresholds)
	if err != nil {
		return nil, nil, err
	}
	list, err := openAll(b, opt, path)
	if err != nil {
		return nil, nil, err
	}
	m, err := ram.New(list[0], words)
	return finish(m, list, err)
}

// BLIP2 opens the matching model (text ""), or the two towers, with the BERT
// vocabulary.
func BLIP2(b compute.Backend, model, text, vocabulary string, opt Options) (*blip2.Model, Closer, error) {
	words, err := tokenize.LoadBERT(vocabulary)
	if err != nil {
		return nil, nil, err
	}
	paths := []string{model}
	if text != "" {
		paths = append(paths, text)
	}
	list, err := openAll(b, opt, paths...)
	if err != nil {
		return nil, nil, err
	}
	var second foundation.Session // a nil interface where there is one graph
	if text != "" {
		second = list[1]
	}
	m, err := blip2.New(list[0], second, words)
	return finish(m, list, err)
}
