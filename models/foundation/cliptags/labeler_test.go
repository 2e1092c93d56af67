package cliptags

import (
	"fmt"
	"testing"
)

func TestChoose(t *testing.T) {
	l := &Labeler{Description: Description{Threshold: []float64{0.5, 0.2, 0.9}}, AtLeast: 1}
	for _, c := range []struct {
		top, least int
		scores     []float32
		want       string
	}{
		{0, 1, []float32{0.6, 0.3, 0.8}, "[1 2 3]"}, // the best counts, whatever its threshold
		{0, 0, []float32{0.6, 0.3, 0.8}, "[1 2]"},
		{0, 1, []float32{0.1, 0.1, 0.15}, "[3]"},
		{0, 0, []float32{0.1, 0.1, 0.15}, "[]"},
		{2, 1, []float32{0.1, 0.3, 0.2}, "[2 3]"},
		{9, 1, []float32{0.1, 0.3, 0.2}, "[1 2 3]"},
	} {
		l.Top, l.AtLeast = c.top, c.least
		if got := fmt.Sprint(l.Choose(c.scores)); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
