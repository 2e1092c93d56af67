package words

import (
	"os/exec"
	"testing"
)

// TestShell lets a shell read words back.
func TestShell(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh to read the words back")
	}
	for text, want := range map[string]string{
		"photos.toml":         "photos.toml",
		"../a/b-1_2.toml":     "../a/b-1_2.toml",
		"Fotos für uns":       "'Fotos für uns'",
		"Übung.toml":          "Übung.toml",
		"it's; $HOME `x` (2)": `'it'\''s; $HOME ` + "`x`" + ` (2)'`,
		"":                    "''",
	} {
		got := Shell(text)
		if got != want {
			t.Errorf("Shell(%q) = %s, want %s", text, got, want)
		}
		if read, err := exec.Command(shell, "-c", "printf %s "+got).Output(); err != nil || string(read) != text {
			t.Errorf("a shell reads %s as %q (%v)", got, read, err)
		}
	}
}
