package imagenet

import (
	"fmt"
	"strings"
	"testing"
)

// TestKinds holds the hierarchy to counts of ImageNet's.
func TestKinds(t *testing.T) {
	synsets := synsets()
	if len(synsets) != 1860 || synsets[0].words[0] != "tench" || synsets[999].words[0] != "toilet tissue" {
		t.Fatalf("%d synsets, %s to %s", len(synsets), synsets[0].words[0], synsets[999].words[0])
	}
	for word, want := range map[string]int{"dog": 118, "Domestic_Dog": 118, "bird": 59, "domestic cat": 5, "entity": Classes, "airplane": 1, "no such word": 0} {
		if got := Kinds(word); len(got) != want {
			t.Errorf("%s: %d kinds %v, want %d", word, len(got), got, want)
		}
	}
	if got := fmt.Sprint(Kinds("domestic cat")); got != "[281 282 283 284 285]" {
		t.Errorf("cats: %s", got)
	}
}

// TestMeaning: every class of VOC and COCO has an answer, and classes of other
// senses of their names are not among them.
func TestMeaning(t *testing.T) {
	empty := 0
	for name := range table {
		list, err := Meaning(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(list) == 0 {
			empty++
		}
	}
	if empty != 15 {
		t.Errorf("%d names without a class", empty)
	}
	for name, want := range map[string]string{"dog": "118", "person": "38", "tvmonitor": "3", "sofa": "1", "car": "10", "boat": "15", "train": "6", "goldfish": "1", "fruit": "16"} {
		if list, err := Meaning(name); err != nil || fmt.Sprint(len(list)) != want {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
	for _, words := range [][]string{{"wug"}, {"1000"}, {"-1"}} {
		if _, err := Resolve(words); err == nil || !strings.Contains(err.Error(), words[0]) {
			t.Errorf("%v: %v", words, err)
		}
	}
}
