package configs

import (
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// unknown lists the keys of a decoded file that nothing took. Keys inside a
// table that stays a map, such as [gen.options], are its plug-in's own.
func unknown(meta toml.MetaData, v any) []toml.Key {
	return slices.DeleteFunc(meta.Undecoded(), func(k toml.Key) bool { return insideMap(reflect.TypeOf(v), k) })
}

// insideMap tells whether the key lies below a field of map type of t.
func insideMap(t reflect.Type, key toml.Key) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() == reflect.Map {
		return true
	}
	if t.Kind() != reflect.Struct || len(key) == 0 {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Tag.Get("toml") == "" && insideMap(f.Type, key) {
			return true
		}
		if name, _, _ := strings.Cut(f.Tag.Get("toml"), ","); strings.EqualFold(name, key[0]) && insideMap(f.Type, key[1:]) {
			return true
		}
	}
	return false
}

// tomlKeys lists the toml names of the fields of the struct that v points to.
func tomlKeys(v any) []string {
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if f.Anonymous && name == "" { // its keys count as the outer struct's own
			keys = append(keys, tomlKeys(reflect.New(f.Type).Interface())...)
			continue
		}
		if name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		keys = append(keys, name)
	}
	return keys
}

// tableOf is the struct below t that has a table's keys, for the last part of a key
// to be one of; the innermost that is known.
func tableOf(t reflect.Type, key toml.Key) reflect.Type {
	for _, part := range key[:len(key)-1] {
		below, ok := fieldOf(t, part)
		if !ok || below.Kind() != reflect.Struct {
			break
		}
		t = below
	}
	return t
}

// fieldOf is the type of the field with a key, of what it points to or lists.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("toml"), ","); !strings.EqualFold(name, key) {
			continue
		}
		t := f.Type
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		return t, true
	}
	return nil, false
}
