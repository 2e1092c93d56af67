package configs

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Changes lists the keys of a table by which two structs of one type differ, of
// those that count in a hash: "train.iterations = 12, now 14".
func Changes(table string, was, now any) []string {
	before, after := map[string]string{}, map[string]string{}
	hashedKeys(reflect.ValueOf(was), table+".", before)
	hashedKeys(reflect.ValueOf(now), table+".", after)
	var list []string
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if before[key] != after[key] {
			list = append(list, fmt.Sprintf("%s = %s, now %s", key, before[key], after[key]))
		}
	}
	return list
}

// hashedKeys notes the values of a struct's keys that have a place in a hash.
func hashedKeys(v reflect.Value, prefix string, values map[string]string) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
		place := field.Tag.Get("hash")
		switch {
		case !field.IsExported() || key == "" || place == "-" || strings.HasSuffix(place, ",zero"):
		case place == "" && field.Type.Kind() == reflect.Struct:
			hashedKeys(v.Field(i), prefix+key+".", values)
		case place != "":
			if raw, err := json.Marshal(v.Field(i).Interface()); err == nil {
				values[prefix+key] = string(raw)
			}
		}
	}
}
