package main

import (
	"embed"
	"strings"
	"text/template"

	"wsss/data"
	"wsss/data/annotation"
	"wsss/eval/export"
	"wsss/gen"
)

// helpTexts say what each command does, with examples; a file for each.
//
//go:embed help
var helpTexts embed.FS

// helpLists are what help texts name that registers itself.
var helpLists = template.FuncMap{
	"methods": gen.Methods,
	"method":  func(name string) (string, error) { spec, err := gen.Lookup(name); return spec.Doc, err },
	"rules":   func() string { return strings.Join(gen.Rules(), ", ") },
	"formats": annotation.Formats,
	"masks":   export.Formats,
	"mask":    export.Describe,
	"kinds":   func() string { return strings.Join(data.Kinds(), ", ") },
}

// helpOf is the text of a command; list are the commands below it.
func helpOf(name string, list []command) string {
	file := strings.ReplaceAll(name, " ", "_") + ".txt"
	var b strings.Builder
	if err := template.Must(template.New(file).Funcs(helpLists).ParseFS(helpTexts, "help/"+file)).Execute(&b, list); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}
