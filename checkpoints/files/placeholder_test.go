package files

import (
	"strings"
	"testing"
)

func TestPlaceholder(t *testing.T) {
	for head, want := range map[string]string{
		"": "empty", "version https://git-lfs.github.com/spec/v1": "git lfs pull", "\ufeff \n<!DOCTYPE html>": "web page", "<HTML>": "web page",
		"\x00\x00\x00\x00": "zeros", "/annex/objects/MD5E-s1": "git annex get", "\x08\x08\x12": "", "PK\x03\x04": "",
	} {
		if got := Placeholder([]byte(head)); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}
