package configs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// Changes lists the keys of a table by which two structs of one type differ, of
// those that count in a hash: "train.iterations = 12, now 14".
func Changes(table string, was, now any) []string {
	before, err := hashFields(reflect.ValueOf(was), table+".")
	if err != nil {
		panic(err)
	}
	after, err := hashFields(reflect.ValueOf(now), table+".")
	if err != nil {
		panic(err)
	}
	var list []string
	for i, f := range before {
		a, _ := json.Marshal(f.value.Interface())
		b, _ := json.Marshal(after[i].value.Interface())
		if !bytes.Equal(a, b) {
			list = append(list, fmt.Sprintf("%s = %s, now %s", f.key, a, b))
		}
	}
	slices.Sort(list)
	return list
}
