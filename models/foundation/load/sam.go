package load

import (
	"errors"

	"github.com/gomlx/compute"

	"wsss/models/backend"
	"wsss/models/foundation/sam"
)

func init() {
	Register("sam", Family{Roles: []string{"encoder", "decoder"},
		Open: func(b compute.Backend, f map[string]string, opt Options) (any, Closer, error) {
			return SAM(b, f["encoder"], f["decoder"], opt)
		}})
}

// SAM opens an encoder and a decoder.
func SAM(b compute.Backend, encoder, decoder string, opt Options) (*sam.Model, Closer, error) {
	list, err := openAll(b, opt, encoder, decoder)
	if err != nil {
		return nil, nil, err
	}
	if sam.BoxesBeside(list[1].Inputs()) {
		opt.Edit = sam.WithoutBoxes
		if err := list[1].Close(); err != nil {
			return nil, nil, err
		}
		if list[1], err = Open(b, decoder, opt); err != nil {
			return nil, nil, errors.Join(err, list[0].Close())
		}
	}
	m, err := sam.New(Together(list[0]), list[1])
	if err == nil && backend.KindOf(b) == backend.XLA {
		m.ScoreOn(b)
	}
	return finish(m, list, err)
}
