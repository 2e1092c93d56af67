package lineage

import (
	"testing"
)

func TestChanges(t *testing.T) {
	old := Record{"a": {"p", "l", ""}, "b": {"p", "l", ""}, "c": {"p", "l", "s"}}
	edit := func(do func(r Record)) Record {
		r := Record{}
		for id, im := range old {
			r[id] = im
		}
		do(r)
		return r
	}
	for _, tt := range []struct {
		want string
		now  Record
	}{
		{"", edit(func(Record) {})},
		{"1 of 3 labels changed", edit(func(r Record) { r["a"] = Image{"p", "other", ""} })},
		{"1 of 3 labels changed", edit(func(r Record) { r["c"] = Image{"p", "l", "other"} })},
		{"1 photo replaced", edit(func(r Record) { r["a"] = Image{"q", "other", ""} })},
		{"2 photos replaced", edit(func(r Record) { r["a"], r["b"] = Image{"q", "l", ""}, Image{"q", "l", ""} })},
		{"1 new image", edit(func(r Record) { r["d"] = Image{"p", "l", ""} })},
		{"2 images are gone", edit(func(r Record) { delete(r, "a"); delete(r, "b") })},
		{"1 of 3 labels changed, 1 new image, 1 image is gone", edit(func(r Record) { r["a"] = Image{"p", "x", ""}; r["d"] = r["b"]; delete(r, "b") })},
	} {
		if got := old.Changes(tt.now); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
		if same := old.Hash() == tt.now.Hash(); same != (tt.want == "") {
			t.Errorf("%q: same hash is %v", tt.want, same)
		}
	}
	dir := t.TempDir()
	if Read(dir) != nil {
		t.Error("a folder without a record has one")
	}
	if err := old.Write(dir); err != nil {
		t.Fatal(err)
	}
	if got := Read(dir); got.Hash() != old.Hash() {
		t.Errorf("read back %v", got)
	}
}
