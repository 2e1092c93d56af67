package main

import (
	"fmt"
	"strings"

	"wsss/configs"
	"wsss/gen"
)

// warnDebugSize says, once and also where -quiet silences notes, that the models
// which come with wsss were made for its own generated pictures.
func (p *pipeline) warnDebugSize(g configs.Gen) {
	if p.cfg.Data.Kind == "scenes" || p.debugSize {
		return
	}
	if text := debugSizeText(g); text != "" {
		p.debugSize = true
		p.alert("%s", text)
	}
}

// debugSizeText names the debug-size models of a method; "" where it has none.
func debugSizeText(g configs.Gen) string {
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
