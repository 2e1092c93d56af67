package annotation

import (
	"bytes"
	"encoding/json"
)

// jsonHead is what the beginning of a JSON file shows: whether it is a list,
// and the keys of the file's object or of the list's first element, with the
// first character of each value.
type jsonHead struct {
	list bool
	keys map[string]byte
}

func (h jsonHead) has(names ...string) bool {
	for _, n := range names {
		if _, ok := h.keys[n]; !ok {
			return false
		}
	}
	return true
}

// readHead reads as far as a cut-off beginning goes.
func readHead(head []byte) (h jsonHead) {
	h.keys = map[string]byte{}
	dec := json.NewDecoder(bytes.NewReader(head))
	depth, want := 0, 1 // want is the depth of the keys
	expectKey := false
	key := ""
	for {
		token, err := dec.Token()
		if err != nil {
			// A value that is cut off still has its key.
			if key != "" && depth == want {
				h.keys[key] = '?'
			}
			return h
		}
		delim, isDelim := token.(json.Delim)
		if depth == want && !(isDelim && (delim == '}' || delim == ']')) {
			if expectKey {
				key, _ = token.(string)
				expectKey = false
				continue
			}
			kind := byte('v')
			if isDelim {
				kind = byte(delim)
			}
			h.keys[key], key = kind, ""
			expectKey = true
		}
		if !isDelim {
			continue
		}
		switch delim {
		case '[':
			if depth == 0 {
				h.list, want = true, 2
			}
			depth++
		case '{':
			if depth++; depth == want {
				expectKey = true
			}
		default:
			if depth--; depth < want && (h.list || depth == 0) && len(h.keys) > 0 {
				return h
			}
			if depth == want {
				expectKey = true
			}
		}
	}
}

// Keys are the keys at the beginning of a JSON file, each with the first
// character of its value ('v' for a text or number, '?' where it is cut off),
// and whether the file is a list, whose first element they are of.
func (s *Source) Keys(file string) (keys map[string]byte, list bool) {
	h := readHead(s.head(file))
	return h.keys, h.list
}
