package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
)

func init() {
	register(command{name: "version", short: "versions of wsss and of what it is built from", run: runVersion})
}

func runVersion(_ context.Context, args []string) error {
	if err := newFlags("version", "wsss version prints what this binary is built from.").parse(args, 0); err != nil {
		return err
	}
	v := versions()
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprintf(stdout, "%-14s %s\n", k, v[k])
	}
	return nil
}

// versions records what made a result: it goes into every sidecar,
// checkpoint and report.
func versions() map[string]string {
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
