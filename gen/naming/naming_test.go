package naming

import (
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/models/foundation/ram"
)

func TestWithoutNegatives(t *testing.T) {
	m := ram.Mapping{Match: ram.Every, Words: [][]string{nil, {"cat"}, {"dog"}}}
	negative := map[int][]string{1: {"toy cat", "Education"}}
	for _, tt := range []struct {
		name string
		tags []ram.Tag
		want []int
	}{
		{"no look-alike", []ram.Tag{{Name: "cat", Score: 0.7}, {Name: "dog", Score: 0.8}}, []int{1, 2}},
		{"a look-alike alone", []ram.Tag{{Name: "toy cat", Score: 0.7}, {Name: "dog", Score: 0.8}}, []int{2}},
		{"in other letters", []ram.Tag{{Name: "education", Score: 0.7}}, nil},
		{"the look-alike is surer", []ram.Tag{{Name: "cat", Score: 0.7}, {Name: "toy cat", Score: 0.9}}, nil},
		{"as sure: RAM says yes or no", []ram.Tag{{Name: "cat", Score: 1}, {Name: "toy cat", Score: 1}}, nil},
		{"less sure", []ram.Tag{{Name: "cat", Score: 0.7}, {Name: "toy cat", Score: 0.6}}, []int{1}},
	} {
		if got := withoutNegatives(m, tt.tags, negative); !slices.Equal(got, tt.want) {
			t.Errorf("%s: classes %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What is wrong with options is told without opening anything, in one order,
// and what is allowed comes from the registries.
func TestChecks(t *testing.T) {
	namer := func(change func(*NamerOptions)) error {
		o := DefaultNamer()
		change(&o)
		return o.Check()
	}
	tags := func(change func(*TagOptions)) error {
		o := DefaultTags()
		change(&o)
		return o.Check()
	}
	two := data.Classes{Names: []string{"background", "cat"}}
	for want, err := range map[string]error{
		`gen.options.namer = "x": allowed are blip2, clip`:                         namer(func(o *NamerOptions) { o.Namer = "x" }),
		`the namer clip has no options of its own`:                                 namer(func(o *NamerOptions) { o.Namer, o.Own = "clip", map[string]any{"a": 1} }),
		`gen.options.min_prob = 2`:                                                 namer(func(o *NamerOptions) { o.MinProb = 2 }),
		`gen.options.tag_by = "x": allowed are classifier, clip, ram`:              tags(func(o *TagOptions) { o.By = "x" }),
		`ram and clip (or classifier) are both set`:                                tags(func(o *TagOptions) { o.RAM, o.CLIP = "a", "b" }),
		`gen.options.tag_mapping = "x": allowed are exact, survey`:                 tags(func(o *TagOptions) { o.RAM, o.Mapping = "a", "x" }),
		`gen.options.top_n = -1`:                                                   tags(func(o *TagOptions) { o.CLIP, o.TopN = "a", -1 }),
		`gen.options.tag_options: they are of the tagger that tag_by names`:        tags(func(o *TagOptions) { o.Own = map[string]any{"a": 1} }),
		`gen.options.negative.ant: the dataset has no such class: allowed are cat`: Negatives{"bee": {"x"}, "ant": {"y"}}.Check(two),
		`gen.options.negative.cat[1] is empty`:                                     Negatives{"cat": {"x", " "}}.Check(two),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if err := tags(func(o *TagOptions) { o.Classifier, o.CLIP = "a.onnx", "b" }); err != nil {
		t.Errorf("a classifier beside CLIP: %v", err)
	}
}
