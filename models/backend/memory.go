package backend

import (
	"fmt"
	"slices"
	"strings"
)

// memorySigns are what the backends say when a device or the host has no
// memory left.
var memorySigns = []string{"resource_exhausted", "resource exhausted", "out of memory", "failed to allocate memory",
	"bad_alloc", "cannot allocate memory", "bfcarena", "cuda_error_out_of_memory", "allocator ran out", "cudamalloc failed",
	"cublas_status_alloc_failed", "cudnn_status_alloc_failed"}

// AdviseMemory explains an error that says that memory ran out: for what, and
// remedies to need less, the best first. Other errors pass unchanged.
func AdviseMemory(err error, what string, remedies ...string) error {
	if err == nil {
		return nil
	}
	text := strings.ToLower(err.Error())
	if !slices.ContainsFunc(memorySigns, func(sign string) bool { return strings.Contains(text, sign) }) {
		return err
	}
	return fmt.Errorf("not enough memory for %s: try %s: %w", what, strings.Join(remedies, ", then "), err)
}
