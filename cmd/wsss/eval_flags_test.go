package main

import (
	"strings"
	"testing"
)

// A flag that nothing would look at is refused.
func TestEvalFlagsAlone(t *testing.T) {
	for _, flags := range [][]string{{"-binary"}, {"-void-as-background"}, {"-void-as-background", "-labels", "x"}, {"-void-as-background", "-submission", "x.tgz"}} {
		if code := dispatch(t.Context(), append([]string{"eval", "-config", "absent.toml"}, flags...)); code != exitUsage {
			t.Errorf("%v: exit code %d", flags, code)
		}
	}
	err := runEval(t.Context(), []string{"-config", "absent.toml", "-binary"})
	if err == nil || !strings.Contains(err.Error(), "-labels and -against") {
		t.Errorf("error %v", err)
	}
}
