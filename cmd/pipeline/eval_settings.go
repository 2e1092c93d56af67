package pipeline

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data/words"
	"wsss/eval/report"
	"wsss/gen"
)

// networkSettings says what a network is and how it was trained, as its
// checkpoint tells.
func networkSettings(m checkpoints.Meta) map[string]string {
	t := m.Model.Train
	net := t.Arch + " " + t.Backbone
	if t.Width != 0 && t.Width != 1 {
		net += fmt.Sprintf(" ×%g", t.Width)
	}
	if t.MSC {
		net += ", three scales and their maximum"
	}
	start := "random weights"
	if t.Init != "" {
		start = filepath.Base(t.Init)
	}
	return map[string]string{
		report.MadeBy:    net,
		report.TrainedOn: fmt.Sprintf("%s %s, %s", m.Dataset, m.Split, words.Plural(m.Images, "image")),
		report.Start:     start,
		report.Updates:   fmt.Sprintf("%d of batch %d", m.Step, t.Batch*max(t.Accumulate, 1)),
	}
}

// testTimeSettings says how a network sees the images; what is off is said, too.
// bucket is the one in use, the engine's where the config leaves it open.
func testTimeSettings(choice configs.TestTime, bucket int) map[string]string {
	onOff := map[bool]string{true: "yes", false: "no"}
	sides := "own"
	if bucket > 1 {
		sides = fmt.Sprintf("to multiples of %d", bucket)
	}
	return map[string]string{report.Scales: scalesText(choice.Scales), report.Flip: onOff[choice.Flip], report.CRF: onOff[choice.CRF], report.Sides: sides}
}

// methodSettings says how label maps are made.
func methodSettings(g configs.Gen) map[string]string {
	by := g.Method
	if n, err := gen.NeedsOf(g); err == nil && len(n.Models) > 0 {
		by += " (" + strings.Join(n.Models, ", ") + ")"
	}
	if g.Weak != "" && g.Weak != "none" {
		by += " from " + g.Weak
	}
	return map[string]string{report.MadeBy: by + ", fused by " + g.Fuse.Rule}
}

// join makes one map of several.
func join(parts ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return all
}
