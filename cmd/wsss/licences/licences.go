// Package licences holds the licences of the Go modules in the binary.
package licences

import (
	_ "embed"
	"strings"
)

//go:generate go run ./generate

//go:embed modules.txt
var text string

// Module is a Go module of the binary and the text of its licence.
type Module struct{ Path, Version, Licence, Text string }

// Rule parts the modules of modules.txt.
const Rule = "================================================================================\n"

// Modules lists the modules in the order of their paths.
func Modules() []Module {
	var list []Module
	for _, part := range strings.Split(text, Rule)[1:] {
		head, body, _ := strings.Cut(part, "\n")
		f := strings.SplitN(head, " ", 3)
		list = append(list, Module{Path: f[0], Version: f[1], Licence: f[2], Text: body})
	}
	return list
}
