package probe

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"wsss/models/backend"
	"wsss/models/backend/nativelib"
)

// WriteText prints what was found out about each of Specs, where libraries are looked
// for, and what an automatic choice ends at. simd tells whether the binary was built
// with vector kernels.
func WriteText(w io.Writer, found map[string]Found, simd bool) {
	gpu := "not found"
	if backend.HasGPU() {
		gpu = "found"
	}
	fmt.Fprintf(w, "machine   %s/%s, %d cores, NVIDIA GPU %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), gpu)
	fmt.Fprintf(w, "SIMD      %s\n", SIMD(simd))
	for _, spec := range Specs() {
		p := found[spec]
		if p.Error == "" {
			fmt.Fprintf(w, "%-9s works   %6.0f GFLOP/s  %s\n", spec, p.GFLOPS, p.Description)
			if note := outdated(spec); note != "" {
				fmt.Fprintf(w, "%9s %s\n", "", note)
			}
			continue
		}
		fmt.Fprintf(w, "%-9s missing %s\n%9s fix: %s\n", spec, brief(p.Error), "", Fix(spec))
	}
	fmt.Fprintln(w, "\nlibraries are looked for, in this order, in")
	for _, l := range []nativelib.Library{nativelib.ONNX, nativelib.XLACPU, nativelib.XLACUDA} {
		named := " (not set)"
		if v := os.Getenv(l.Env); v != "" {
			named = "=" + v
		}
		fmt.Fprintf(w, "  %-9s %s%s; then %s\n", l.Name, l.Env, named, strings.Join(l.Places(), ", "))
	}
	if named := os.Getenv(backend.EnvBackend); named != "" {
		fmt.Fprintf(w, "\nwsss uses %s, which %s names, unless -backend or a config says otherwise.\n", named, backend.EnvBackend)
		return
	}
	fmt.Fprintf(w, "\nwsss uses %s unless -backend, a config or %s says otherwise.\n", Chosen(found), backend.EnvBackend)
	if found["xla:cuda"].Error != "" && backend.HasGPU() {
		fmt.Fprintln(w, "The GPU is not used: `wsss doctor -install xla:cuda` fetches what is missing.")
	}
}
