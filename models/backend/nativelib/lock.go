package nativelib

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed locks
var locks embed.FS

// pin is one package of a lock file: its name, its one version, and the
// SHA-256 of each file that may be installed.
type pin struct {
	Name, Version string
	Hashes        []string
}

var (
	pinLine  = regexp.MustCompile(`^([A-Za-z0-9._-]+)==([0-9.]+)((?: --hash=sha256:[0-9a-f]{64})+)$`)
	pinnedBy = regexp.MustCompile(`[0-9a-f]{64}`)
)

// readLock reads a lock file of locks/, which pip reads too.
func readLock(name string) (text string, pins []pin, err error) {
	raw, err := locks.ReadFile("locks/" + name + ".txt")
	if err != nil {
		return "", nil, err
	}
	for i, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := pinLine.FindStringSubmatch(line)
		if m == nil {
			return "", nil, fmt.Errorf("locks/%s.txt: line %d is no pinned package: %q", name, i+1, line)
		}
		pins = append(pins, pin{m[1], m[2], pinnedBy.FindAllString(m[3], -1)})
	}
	return string(raw), pins, nil
}

// fileHash is the pinned SHA-256 of an installed file, "" where only its
// package is pinned.
func fileHash(lock, file string) string {
	raw, err := locks.ReadFile("locks/" + lock + ".sha256")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if hash, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok && name == file {
			return hash
		}
	}
	return ""
}
