package promptsam

import (
	"slices"
	"strings"
	"testing"

	"wsss/configs"
	"wsss/gen"
	_ "wsss/gen/refine"
)

// TestNeeds: what must be there before a run, methods within methods included.
func TestNeeds(t *testing.T) {
	type m = map[string]any
	for _, tt := range []struct {
		method        string
		options       m
		models, files []string
	}{
		{"sam", nil, []string{"mobile-sam"}, nil},
		{"sam", m{"encoder": "e.onnx", "decoder": "d.onnx"}, nil, []string{"e.onnx", "d.onnx"}},
		{"sam-auto", m{"namer": "blip2"}, []string{"mobile-sam", "blip2-itm"}, nil},
		{"grounded-sam", m{"ram": "ram-swin-l"}, []string{"mobile-sam", "gdino-tiny", "ram-swin-l"}, nil},
		{"grounded-sam", m{"sam": "tiny-sam", "gdino": "tiny-gdino", "clip": "tiny-clip"}, []string{"tiny-sam", "tiny-gdino", "tiny-clip"}, nil},
		{"sepl", m{"segments": m{"method": "sam-auto"}, "from": m{"labels": "clip-es"}}, []string{"mobile-sam"}, []string{"clip-es"}},
		{"crf", m{"from": m{"method": "sam"}}, []string{"mobile-sam"}, nil},
		{"ensemble", m{"members": []m{{"labels": "a"}, {"method": "sam"}, {"scores": "b"}}}, []string{"mobile-sam"}, []string{"a", "b"}},
	} {
		n, err := gen.NeedsOf(configs.Gen{Method: tt.method, Options: tt.options})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(n.Files)
		slices.Sort(tt.files)
		if !slices.Equal(n.Models, tt.models) || !slices.Equal(n.Files, tt.files) {
			t.Errorf("%s %v: %+v", tt.method, tt.options, n)
		}
	}
	for want, g := range map[string]configs.Gen{
		"colour":             {Method: "sam-auto", Options: m{"colour": 1}},
		"gen.options.step":   {Method: "sam", Options: m{"step": 0}},
		"gen.options.inside": {Method: "crf", Options: m{"from": m{"method": "grounded-sam", "options": m{"inside": "part"}}}},
	} {
		if _, err := gen.NeedsOf(g); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", g.Options, err, want)
		}
	}
}
