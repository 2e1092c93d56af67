//go:build !amd64

package crf

// prefetch would ask for rows of src ahead of their use.
func prefetch(src *float32, rows *int32, n, size int) {}
