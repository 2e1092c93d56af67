package load

import (
	"github.com/gomlx/compute"

	"wsss/models/foundation/clip"
	"wsss/models/foundation/tokenize"
)

func init() {
	Register("clip", Family{Roles: []string{"vision", "text", "merges"},
		Open: func(b compute.Backend, f map[string]string, opt Options) (any, Closer, error) {
			return CLIP(b, f["vision"], f["text"], f["merges"], opt)
		}})
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
	m, err := clip.New(Together(list[0]), list[len(list)-1], words)
	return finish(m, list, err)
}
