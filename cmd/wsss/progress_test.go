package main

import "testing"

// TestBarCountsFresh: what was done before a run began is not counted as its
// work; a single image is.
func TestBarCountsFresh(t *testing.T) {
	tests := []struct {
		name  string
		calls []int // done, of 10
		want  int   // items that were done before
	}{
		{"from the start", []int{1, 2, 3}, 0},
		{"one item", []int{1}, 0},
		{"taken up", []int{6, 7}, 6},
		{"a first call without work", []int{0, 1}, 0},
	}
	for _, tt := range tests {
		b := newBar(tt.name, true)
		for _, done := range tt.calls {
			b.update(done, 10)
		}
		if b.first != tt.want {
			t.Errorf("%s: %d done before, want %d", tt.name, b.first, tt.want)
		}
	}
}
