package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEnvironment: environment.md lists every variable that the code asks for or
// that starts with WSSS_, and none that nothing reads.
func TestEnvironment(t *testing.T) {
	text, err := os.ReadFile("environment.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if cell, ok := strings.CutPrefix(line, "| `"); ok {
			cell, _, _ = strings.Cut(cell, " |")
			for _, name := range regexp.MustCompile(`[A-Z][A-Z0-9_]+`).FindAllString(cell, -1) {
				listed[name] = true
			}
		}
	}
	used := usedVariables(t)
	for name, where := range used {
		if !listed[name] {
			t.Errorf("%s reads %s, which docs/environment.md does not list", where, name)
		}
	}
	for name := range listed {
		if used[name] == "" {
			t.Errorf("docs/environment.md lists %s, which nothing reads", name)
		}
	}
}

// usedVariables are the names in the code, each with a file that has it.
func usedVariables(t *testing.T) map[string]string {
	ours := regexp.MustCompile(`\bWSSS_[A-Z0-9_]+\b`)
	used, constants, asked := map[string]string{}, map[string]string{}, map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "runs") {
			return filepath.SkipDir
		}
		if ext := filepath.Ext(path); ext != ".go" && ext != ".py" && ext != ".sh" && d.Name() != "Makefile" || d.IsDir() || d.Name() == "environment_test.go" {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, name := range ours.FindAllString(string(raw), -1) {
			used[name] = path
		}
		if filepath.Ext(path) == ".go" {
			scan(t, path, raw, constants, asked)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range asked {
		if value, ok := constants[name]; ok {
			name = value
		}
		used[name] = path
	}
	return used
}

// scan notes the string constants of a file by their names, and what it asks the
// environment for: the text, or the name of the constant.
func scan(t *testing.T, path string, raw []byte, constants, asked map[string]string) {
	f, err := parser.ParseFile(token.NewFileSet(), path, raw, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, v := range n.Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING && i < len(n.Names) {
					if value, err := strconv.Unquote(lit.Value); err == nil && regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`).MatchString(value) {
						constants[n.Names[i].Name] = value
						if strings.HasPrefix(strings.ToLower(n.Names[i].Name), "env") { // asked for by way of a field
							asked[value] = path
						}
					}
				}
			}
		case *ast.CallExpr:
			call, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || len(n.Args) == 0 || call.Sel.Name != "Getenv" && call.Sel.Name != "LookupEnv" {
				return true
			}
			switch arg := n.Args[0].(type) {
			case *ast.BasicLit:
				if name, err := strconv.Unquote(arg.Value); err == nil {
					asked[name] = path
				}
			case *ast.Ident:
				asked[arg.Name] = path
			case *ast.SelectorExpr:
				if arg.Sel.Name != "Env" {
					asked[arg.Sel.Name] = path
				}
			}
		}
		return true
	})
}
