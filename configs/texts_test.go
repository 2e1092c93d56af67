package configs

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// TestMapTexts: texts of tables, lists, pointers and options are found under their
// keys, and copies of the config keep theirs.
func TestMapTexts(t *testing.T) {
	cfg := Default()
	cfg.Out, cfg.IRN.Labels, cfg.Classifier.Init = "s3://b/out", "s3://b/labels", "s3://b/init"
	cfg.Gen.Options = map[string]any{"a": map[string]any{"b": []any{"plain", "s3://b/x", 3}}, "list": []string{"s3://b/y"}}
	cfg.Eval.Against = []Against{{Name: "n", Dir: "s3://b/against"}}
	cfg.FineTuneCLIP.Val = &Data{Root: "s3://b/val"}
	before := cfg
	found := map[string]string{}
	err := cfg.MapTexts(func(key, text string) (string, error) {
		rest, ok := strings.CutPrefix(text, "s3://")
		if !ok {
			return text, nil
		}
		found[key] = rest
		return "s3:/" + rest, nil
	})
	want := map[string]string{
		"out": "b/out", "irn.labels": "b/labels", "classifier.network.init": "b/init", "gen.options.a.b": "b/x", "gen.options.list": "b/y",
		"eval.against.dir": "b/against", "finetune_clip.val.root": "b/val",
	}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("%v, %v", found, err)
	}
	if cfg.Out != "s3:/b/out" || cfg.IRN.Labels != "s3:/b/labels" || cfg.Eval.Against[0].Dir != "s3:/b/against" || cfg.FineTuneCLIP.Val.Root != "s3:/b/val" {
		t.Errorf("%+v", cfg)
	}
	if got := cfg.Gen.Options["a"].(map[string]any)["b"]; !reflect.DeepEqual(got, []any{"plain", "s3:/b/x", 3}) {
		t.Errorf("%v", got)
	}
	if got := before.Gen.Options["a"].(map[string]any)["b"]; !reflect.DeepEqual(got, []any{"plain", "s3://b/x", 3}) || before.Eval.Against[0].Dir != "s3://b/against" || before.FineTuneCLIP.Val.Root != "s3://b/val" {
		t.Errorf("the copy was changed: %v, %+v", got, before.Eval.Against)
	}
	stop := errors.New("no")
	if err := cfg.MapTexts(func(string, string) (string, error) { return "", stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	plain := Default()
	if err := plain.MapTexts(func(_, text string) (string, error) { return text, nil }); err != nil || !reflect.DeepEqual(plain, Default()) {
		t.Errorf("unchanged texts: %v", err)
	}
}
