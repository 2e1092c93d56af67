package clipes

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/gen"
	"wsss/models/foundation/vitcam"
)

func init() {
	gen.RegisterOf("vit-cam", gen.Spec{
		Doc:          "maps of the image's tags from a classifier that `wsss finetune-clip` made, refined by its attention and a CRF",
		Weak:         []data.WeakKind{data.WeakTags},
		NeedsBackend: true,
	}, gen.Of[vitOptions]{
		Decode: func(table map[string]any) (vitOptions, error) {
			return gen.Decode(table, defaultVIT(), vitOptions.check)
		},
		New:   newVIT,
		Needs: func(o vitOptions) gen.Needs { return gen.Needs{Files: []string{o.Classifier}} },
	})
}

func newVIT(env gen.Env, o vitOptions) (gen.Method, error) {
	m, err := newMethod(env, "vit-cam", o.mapOptions)
	if err != nil {
		return nil, err
	}
	if err := sameClasses(o.Classifier, env.Classes.Names); err != nil {
		return nil, err
	}
	net := o.network()
	net.Output = "logits"
	if m.model, err = vitcam.Open(env.Backend, o.Classifier, net); err != nil {
		return nil, err
	}
	m.hashes = map[string]string{filepath.Base(o.Classifier): m.model.Hash()}
	m.among = func([]int) []int { return nil } // the logit alone
	return m, nil
}

// maxDescription bounds the JSON file beside a classifier.
const maxDescription = 16 << 20

// sameClasses checks that a classifier knows the dataset's classes, by the JSON
// file beside it.
func sameClasses(classifier string, names []string) error {
	beside := strings.TrimSuffix(classifier, ".onnx") + ".json"
	f, _, err := files.OpenRegular(beside)
	if err != nil {
		return err
	}
	defer f.Close()
	var d struct{ Classes []string }
	if err := json.NewDecoder(io.LimitReader(f, maxDescription)).Decode(&d); err != nil {
		return fmt.Errorf("%s: %w", beside, err)
	}
	if !slices.Equal(d.Classes, names) {
		return fmt.Errorf("%s: the classifier knows %s, the dataset has the classes %s", beside, strings.Join(d.Classes, ", "), strings.Join(names, ", "))
	}
	return nil
}
