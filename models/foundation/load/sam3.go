package load

import (
	"github.com/gomlx/compute"

	"wsss/models/foundation/sam3"
	"wsss/models/foundation/tokenize"
)

func init() {
	Register("sam3", Family{Roles: []string{"vision", "text", "decoder", "merges"},
		Open: func(b compute.Backend, f map[string]string, opt Options) (any, Closer, error) {
			return SAM3(b, f["vision"], f["text"], f["decoder"], f["merges"], opt)
		}})
}

// SAM3 opens the three graphs of an export with CLIP's BPE merges.
func SAM3(b compute.Backend, vision, text, decoder, merges string, opt Options) (*sam3.Model, Closer, error) {
	words, err := tokenize.LoadCLIP(merges)
	if err != nil {
		return nil, nil, err
	}
	list, err := openAll(b, opt, vision, text, decoder)
	if err != nil {
		return nil, nil, err
	}
	m, err := sam3.New(Together(list[0]), list[1], list[2], words)
	return finish(m, list, err)
}
