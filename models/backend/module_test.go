package backend

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"wsss/data/datatest"
)

// TestImported builds a program of another module, whose only replacement names
// this one: a replacement in go.mod would not count there.
func TestImported(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	mod := read("go.mod")
	if regexp.MustCompile(`(?m)^replace\b`).MatchString(mod) {
		t.Error("go.mod replaces modules, which other modules do not see")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": regexp.MustCompile(`(?m)^module .*`).ReplaceAllString(mod, "module example.com/other") +
			"\nrequire wsss v0.0.0\n\nreplace wsss => " + root + "\n",
		"go.sum": read("go.sum"),
		"main.go": `package main

import "wsss/models/backend"

func main() {
	b, err := backend.Open("go")
	if err != nil {
		panic(err)
	}
	println(b.Name())
}
`,
	} {
		datatest.Write(t, filepath.Join(dir, name), text)
	}
	run := exec.Command("go", "run", "-mod=mod", ".")
	run.Dir = dir
	run.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off")
	if out, err := run.CombinedOutput(); err != nil || string(out) != "Go Backend\n" {
		t.Errorf("%v: %s", err, out)
	}
}
