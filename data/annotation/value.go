package annotation

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"wsss/data/text"
)

// whole is a whole number, which tools also write as 640.0, "640" or null.
type whole int

func (n *whole) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	if text == "null" || text == "" {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) {
		return fmt.Errorf("%.40s: allowed is a whole number", raw)
	}
	*n = whole(min(max(math.Round(v), -1<<62), 1<<62)) // who uses it knows what is too much
	return nil
}

// name is a text that some tools write as a number.
type name string

func (n *name) UnmarshalJSON(raw []byte) error {
	s, ok := text.FromJSON(raw)
	if !ok {
		return fmt.Errorf("%.40s: allowed is a text or a number", raw)
	}
	*n = name(s)
	return nil
}
