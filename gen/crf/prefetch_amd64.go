package crf

// prefetch asks for n rows of src, each of size bytes; rows holds their numbers
// or the complements of these.
//
//go:noescape
func prefetch(src *float32, rows *int32, n, size int)
