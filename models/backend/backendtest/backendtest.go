// Package backendtest gives tests the engines that they run on, so that none
// is named or forgotten in the tests themselves.
package backendtest

import (
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute"

	"wsss/models/backend"
	"wsss/models/backend/nativelib"
)

// Env narrows the engines to a list, as in "go,xla", or demands them all by
// "all". An engine that it names must be there; else those at hand are taken.
const Env = "WSSS_ENGINES"

// known are the engines that run on every CPU, with what their library lacks.
var known = []struct {
	name string
	lack func() error
}{
	{"go", func() error { return nil }},
	{"onnx", func() error { _, err := nativelib.ONNX.Find(); return err }},
	{"xla:cpu", func() error { _, err := nativelib.XLACPU.Find(); return err }},
}

// Names lists the engines to test, go first. A missing one is logged, or fails
// the test where it was demanded.
func Names(t testing.TB) []string {
	t.Helper()
	asked := os.Getenv(Env)
	var names []string
	for _, e := range known {
		demanded := asked == "all" || slices.ContainsFunc(strings.Split(asked, ","), func(name string) bool {
			return name != "" && (name == e.name || name+":cpu" == e.name)
		})
		if asked != "" && !demanded {
			continue
		}
		switch err := e.lack(); {
		case err == nil:
			names = append(names, e.name)
		case demanded:
			t.Fatalf("%s=%s, but %s is missing: %v", Env, asked, e.name, err)
		default:
			t.Logf("not on %s: %v", e.name, err)
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s=%q names no engine: allowed are all, or a list of go, onnx, xla", Env, asked)
	}
	return names
}

// Quick is Names where XLA would compile for minutes: without it, unless
// WSSS_VERIFY asks for the long tests.
func Quick(t testing.TB) []string {
	t.Helper()
	names := Names(t)
	if os.Getenv("WSSS_VERIFY") != "" || len(names) == 1 {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "xla") })
}

// Open opens an engine until the test ends.
func Open(t testing.TB, name string) compute.Backend {
	t.Helper()
	b, err := backend.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// XLA opens XLA's engine of the CPU for what only it has, such as so many devices,
// until the test ends; the test is skipped where it is not among Names, or has
// fewer.
func XLA(t testing.TB, devices int) compute.Backend {
	t.Helper()
	i := slices.IndexFunc(Names(t), func(name string) bool { return strings.HasPrefix(name, "xla") })
	if i < 0 {
		t.Skip("XLA is not among the engines of this test")
	}
	b := Open(t, Names(t)[i])
	if n := int(b.NumDevices()); n < devices {
		t.Skipf("%d devices: set XLA_FLAGS=--xla_force_host_platform_device_count=%d", n, max(devices, 4))
	}
	return b
}

// Each runs a test on every engine of a list, Names(t) or Quick(t).
func Each(t *testing.T, names []string, test func(*testing.T, compute.Backend)) {
	t.Helper()
	for _, name := range names {
		t.Run(name, func(t *testing.T) { test(t, Open(t, name)) })
	}
}

// All opens every engine of a list, until the test ends.
func All(t testing.TB, names []string) map[string]compute.Backend {
	t.Helper()
	all := map[string]compute.Backend{}
	for _, name := range names {
		all[name] = Open(t, name)
	}
	return all
}

// One opens the engine of tests that need no more than one, until the test ends:
// the first of Names, which is go unless WSSS_ENGINES leaves it out.
func One(t testing.TB) compute.Backend {
	t.Helper()
	return Open(t, Names(t)[0])
}

// SharedRuns checks that n photos that are asked for at a time, in runs of four,
// get what each gets alone, to a part of the largest value. ask returns what the
// network gives photo i.
func SharedRuns(t *testing.T, n int, tolerance float64, ask func(i int) ([]float32, error)) {
	t.Helper()
	alone := make([][]float32, n)
	for i := range alone {
		var err error
		if alone[i], err = ask(i); err != nil {
			t.Fatalf("photo %d alone: %v", i, err)
		}
	}
	t.Setenv(backend.EnvAtOnce, "4")
	var wg sync.WaitGroup
	for i, want := range alone {
		wg.Go(func() {
			got, err := ask(i)
			if err != nil || len(got) != len(want) || len(want) == 0 {
				t.Errorf("photo %d beside others: %d values of %d, %v", i, len(got), len(want), err)
				return
			}
			largest, worst := 0.0, 0.0
			for k, v := range want {
				largest = max(largest, math.Abs(float64(v)))
				worst = max(worst, math.Abs(float64(v-got[k])))
			}
			if !(worst <= tolerance*largest) || largest == 0 {
				t.Errorf("photo %d differs beside others by %.2g, its largest value is %.3g", i, worst, largest)
			}
		})
	}
	wg.Wait()
}
