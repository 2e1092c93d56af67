package gen

import "reflect"

// addCounts adds the numbers of a struct, those of structs in it included, to
// the same fields of another: a field that is added later is summed, too. Other
// fields stay.
func addCounts[T any](to *T, from T) {
	addNumbers(reflect.ValueOf(to).Elem(), reflect.ValueOf(from))
}

func addNumbers(to, from reflect.Value) {
	switch to.Kind() {
	case reflect.Struct:
		for i := range to.NumField() {
			addNumbers(to.Field(i), from.Field(i))
		}
	case reflect.Int, reflect.Int64: // time.Duration is one
		to.SetInt(to.Int() + from.Int())
	}
}
