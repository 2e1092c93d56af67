package naming

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/models/foundation/cliptags"
)

func init() {
	RegisterTagger("classifier", TaggerKind{
		Asked: func(o TagOptions) bool { return o.Classifier != "" },
		Check: func(o TagOptions) error {
			if o.TopN < 0 {
				return fmt.Errorf("gen.options.top_n = %d: allowed are 0 or more", o.TopN)
			}
			return nil
		},
		Needs: func(o TagOptions) gen.Needs {
			return gen.Needs{Models: []string{o.CLIP}, Files: []string{o.Classifier}}
		},
		Open: openClassifier,
	})
}

// classifierTagger names classes by fine-tuned CLIP, alone or together with
// CLIP as it was (docs/sources.md §7).
type classifierTagger struct{ *cliptags.Labeler }

func openClassifier(o TagOptions, env gen.Env, at Place) (Tagger, map[string]string, error) {
	l, err := cliptags.Open(env.Backend, o.Classifier)
	if err != nil {
		return nil, nil, fmt.Errorf("gen.options.classifier: %w", err)
	}
	if !slices.Equal(l.Classes, env.Classes.Names) {
		return nil, nil, fmt.Errorf("gen.options.classifier = %q knows the classes %s, the dataset has %s", o.Classifier, strings.Join(l.Classes, ", "), strings.Join(env.Classes.Names, ", "))
	}
	l.Top = o.TopN
	sum, err := files.SHA256(o.Classifier)
	if err != nil {
		return nil, nil, err
	}
	hashes := map[string]string{filepath.Base(o.Classifier): sum}
	if o.CLIP == "" {
		return classifierTagger{l}, hashes, nil
	}
	model, opened, err := at.openCLIP(env.Backend, o.CLIP)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(hashes, opened.Hashes())
	return classifierTagger{l}, hashes, l.AddZeroShot(context.Background(), model)
}

// Classes are those above their thresholds, or the best top_n.
func (t classifierTagger) Classes(ctx context.Context, img *imageproc.RGB) ([]int, error) {
	scores, err := t.Scores(ctx, img)
	if err != nil {
		return nil, err
	}
	return t.Choose(scores), nil
}
