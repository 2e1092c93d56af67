package main

import (
	"fmt"
	"strings"
	"text/template"
)

// methodLines is a way to make labels, as it stands in [gen].
func methodLines(method, options, rule string) string {
	lines := fmt.Sprintf("method = %q\n", method)
	if options != "" {
		lines += "[gen.options]\n" + options + "\n"
	}
	return lines + fmt.Sprintf("[gen.fuse]\nrule = %q", rule)
}

// Updates is the length of the training: fifty passes over the images, within
// what is usual on a GPU and what a CPU does in a night.
func (s *starter) Updates() int {
	if s.GPU {
		return min(max(50*s.Images/16, 4000), 30000)
	}
	return min(max(50*s.Images/8, 1000), 4000)
}

// starterText is the config. Its tables end with those of [gen], whose method
// brings tables of its own.
var starterText = template.Must(template.New("config").Funcs(template.FuncMap{
	"comment": func(text string) string { return "# " + strings.ReplaceAll(text, "\n", "\n# ") },
	"quote":   func(text string) string { return fmt.Sprintf("%q", text) },
}).Parse(`# Made by wsss init. docs/training.md and docs/models.md tell of every key.
name = {{quote .Name}}
out = {{quote (printf "runs/%s" .Name)}}
seed = 1

[data]
kind = {{quote .Kind}}
root = {{quote .Root}}
train_split = {{quote .Train}}
val_split = {{quote .Val}}
[data.options]
{{.Options}}
[train]
arch = "deeplab-v3plus"
backbone = {{quote .Backbone}}
init = {{quote .Backbone}}      # ImageNet weights: wsss models pull {{.Backbone}}; a random start is init = "" and batch_norm = "train"
input = "torch"
stride_in = "3x3"
output_stride = 16
msc = false
{{- if .GPU}}
batch_norm = "train"
batch = 16
accumulate = 1
crop = 513
scale_range = [0.5, 2.0]
lr = 1e-3
weight_decay = 1e-4
lr_min = 1e-6
{{- else}}
batch_norm = "head"       # a CPU's batches are too small to learn the backbone's
batch = 4
accumulate = 2
crop = 257
scale_range = [0.4, 1.0]  # large photos are seen smaller
lr = 1e-3
weight_decay = 1e-4
{{- end}}
lr_every = 1
iterations = {{.Updates}}
val_every = 500
val_images = 100

[gen]
weak = {{quote (printf "%s" .Weak)}}
{{index .Methods 0}}
{{- range slice .Methods 1}}

# Or instead of it:
{{comment .}}
{{- end}}
`))
