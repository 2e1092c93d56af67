package words

import (
	"regexp"
	"strings"
)

var plainWord = regexp.MustCompile(`^[\p{L}\p{N}_./:@%+=,-]+$`)

// Shell is text as one word of a command line that a person copies into a shell:
// in single quotes where it holds more than letters, digits and what no shell
// takes for its own.
func Shell(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
