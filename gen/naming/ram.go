package naming

import (
	"context"
	"fmt"

	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/models/foundation/load"
	"wsss/models/foundation/ram"
)

func init() {
	RegisterTagger("ram", TaggerKind{
		Asked: func(o TagOptions) bool { return o.RAM != "" || o.Tagger != "" },
		Check: func(o TagOptions) error {
			if o.Mapping != "exact" && o.Mapping != "survey" {
				return fmt.Errorf("gen.options.tag_mapping = %q: allowed are exact, survey", o.Mapping)
			}
			return nil
		},
		Needs: func(o TagOptions) gen.Needs {
			n := gen.Needs{Files: []string{o.Tagger, o.TagList, o.Thresholds}}
			if o.Tagger == "" || o.TagList == "" || o.Thresholds == "" {
				n.Models = []string{o.RAM}
			}
			return n
		},
		Open: openRAM,
	})
}

// ramTagger reads classes from RAM's tags.
type ramTagger struct {
	model    *ram.Model
	mapping  ram.Mapping
	negative map[int][]string // by class
}

func openRAM(o TagOptions, env gen.Env, at Place) (Tagger, map[string]string, error) {
	t := &ramTagger{mapping: ram.Aliases(env.Classes.Names), negative: o.Negative.byClass(env.Classes)}
	if o.Mapping == "survey" {
		var known bool
		if t.mapping, known = ram.Survey(env.Classes.Names); !known {
			return nil, nil, fmt.Errorf("gen.options.tag_mapping = \"survey\": it knows the classes of VOC and COCO only; use exact")
		}
	}
	c := load.Choice{Model: o.RAM, Dir: at.Dir, Files: map[string]string{"model": o.Tagger, "tags": o.TagList, "thresholds": o.Thresholds}}
	model, files, err := load.Model[*ram.Model](env.Backend, "ram", c, load.Options{MaxShapes: at.MaxShapes})
	if err != nil {
		return nil, nil, err
	}
	t.model = model
	return t, files.Hashes(), nil
}

// Classes are those whose words are among the tags.
func (t *ramTagger) Classes(ctx context.Context, img *imageproc.RGB) ([]int, error) {
	tags, err := t.model.Tags(ctx, img)
	if err != nil {
		return nil, err
	}
	return withoutNegatives(t.mapping, tags, t.negative), nil
}
