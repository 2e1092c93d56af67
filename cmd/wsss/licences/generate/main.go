// Command generate writes modules.txt: every Go module that ./cmd/wsss is built
// of, with the text of its licence. Run it by `go generate ./cmd/wsss/licences`.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"wsss/cmd/wsss/licences"
)

func main() {
	log.SetFlags(0)
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}", "wsss/cmd/wsss")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		log.Fatal(err)
	}
	modules := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(modules)
	var b bytes.Buffer
	b.WriteString("The Go modules of wsss and their licences. Written by go generate.\n")
	for _, m := range slices.Compact(modules) {
		f := strings.SplitN(m, " ", 3)
		if len(f) < 3 || strings.HasSuffix(f[0], "hook") { // ours, below another path
			continue
		}
		text := licence(f[2])
		fmt.Fprintf(&b, "%s%s %s %s\n%s", licences.Rule, f[0], f[1], name(f[0], text), text)
	}
	if err := os.WriteFile("modules.txt", b.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

// licence is the text of a module's licence and notices.
func licence(dir string) string {
	var all strings.Builder
	for _, pattern := range []string{"LICEN[SC]E*", "COPYING*", "NOTICE*"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				log.Fatal(err)
			}
			all.WriteString(strings.TrimSpace(strings.ReplaceAll(string(raw), "\r\n", "\n")) + "\n")
		}
	}
	if all.Len() == 0 {
		log.Fatalf("%s has no licence", dir)
	}
	return all.String()
}

// name is the SPDX name of a text.
func name(module, text string) string {
	flat := strings.Join(strings.Fields(text), " ")
	for _, kind := range []struct{ name, sign string }{
		{"Apache-2.0", "Apache License Version 2.0"},
		{"BSD-3-Clause", "Neither the name of"},
		{"BSD-2-Clause", "Redistributions in binary form"},
		{"MIT", "Permission is hereby granted, free of charge"},
	} {
		if strings.Contains(flat, kind.sign) {
			return kind.name
		}
	}
	log.Fatalf("%s: the licence is not known", module)
	return ""
}
