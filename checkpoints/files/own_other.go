//go:build !linux

package files

import "os"

const noFollow = 0

// TryLock finds no locks that die with their process on this system.
func TryLock(*os.File) (held bool, err error) { return false, ErrNoLocks }

func isLink(error) bool { return false }
