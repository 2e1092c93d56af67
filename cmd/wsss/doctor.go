package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/models/backend/nativelib"
	"wsss/models/backend/probe"
)

func runDoctor(ctx context.Context, args []string) error {
	f := newFlags("doctor")
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
	probe.WriteText(stdout, found, strings.Contains(pipeline.Versions()["goexperiment"], "simd"))
	return nil
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
