package starter

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

// Updates is the length of the training. A GPU passes fifty times over the
// images, within what is usual; a CPU what it does in about an hour.
func (s *Starter) Updates() int {
	if s.GPU {
		return min(max(50*s.Images/16, 4000), 30000)
	}
	return min(max(20*s.Images/4, 400), 1500)
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
{{- if .Options}}
[data.options]
{{- range .Options}}
{{.}}
{{- end}}
{{- end}}

[train]
{{- if .Supervised}}
labels = "truth"          # the masks; without this line: what [gen] makes
{{- end}}
iterations = {{.Updates}}
batch = {{if .GPU}}16{{else}}4{{end}}
accumulate = 1
[train.network]
arch = "deeplab-v3plus"
backbone = {{quote .Backbone}}
{{- if .Start}}
init = {{quote .Start}}         # ImageNet weights
batch_norm = {{if .GPU}}"train"{{else}}"head"{{end}}
{{- else}}
init = ""                 # a random start; ImageNet weights are far better: wsss models pull {{.Backbone}}, then init = {{quote .Backbone}}
batch_norm = "train"
{{- end}}
input = {{quote .Input}}
stride_in = "3x3"
output_stride = 16
msc = false
[train.augment]
{{- if .GPU}}
crop = 513
scale_range = [0.5, 2.0]
{{- else}}
crop = 193
scale_range = [0.3, 0.8]  # large photos are seen smaller
{{- end}}
[train.optimizer]
lr = 1e-3
lr_every = 1
weight_decay = 1e-4
{{- if .Truth}}
[train.checkpoint]
val_every = {{if .GPU}}500{{else}}200{{end}}
val_images = {{if .GPU}}100{{else}}40{{end}}
{{- end}}

[gen]
weak = {{quote (printf "%s" .Weak)}}
{{index .Methods 0}}
{{- range slice .Methods 1}}

# Or instead of it:
{{comment .}}
{{- end}}
`))
