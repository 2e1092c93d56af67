package configs

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// KeyError is a key of a config, or its value, that is wrong whatever files are there.
type KeyError struct{ error }

// Unwrap is for errors.Is and errors.As.
func (e *KeyError) Unwrap() error { return e.error }

// KeyErrorf is a KeyError of a text, as fmt.Errorf makes it.
func KeyErrorf(format string, args ...any) error { return &KeyError{fmt.Errorf(format, args...)} }

// Decode fills the struct that v points to from a plug-in's options table.
// Unknown keys are an error that names the key and the ones that exist, so a
// misspelt option never passes in silence; errors are KeyErrors. Fields keep their
// value where the table lacks their key. section names the table in errors
// ("gen.options").
func Decode(section string, options map[string]any, v any) error {
	if len(options) == 0 {
		return nil
	}
	var buf bytes.Buffer
	if err := toml.NewEncoder(&buf).Encode(options); err != nil {
		return KeyErrorf("[%s]: %w", section, err)
	}
	meta, err := toml.Decode(buf.String(), v)
	if err != nil {
		return &KeyError{explainType(section+".", err)}
	}
	if err := checkTable(reflect.TypeOf(v), options, section+"."); err != nil {
		return err
	}
	if extra := unknown(meta, v); len(extra) > 0 {
		slices.SortFunc(extra, func(a, b toml.Key) int { return strings.Compare(a.String(), b.String()) })
		keys := make([]string, len(extra))
		for i, k := range extra {
			keys[i] = k.String()
		}
		first := extra[0]
		allowed := tomlKeys(reflect.New(tableOf(reflect.TypeOf(v).Elem(), first)).Interface())
		return KeyErrorf("[%s]: unknown key %s: allowed are %s%s", section, strings.Join(keys, ", "), strings.Join(allowed, ", "), DidYouMean(first[len(first)-1], allowed))
	}
	return nil
}

// explainType names the key whose value does not fit, and what would. The line
// that the decoder tells is one of a copy of the table, not of the file.
func explainType(prefix string, err error) error {
	m := lastKey.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	key, text := m[1], m[2]
	if types, ok := strings.CutPrefix(text, "incompatible types: TOML value has type "); ok {
		got, want, _ := strings.Cut(types, "; destination has type ")
		text = fmt.Sprintf("the value is of type %s, allowed is %s", typeName.Replace(got), typeName.Replace(want))
	}
	if got, is := strings.CutPrefix(text, "type mismatch for "); is {
		if _, got, is = strings.Cut(got, ": expected table but found "); is {
			text = fmt.Sprintf("the value is of type %s, allowed is table", typeName.Replace(got))
		}
	}
	if strings.HasPrefix(text, "= ") { // of a type's own
		return fmt.Errorf("%s%s %s", prefix, key, text)
	}
	return fmt.Errorf("%s%s: %s", prefix, key, text)
}

// lastKey takes the decoder's messages apart: a value of a wrong type is a plain
// error in toml 1.6, not a toml.ParseError with LastKey and Message.
var lastKey = regexp.MustCompile(`(?s)^toml: (?:line \d+ )?\(last key "([^"]*)"\): (.*)$`)

// typeName says types as TOML does.
var typeName = strings.NewReplacer("int64", "integer", "float64", "float", "map[string]any", "table", "[]any", "array", "[]interface {}", "array", "slice", "array", "time.Time", "datetime")
