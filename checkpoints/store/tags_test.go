package store_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestTags: each build tag keeps its driver out of the binary, and without all
// of them no provider's library is left. `make lint` builds it so.
func TestTags(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command what the binary holds")
	}
	drivers := map[string]string{"nos3": "gocloud.dev/blob/s3blob", "nogs": "gocloud.dev/blob/gcsblob", "noazblob": "gocloud.dev/blob/azureblob"}
	linked := func(tags string) string {
		out, err := exec.Command("go", "list", "-deps", "-tags", tags, "wsss/cmd/wsss").Output()
		if err != nil {
			t.Skipf("go list: %v", err)
		}
		return string(out)
	}
	all, none := linked(""), linked("nos3,nogs,noazblob")
	for tag, driver := range drivers {
		if !strings.Contains(all, driver+"\n") || strings.Contains(none, driver+"\n") || strings.Contains(linked(tag), driver+"\n") {
			t.Errorf("the tag %s is about another package than %s", tag, driver)
		}
	}
	for _, sdk := range []string{"github.com/aws/", "github.com/Azure/", "cloud.google.com/go/storage"} {
		if at := strings.Index(none, sdk); at >= 0 {
			t.Errorf("without any of the stores the binary holds %.60q", none[at:])
		}
	}
}
