package eachgpu

import (
	"slices"
	"testing"
)

func TestList(t *testing.T) {
	for _, tc := range []struct {
		visible, text string
		want          []string
	}{
		{"0,1,2", "all", []string{"0", "1", "2"}},
		{"GPU-a, GPU-b", "2", []string{"GPU-a", "GPU-b"}},
		{"4,5,6", "2", []string{"4", "5"}},
		{"4,5", "3", nil},
		{"4,5", "0", nil},
		{"4,5", "many", nil},
		{"", "all", nil},
	} {
		t.Setenv(envVisible, tc.visible)
		got, err := List(tc.text)
		if !slices.Equal(got, tc.want) || (err == nil) != (tc.want != nil) {
			t.Errorf("%q of %q: %v, %v; want %v", tc.text, tc.visible, got, err, tc.want)
		}
	}
}

func TestWithoutFlag(t *testing.T) {
	for _, tc := range [][2][]string{
		{{"-job", "a", "-gpus", "all", "-quiet"}, {"-job", "a", "-quiet"}},
		{{"--gpus=2", "-job", "gpus"}, {"-job", "gpus"}},
	} {
		if got := WithoutFlag(tc[0], "gpus"); !slices.Equal(got, tc[1]) {
			t.Errorf("%v: %v, want %v", tc[0], got, tc[1])
		}
	}
}
