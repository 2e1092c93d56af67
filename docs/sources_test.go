// Package docs holds no code; its test keeps the citations of the code true.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCitedSections: every section of sources.md that a comment, config or
// document cites exists there.
func TestCitedSections(t *testing.T) {
	text, err := os.ReadFile("sources.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^##+ (\d+(?:\.\d+[a-z]?)?)\.? `).FindAllStringSubmatch(string(text), -1) {
		sections[m[1]] = true
	}
	cite := regexp.MustCompile(`sources\.md(?:[\s#]|//)+((?:§\d+(?:\.\d+[a-z]?)?(?:, | and )?)+)`)
	one := regexp.MustCompile(`§(\d+(?:\.\d+[a-z]?)?)`)
	cited := 0
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		switch filepath.Ext(path) {
		case ".go", ".toml", ".md", ".py":
		default:
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, c := range cite.FindAllStringSubmatch(string(b), -1) {
			for _, s := range one.FindAllStringSubmatch(c[1], -1) {
				cited++
				if !sections[s[1]] {
					t.Errorf("%s cites section %s, which sources.md does not have", path, s[1])
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if cited < 100 {
		t.Errorf("%d citations found, where the code has some two hundred", cited)
	}
}
