package files

import (
	"io/fs"
	"syscall"
)

// changeTime is when a file's contents or properties last changed, which a
// copy that keeps modification times does not hide: nanoseconds since 1970, 0
// where the system does not tell.
func changeTime(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctim.Nano()
	}
	return 0
}
