package backend

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gomlx/compute"

	"wsss/models/backend/nativelib"
)

// OpenDevices opens an engine on so many devices of the machine, 0 for all of
// them: a client of its own for each, which has no other, so that what one
// computes waits for none. Several devices are XLA's: GPUs, or on xla:cpu clients
// that share the cores.
func OpenDevices(spec string, n int) (list []compute.Backend, err error) {
	spec = cmp.Or(spec, os.Getenv(EnvBackend))
	if spec == "" {
		spec = Candidates()[0]
	}
	if !strings.HasPrefix(spec, "xla") {
		if n > 1 {
			return nil, fmt.Errorf("%d devices: only xla has several, the backend is %s", n, spec)
		}
		n = 1
	}
	gpus := 0
	if resolved, err := resolve(spec); err == nil && strings.HasPrefix(resolved, "xla") && strings.Contains(resolved, "cuda") {
		gpus = nativelib.CountNVIDIA()
		if n == 0 {
			n = gpus
		}
		if n > gpus {
			return nil, fmt.Errorf("%d devices: %d GPUs are visible here", n, gpus)
		}
	}
	defer func() {
		if err != nil {
			for _, b := range list {
				b.Finalize()
			}
			list = nil
		}
	}()
	for k := range max(n, 1) {
		own := spec
		if gpus > 0 && n > 1 {
			own = fmt.Sprintf("%s,visible_devices=%d", spec, k)
		}
		b, err := Open(own)
		if err != nil {
			return list, errors.Join(fmt.Errorf("device %d", k), err)
		}
		list = append(list, b)
	}
	return list, nil
}
