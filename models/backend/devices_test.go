package backend

import (
	"strings"
	"testing"
)

func TestOpenDevices(t *testing.T) {
	list, err := OpenDevices("go", 0)
	if err != nil || len(list) != 1 {
		t.Fatalf("all devices of go: %d, %v", len(list), err)
	}
	list[0].Finalize()
	if _, err := OpenDevices("go", 2); err == nil || !strings.Contains(err.Error(), "only xla has several") {
		t.Errorf("two devices of go: %v", err)
	}
}
