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
	if !IsOutOfMemory(err) {
		return err
	}
	return fmt.Errorf("not enough memory for %s: try %s: %w", what, strings.Join(remedies, ", then "), err)
}

// IsOutOfMemory tells whether an error says so.
func IsOutOfMemory(err error) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	return slices.ContainsFunc(memorySigns, func(sign string) bool { return strings.Contains(text, sign) })
}
