package clip

import (
	"context"
	"sync"

	"wsss/data/imageproc"
	"wsss/models/foundation"
)

// Scorer says how well words fit images, through a set of templates; it
// remembers the words. It is safe for concurrent use.
type Scorer struct {
	model     *Model
	templates []string
	mu        sync.Mutex
	known     map[string][]float32
}

// NewScorer makes a scorer; no templates means DefaultTemplates.
func (m *Model) NewScorer(templates []string) *Scorer {
	if len(templates) == 0 {
		templates = DefaultTemplates
	}
	return &Scorer{model: m, templates: templates, known: map[string][]float32{}}
}

// Scores are the logits of the words for the image: LogitScale · cosine.
func (s *Scorer) Scores(ctx context.Context, img *imageproc.RGB, words []string) ([]float32, error) {
	classes := make([][]float32, len(words))
	for i, w := range words {
		var err error
		if classes[i], err = s.word(ctx, w); err != nil {
			return nil, err
		}
	}
	rows, err := s.model.Image(ctx, img)
	if err != nil {
		return nil, err
	}
	return Logits(rows[0], classes, LogitScale), nil
}

// AtOnce is how many images it is worth being asked for at a time.
func (s *Scorer) AtOnce() int { return foundation.AtOnce(s.model.vision) }

func (s *Scorer) word(ctx context.Context, word string) ([]float32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.known[word]; v != nil {
		return v, nil
	}
	rows, err := s.model.Ensemble(ctx, s.templates, []Words{{word}})
	if err != nil {
		return nil, err
	}
	s.known[word] = rows[0]
	return rows[0], nil
}
