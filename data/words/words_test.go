package words

import (
	"reflect"
	"testing"
)

func TestCount(t *testing.T) {
	var got []string
	for n := range 3 {
		got = AppendCount(got, n, "photo is gone", "photos are gone")
		got = append(got, Plural(n, "image"))
	}
	want := []string{"0 images", "1 photo is gone", "1 image", "2 photos are gone", "2 images"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
