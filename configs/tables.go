package configs

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
)

// checkTable refuses what the decoder passes over: a value in the place of a table of
// free keys, such as gen.options, and in such tables numbers that are none. t is the
// struct that the table fills; prefix begins its keys' names and ends in a dot.
func checkTable(t reflect.Type, table map[string]any, prefix string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		field, ok := fieldOf(t, key)
		if !ok || reflect.PointerTo(field).Implements(reflect.TypeFor[interface{ UnmarshalTOML(any) error }]()) {
			continue
		}
		for _, v := range elements(table[key]) {
			sub, is := v.(map[string]any)
			switch {
			case field.Kind() == reflect.Map && !is:
				return KeyErrorf("%s%s: the value is of type %s, allowed is table", prefix, key, typeName.Replace(fmt.Sprintf("%T", v)))
			case field.Kind() == reflect.Map:
				if err := checkFinite(sub, prefix+key); err != nil {
					return err
				}
			case is:
				if err := checkTable(field, sub, prefix+key+"."); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// elements are those of a list, or the one value.
func elements(v any) []any {
	switch list := v.(type) {
	case []any:
		return list
	case []map[string]any:
		all := make([]any, len(list))
		for i, v := range list {
			all[i] = v
		}
		return all
	}
	return []any{v}
}

// checkFinite refuses NaN and infinities in a value, and below it.
func checkFinite(v any, name string) error {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return KeyErrorf("%s = %v: allowed are finite numbers", name, v)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := checkFinite(v[key], name+"."+key); err != nil {
				return err
			}
		}
	case []any, []map[string]any:
		for i, e := range elements(v) {
			if err := checkFinite(e, fmt.Sprintf("%s[%d]", name, i)); err != nil {
				return err
			}
		}
	}
	return nil
}
