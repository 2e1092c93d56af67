package promptsam

import (
	"context"
	"fmt"

	"wsss/gen"
	"wsss/models/foundation/imageproc"
	"wsss/models/foundation/load"
	"wsss/models/foundation/ram"
)

// tagger names the classes that an image shows.
type tagger struct {
	model   *ram.Model
	mapping ram.Mapping
	hashes  map[string]string
}

func (o tagOptions) wantsTagger() bool { return o.RAM != "" || o.Tagger != "" }

// openTagger loads the tagger that the options name.
func (o tagOptions) openTagger(env gen.Env, s samOptions) (*tagger, error) {
	t := &tagger{}
	switch o.Mapping {
	case "exact":
		t.mapping = ram.Aliases(env.Classes.Names)
	case "survey":
		var known bool
		if t.mapping, known = ram.Survey(env.Classes.Names); !known {
			return nil, fmt.Errorf("gen.options.tag_mapping = \"survey\": it knows the classes of VOC and COCO only; use exact")
		}
	default:
		return nil, fmt.Errorf("gen.options.tag_mapping = %q: allowed are exact, survey", o.Mapping)
	}
	paths := map[string]string{"model": o.Tagger, "tags": o.TagList, "thresholds": o.Thresholds}
	for role, file := range paths {
		path, err := resolve(s.ModelDir, file, o.RAM, "ram", role)
		if err != nil {
			return nil, err
		}
		paths[role] = path
	}
	model, files, err := load.RAM(env.Backend, paths["model"], paths["tags"], paths["thresholds"], load.Options{MaxShapes: s.MaxShapes})
	if err != nil {
		return nil, err
	}
	t.model, t.hashes = model, files.Hashes()
	return t, nil
}

// classes lists the labels of what is seen, ascending.
func (t *tagger) classes(ctx context.Context, img *imageproc.RGB) ([]int, error) {
	tags, err := t.model.Tags(ctx, img)
	if err != nil {
		return nil, err
	}
	var list []int
	for _, f := range t.mapping.Classes(tags) {
		list = append(list, f.Class)
	}
	return list, nil
}
