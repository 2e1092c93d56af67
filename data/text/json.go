package text

import "encoding/json"

// FromJSON reads a text of JSON, or a number as it is written; ok is false for
// anything else.
func FromJSON(raw []byte) (s string, ok bool) {
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var number json.Number
	err := json.Unmarshal(raw, &number)
	return string(number), err == nil
}
