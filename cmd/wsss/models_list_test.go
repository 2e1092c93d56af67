package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestModelsCommands(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	for _, tt := range []struct {
		args []string
		want string // in the error; "" for none
	}{
		{[]string{"list", "-dir", dir}, ""},
		{[]string{"pull", "-dir", dir, "tiny-sam"}, ""},
		{[]string{"verify", "-dir", dir, "tiny-sam"}, ""},
		{[]string{"verify", "-dir", dir}, ""},
		{[]string{"verify", "-dir", dir, "mobile-sam"}, "is missing"},
		{[]string{"pull", "-dir", dir}, "name the models"},
		{[]string{"pull", "-dir", dir, "sam"}, "known are tiny-sam"},
		{[]string{"list", "x"}, `unexpected argument "x"`},
		{[]string{"fetch"}, "allowed are list, pull, verify"},
		{[]string{"parity", "-dir", dir, "no-such"}, "no known model"},
	} {
		err := runModels(ctx, tt.args)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.args, err, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "tiny-sam", "sam_decoder.onnx")); err != nil {
		t.Error("pull did not unpack the tiny SAM:", err)
	}
}
