package crash

import (
	"fmt"
	"os"
	"path/filepath"
)

// Keep puts what is known of a panic into a temporary file, behind a head.
func (p *Panic) Keep(head string) (path string, err error) {
	f, err := os.CreateTemp("", "wsss-fault-*.txt")
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s\n%v\n\n%s", head, p.Value, p.Stack); err != nil {
		return "", err
	}
	return filepath.Abs(f.Name())
}
