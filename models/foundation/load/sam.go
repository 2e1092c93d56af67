package load

import (
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
	m, err := sam.New(list[0], list[1])
	if err == nil && backend.KindOf(b) == backend.XLA {
		m.ScoreOn(b)
	}
	return finish(m, list, err)
}
