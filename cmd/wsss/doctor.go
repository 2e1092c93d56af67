package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/models/backend"
	"wsss/models/backend/nativelib"
	"wsss/models/backend/probe"
)

func init() {
	register(command{name: "doctor", short: "which backends work on this machine, and what would fix the others", run: runDoctor})
}

const doctorIntro = `
wsss doctor tries every backend in a process of its own, so that a broken
plug-in cannot take the check down, and prints what works, how fast a matrix
product runs, and the command that repairs what does not.

  wsss doctor                      check
  wsss doctor -install onnx        fetch the ONNX Runtime library
  wsss doctor -install xla:cuda    fetch XLA's plug-in for NVIDIA GPUs, 2 to 3 GB
  wsss doctor -install xla:cpu     fetch XLA's plug-in for the CPU

Nothing is fetched unless asked for here. Versions and SHA-256 are fixed in this
binary; an older installation is replaced. It goes to the user's cache folder.`

func runDoctor(ctx context.Context, args []string) error {
	f := newFlags("doctor", doctorIntro)
	install := f.String("install", "", "download a `backend`: onnx, onnx:cuda, xla:cpu or xla:cuda")
	force := f.Bool("force", false, "with -install: for a GPU that is not visible here, and what is installed already")
	probeSpec := f.String("probe", "", "internal: check one `backend` in this process and print JSON")
	asJSON := f.Bool("json", false, "print the findings as JSON")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	switch {
	case *probeSpec != "":
		return json.NewEncoder(stdout).Encode(probe.Here(*probeSpec))
	case *install != "":
		return installBackend(ctx, *install, *force)
	}
	found := map[string]probe.Found{}
	for _, spec := range probe.Specs() {
		found[spec] = probe.InChild(ctx, spec, "doctor", "-probe")
	}
	if *asJSON {
		return json.NewEncoder(stdout).Encode(found)
	}
	printDoctor(found)
	return nil
}

func printDoctor(found map[string]probe.Found) {
	fmt.Fprintf(stdout, "machine   %s/%s, %d cores, NVIDIA GPU %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), yesNo(backend.HasGPU(), "found", "not found"))
	fmt.Fprintf(stdout, "SIMD      %s\n", probe.SIMD(strings.Contains(pipeline.Versions()["goexperiment"], "simd")))
	for _, spec := range probe.Specs() {
		p := found[spec]
		if p.Error == "" {
			fmt.Fprintf(stdout, "%-9s works   %6.0f GFLOP/s  %s\n", spec, p.GFLOPS, p.Description)
			if note := probe.Outdated(spec); note != "" {
				fmt.Fprintf(stdout, "%9s %s\n", "", note)
			}
			continue
		}
		fmt.Fprintf(stdout, "%-9s missing %s\n%9s fix: %s\n", spec, probe.Brief(p.Error), "", probe.Fix(spec))
	}
	fmt.Fprintln(stdout, "\nlibraries are looked for, in this order, in")
	for _, l := range []nativelib.Library{nativelib.ONNX, nativelib.XLACPU, nativelib.XLACUDA} {
		named := os.Getenv(l.Env)
		fmt.Fprintf(stdout, "  %-9s %s%s; then %s\n", l.Name, l.Env, yesNo(named == "", " (not set)", "="+named), strings.Join(l.Places(), ", "))
	}
	if named := os.Getenv(backend.EnvBackend); named != "" {
		fmt.Fprintf(stdout, "\nwsss uses %s, which %s names, unless -backend or a config says otherwise.\n", named, backend.EnvBackend)
		return
	}
	fmt.Fprintf(stdout, "\nwsss uses %s unless -backend, a config or %s says otherwise.\n", probe.Chosen(found), backend.EnvBackend)
	if found["xla:cuda"].Error != "" && backend.HasGPU() {
		fmt.Fprintln(stdout, "The GPU is not used: `wsss doctor -install xla:cuda` fetches what is missing.")
	}
}

func yesNo(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

func installBackend(ctx context.Context, spec string, force bool) error {
	plan, err := nativelib.PlanInstall(spec, force)
	if err != nil {
		return pipeline.Usagef("doctor -install: %v", err)
	}
	if plan.Current() && !force {
		fmt.Fprintf(stdout, "%s is installed already, with the versions of %s\n", spec, plan.Lock)
		return nil
	}
	path, err := plan.Install(ctx, func(line string) { fmt.Fprintln(stderr, line) })
	if err != nil {
		return fmt.Errorf("doctor -install %s: %w", spec, err)
	}
	fmt.Fprintln(stdout, "installed", path)
	return nil
}
