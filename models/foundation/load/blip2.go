package load

import (
	"github.com/gomlx/compute"

	"wsss/models/foundation"
	"wsss/models/foundation/blip2"
	"wsss/models/foundation/tokenize"
)

func init() {
	Register("blip2", Family{Roles: []string{"model", "vocabulary"}, Optional: []string{"text"},
		Open: func(b compute.Backend, f map[string]string, opt Options) (any, Closer, error) {
			return BLIP2(b, f["model"], f["text"], f["vocabulary"], opt)
		}})
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
		second = Together(list[1])
	}
	m, err := blip2.New(Together(list[0]), second, words)
	return finish(m, list, err)
}
