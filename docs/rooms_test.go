package docs

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport tells for every top-level folder which others its packages may
// import, tests aside: arrows go in one direction,
//
//	cmd → eval → train → gen → models → data → configs, checkpoints
var mayImport = map[string][]string{
	"configs":     nil,
	"checkpoints": {"configs"},
	"data":        {"configs", "checkpoints"},
	"models":      {"data", "configs", "checkpoints"},
	"gen":         {"models", "data", "configs", "checkpoints"},
	"train":       {"gen", "models", "data", "configs", "checkpoints"},
	"eval":        {"train", "gen", "models", "data", "configs", "checkpoints"},
	"cmd":         {"eval", "train", "gen", "models", "data", "configs", "checkpoints"},
	"docs":        nil,
}

// TestRooms compares the imports of all packages with mayImport.
func TestRooms(t *testing.T) {
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "wsss/...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Skip("no go command that lists the packages: ", err)
	}
	room := func(path string) string {
		path, ok := strings.CutPrefix(path, "wsss/")
		if !ok {
			return ""
		}
		name, _, _ := strings.Cut(path, "/")
		return name
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		from := room(words[0])
		allowed, known := mayImport[from]
		if !known {
			t.Errorf("%s: %q is none of the folders of docs/rooms_test.go", words[0], from)
		}
		packages++
		for _, path := range words[1:] {
			if to := room(path); to != "" && to != from && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: packages of %s may import %s", words[0], path, from, strings.Join(allowed, ", "))
			}
		}
	}
	if packages < len(mayImport) {
		t.Fatalf("go list names %d packages", packages)
	}
}
