package pipeline

import (
	"slices"
	"strings"
)

// ParseClasses reads names of classes separated by commas, as -classes has them;
// a first "background" is left out. "" gives none.
func ParseClasses(text string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" || len(names) == 0 && strings.EqualFold(name, "background") {
			continue
		}
		if slices.Contains(names, name) {
			return nil, Usagef("-classes %q: %q occurs twice", text, name)
		}
		names = append(names, name)
	}
	if text != "" && len(names) == 0 {
		return nil, Usagef("-classes %q: name at least one class", text)
	}
	return names, nil
}
