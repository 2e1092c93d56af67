package promptsam

import (
	"context"
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/data/imageproc"
	"wsss/gen"
	"wsss/gen/naming"
	"wsss/models/foundation/gdino"
)

// Classes 1 and 2; 3 and 4 are negative words of class 1.
var ofTest = map[int]int{3: 1, 4: 1}

func TestTakeBoxes(t *testing.T) {
	at := func(class int, score, x float32) gdino.Detection {
		return gdino.Detection{Score: score, Box: data.Box{X0: x, X1: x + 10, Y1: 10, Class: class}}
	}
	for _, tt := range []struct {
		name string
		in   []gdino.Detection
		want []int // positions that stay
	}{
		{"nothing", nil, nil},
		{"a look-alike that fits better", []gdino.Detection{at(1, 0.5, 0), at(3, 0.6, 1)}, []int{1}},
		{"… as well", []gdino.Detection{at(1, 0.5, 0), at(3, 0.5, 1)}, []int{1}},
		{"… worse", []gdino.Detection{at(1, 0.5, 0), at(3, 0.4, 1)}, []int{0}},
		{"elsewhere", []gdino.Detection{at(1, 0.5, 0), at(3, 0.6, 8)}, []int{0, 1}},
		{"of another class", []gdino.Detection{at(2, 0.5, 0), at(3, 0.6, 1)}, []int{0, 1}},
		{"one of two", []gdino.Detection{at(1, 0.5, 0), at(1, 0.5, 50), at(4, 0.9, 51)}, []int{0, 2}},
	} {
		var want []gdino.Detection
		for _, i := range tt.want {
			want = append(want, tt.in[i])
		}
		if got := takeBoxes(tt.in, ofTest); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tt.name, got, want)
		}
	}
}

func TestTakeMasks(t *testing.T) {
	row := func(class int, score float32, pixels string) gen.Mask {
		bits := make([]uint8, len(pixels))
		for i, c := range pixels {
			if c == '#' {
				bits[i] = 1
			}
		}
		return gen.Mask{Class: class, Bits: data.EncodeRLE(bits, len(pixels), 1), From: gen.Prompt{Score: score}}
	}
	got := takeMasks([]gen.Mask{
		row(1, 0.5, "####......"), row(1, 0.9, "######...."), row(2, 0.1, "..####...."), row(1, 0.2, "..#......."), row(3, 0.6, "..####...."),
	}, ofTest)
	want := []gen.Mask{row(1, 0.5, "##........"), row(1, 0.9, "######...."), row(2, 0.1, "..####....")}
	if len(got) != len(want) {
		t.Fatalf("%d masks, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Class != want[i].Class || !slices.Equal(got[i].Bits.Counts, want[i].Bits.Counts) {
			t.Errorf("mask %d: class %d, %v; want %d, %v", i, got[i].Class, got[i].Bits.Counts, want[i].Class, want[i].Bits.Counts)
		}
	}
}

// With the class's own word as a look-alike nothing of the class is left, and
// the other classes keep their masks: real inference with the tiny models.
func TestNegativeWords(t *testing.T) {
	ds := openScenes(t, 4)
	options := func(negative map[string]any) map[string]any {
		o := map[string]any{"sam": "tiny-sam", "gdino": "tiny-gdino", "detect": map[string]any{"nms": 0.6, "box_threshold": 0.2}}
		if negative != nil {
			o["negative"] = negative
		}
		return o
	}
	classes := func(o map[string]any) map[int]int {
		m, err := gen.New(env(t, ds, "grounded-sam", data.WeakTags, o))
		if err != nil {
			t.Fatal(err)
		}
		n := map[int]int{}
		for _, s := range samples(t, ds) {
			masks, err := m.Generate(context.Background(), s)
			if err != nil {
				t.Fatal(err)
			}
			for _, mask := range masks {
				n[mask.Class]++
			}
		}
		return n
	}
	before := classes(options(nil))
	most := 0
	for class, n := range before {
		if n > before[most] || most == 0 {
			most = class
		}
	}
	name := ds.Classes().Name(most)
	after := classes(options(map[string]any{name: []any{name}}))
	if before[most] == 0 || after[most] != 0 {
		t.Errorf("%s: %d masks before, %d with itself as a look-alike", name, before[most], after[most])
	}
	for class, n := range before {
		if class != most && after[class] != n {
			t.Errorf("%s: %d masks, %d before", ds.Classes().Name(class), after[class], n)
		}
	}
	for _, tt := range []struct {
		negative map[string]any
		want     string
	}{
		{map[string]any{"unicorn": []any{"horse"}}, "gen.options.negative.unicorn: the dataset has no such class"},
		{map[string]any{name: []any{"x", " "}}, "gen.options.negative." + name + "[1] is empty"},
	} {
		if _, err := gen.New(env(t, ds, "grounded-sam", data.WeakTags, options(tt.negative))); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
}

// The taggers give no class whose look-alike fits as well.
func TestNegativeTaggers(t *testing.T) {
	ds := openScenes(t, 3)
	words := naming.Negatives{}
	for _, name := range ds.Classes().Names[1:] {
		words[name] = []string{name}
	}
	for tagger, o := range map[string]naming.TagOptions{
		"ram": {RAM: "tiny-ram", Mapping: "exact"}, "clip": {CLIP: "tiny-clip", TopN: 2},
	} {
		found := map[bool]int{}
		for _, negative := range []bool{false, true} {
			if negative {
				o.Negative = words
			}
			tags, _, err := o.Open(env(t, ds, "grounded-sam", data.WeakNone, nil), naming.Place{})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples(t, ds) {
				list, err := tags.Classes(context.Background(), imageproc.FromImage(s.Image))
				if err != nil {
					t.Fatal(err)
				}
				found[negative] += len(list)
			}
		}
		if found[false] == 0 || found[true] != 0 {
			t.Errorf("%s: %d classes, %d where each is its own look-alike", tagger, found[false], found[true])
		}
	}
}

func TestNegativeCandidates(t *testing.T) {
	a := &auto{namer: &naming.Namer{Background: []string{"sky"}}, classes: data.Classes{Names: []string{"background", "dog", "cat"}}, weak: data.WeakTags}
	a.opts.Negative = naming.Negatives{"cat": {"toy cat"}, "dog": {"wolf"}}
	list, err := a.candidates(&data.Sample{Weak: data.WeakLabels{Tags: []int{2}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range list {
		if (c.Text == "cat") != (c.Class == 2) {
			t.Errorf("%q is of class %d", c.Text, c.Class)
		}
		got = append(got, c.Text)
	}
	if !slices.Equal(got, []string{"cat", "toy cat", "sky"}) {
		t.Errorf("candidates %q", got)
	}
}
