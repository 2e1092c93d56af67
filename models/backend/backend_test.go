package backend

import (
	"strings"
	"testing"
)

func TestOpenRejectsUnknown(t *testing.T) {
	_, err := Open("tpu")
	if err == nil || !strings.Contains(err.Error(), "allowed are") {
		t.Fatalf("error %v does not say what is allowed", err)
	}
}
