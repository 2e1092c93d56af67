package load

import (
	"github.com/gomlx/compute"

	"wsss/models/backend"
	"wsss/models/foundation"
	"wsss/models/foundation/gdino"
	"wsss/models/foundation/tokenize"
)

func init() {
	Register("gdino", Family{Roles: []string{"model", "vocabulary"},
		Open: func(b compute.Backend, f map[string]string, opt Options) (any, Closer, error) {
			return GDINO(b, f["model"], f["vocabulary"], gdino.DefaultOptions(), opt)
		}})
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
	var s foundation.Session = list[0]
	if gdino.Native(list[0].Inputs()) {
		s = Together(list[0])
	}
	m, err := gdino.New(s, words, o)
	if err == nil && backend.KindOf(b) == backend.XLA {
		m.ShareShapes()
	}
	return finish(m, list, err)
}
