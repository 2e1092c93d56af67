package gen

import (
	"reflect"
	"testing"
	"time"
)

// TestAddCounts: no number of a summary is forgotten.
func TestAddCounts(t *testing.T) {
	one := Summary{Grown: true}
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Struct:
				fill(f)
			case reflect.Int, reflect.Int64:
				f.SetInt(int64(i + 1))
			}
		}
	}
	fill(reflect.ValueOf(&one).Elem())
	sum := Summary{Changes: Changes{Gone: 3}, Times: Times{Write: time.Second}}
	addCounts(&sum, one)
	addCounts(&sum, one)
	if want := 2*one.Changes.Gone + 3; sum.Changes.Gone != want || sum.Times.Write != time.Second+2*one.Times.Write || sum.Grown {
		t.Errorf("%+v", sum)
	}
	if sum.Generated != 2*one.Generated || sum.Unlabelled != 2*one.Unlabelled || sum.Changes.Old != 2*one.Changes.Old || sum.Times.Embed != 2*one.Times.Embed {
		t.Errorf("%+v, twice %+v", sum, one)
	}
}
