package licences

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestCurrent: modules.txt names the modules that the binary is built of, in
// their versions.
func TestCurrent(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "wsss/cmd/wsss").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(want)
	want = slices.DeleteFunc(slices.Compact(want), func(line string) bool {
		return line == "" || strings.HasSuffix(strings.Fields(line)[0], "hook") // ours
	})
	var have []string
	for _, m := range Modules() {
		have = append(have, m.Path+" "+m.Version)
		if m.Licence == "" || len(m.Text) < 500 {
			t.Errorf("%s: licence %q of %d bytes", m.Path, m.Licence, len(m.Text))
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("modules.txt is not current: run `go generate ./cmd/wsss/licences`\nhas  %q\nwant %q", have, want)
	}
}
