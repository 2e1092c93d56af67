package load

import (
	"github.com/gomlx/compute"

	"wsss/models/foundation/ram"
)

func init() {
	Register("ram", Family{Roles: []string{"model", "tags", "thresholds"},
		Open: func(b compute.Backend, f map[string]string, opt Options) (any, Closer, error) {
			return RAM(b, f["model"], f["tags"], f["thresholds"], opt)
		}})
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
	m, err := ram.New(Together(list[0]), words)
	return finish(m, list, err)
}
