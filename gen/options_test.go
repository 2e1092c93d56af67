package gen

import (
	"context"
	"fmt"
	"testing"

	"wsss/configs"
	"wsss/data"
)

type ofOptions struct {
	Size int `toml:"size"`
}

type ofMethod struct{ o ofOptions }

func (ofMethod) Generate(context.Context, *data.Sample) ([]Mask, error) { return nil, nil }

// TestOf: what is wrong with options is said in one sentence, whoever asks, and
// defaults reach everybody.
func TestOf(t *testing.T) {
	RegisterOf("test-of", Spec{Weak: data.WeakKinds}, Of[ofOptions]{
		Decode: func(table map[string]any) (ofOptions, error) {
			return Decode(table, ofOptions{Size: 3}, func(o ofOptions) error {
				if o.Size > 9 {
					return fmt.Errorf("gen.options.size = %d: allowed are up to 9", o.Size)
				}
				return nil
			})
		},
		New:     func(_ Env, o ofOptions) (Method, error) { return ofMethod{o}, nil },
		Inner:   func(o ofOptions) []configs.Gen { return make([]configs.Gen, 0, o.Size) },
		Needs:   func(o ofOptions) Needs { return Needs{Files: []string{fmt.Sprint(o.Size)}} },
		Classes: func(ofOptions, data.Classes) error { return nil },
		Headers: func(ofOptions, configs.Gen) error { return nil },
	})
	defer delete(methods, "test-of")
	ask := func(table map[string]any) map[string]error {
		g := configs.Gen{Method: "test-of", Options: table}
		_, needs := NeedsOf(g)
		_, made := New(Env{Weak: data.WeakTags, Gen: g})
		_, backend := NeedsBackend(g)
		return map[string]error{"needs": needs, "new": made, "classes": CheckClasses(g, data.Classes{}), "headers": CheckFiles(g), "backend": backend}
	}
	for who, err := range ask(map[string]any{"size": int64(10)}) {
		want := "gen.options.size = 10: allowed are up to 9"
		if who == "needs" {
			want = "method test-of: " + want
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", who, err, want)
		}
	}
	for who, err := range ask(nil) {
		if err != nil {
			t.Errorf("%s: %v", who, err)
		}
	}
	n, err := NeedsOf(configs.Gen{Method: "test-of"})
	if err != nil || len(n.Files) != 1 || n.Files[0] != "3" {
		t.Errorf("%+v, %v", n, err)
	}
}
