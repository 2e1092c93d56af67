package pipeline

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// Versions records what made a result: it goes into every sidecar,
// checkpoint and report.
func Versions() map[string]string {
	v := map[string]string{"go": runtime.Version(), "wsss": "devel"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v["wsss"] = s.Value[:min(12, len(s.Value))]
		case "GOEXPERIMENT":
			v["goexperiment"] = s.Value
		}
	}
	for _, d := range info.Deps {
		if name, ok := strings.CutPrefix(d.Path, "github.com/gomlx/"); ok {
			v[name] = d.Version
		}
	}
	return v
}

// WriteVersions prints Versions, a line each.
func WriteVersions(w io.Writer) error {
	v := Versions()
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if _, err := fmt.Fprintf(w, "%-14s %s\n", name, v[name]); err != nil {
			return err
		}
	}
	return nil
}
