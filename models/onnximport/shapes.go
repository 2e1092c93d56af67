package onnximport

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseShapes reads shapes of inputs, "name=1,3,224,224" each; behind the sign there
// may be nothing, which is a scalar.
func ParseShapes(given []string) (map[string][]int, error) {
	out := map[string][]int{}
	for _, s := range given {
		name, text, ok := strings.Cut(s, "=")
		dims := []int{}
		for _, d := range strings.Split(text, ",") {
			if text == "" {
				break
			}
			v, err := strconv.Atoi(strings.TrimSpace(d))
			if err != nil || v < 0 {
				ok = false
				break
			}
			dims = append(dims, v)
		}
		if !ok || name == "" {
			return nil, fmt.Errorf("%q: allowed is name=1,3,224,224", s)
		}
		out[name] = dims
	}
	return out, nil
}
