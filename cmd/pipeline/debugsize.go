package pipeline

import (
	"fmt"
	"strings"

	"wsss/configs"
	"wsss/gen"
)

// warnDebugSize says, once and also where -quiet silences notes, that the models
// which come with wsss were made for its own generated pictures.
func (p *Run) warnDebugSize(g configs.Gen) {
	if p.Config.Data.Kind == "scenes" || p.debugSize {
		return
	}
	if text := DebugSize(g); text != "" {
		p.debugSize = true
		p.Alert("%s", text)
	}
}

// DebugSize names the debug-size models of a method; "" where it has none.
func DebugSize(g configs.Gen) string {
	n, err := gen.NeedsOf(g)
	if err != nil {
		return ""
	}
	var tiny []string
	for _, m := range n.Models {
		if strings.HasPrefix(m, "tiny-") {
			tiny = append(tiny, m)
		}
	}
	if len(tiny) == 0 {
		return ""
	}
	return fmt.Sprintf("WARNING: %s: debug-size, trained on generated scenes only. On photos the labels mean nothing; `wsss models list` shows the published models.", strings.Join(tiny, ", "))
}
