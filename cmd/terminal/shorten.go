package terminal

import (
	"fmt"
	"strings"
)

// maxLine bounds a line of an error message: a cell of a table can be megabytes
// long.
const maxLine = 2000

// Shortened leaves out the middle of lines that are too long for a person.
func Shortened(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if len(line) > maxLine {
			head, tail := line[:maxLine/2], line[len(line)-maxLine/2:]
			lines[i] = fmt.Sprintf("%s… (%d bytes) …%s", strings.ToValidUTF8(head, ""), len(line)-maxLine, strings.ToValidUTF8(tail, ""))
		}
	}
	return strings.Join(lines, "\n")
}
