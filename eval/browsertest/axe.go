package browsertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Axe is the text of axe-core, as `make axe` or WSSS_AXE has it; it skips the
// test where there is none.
func Axe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("WSSS_AXE")
	if path == "" {
		path = filepath.Join("..", "..", ".cache", "axe", "node_modules", "axe-core", "axe.min.js")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skip("axe-core is not here: `make axe` fetches it from npm, or WSSS_AXE names its axe.min.js")
	}
	return string(raw)
}

// Violations lists what axe-core finds serious or critical in the page.
func (b *Browser) Violations(axe string) []string {
	b.t.Helper()
	b.Eval(axe+"; 0", nil)
	var found []string
	b.Eval(`axe.run(document, { resultTypes: ["violations"] }).then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical")
		.map(v => v.id + " (" + v.impact + "): " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html + " " + n.any.map(a => a.message).join("; ")).join(" | ")))`, &found)
	for i := range found {
		found[i] = strings.ToValidUTF8(found[i], "?")
	}
	return found
}
