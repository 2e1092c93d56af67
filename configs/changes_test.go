package configs

import (
	"slices"
	"testing"
)

func TestChanges(t *testing.T) {
	was := Default().Train
	was.Iterations, was.Backbone, was.Crop = 12, "resnet18", 65
	now := was
	now.Iterations, now.Backbone, now.ScaleRange = 14, "resnet50", []float64{0.5, 2}
	now.Workers, now.Keep = was.Workers+3, was.Keep+1 // do not count
	want := []string{
		`train.augment.scale_range = ` + "null, now [0.5,2]",
		`train.iterations = 12, now 14`,
		`train.network.backbone = "resnet18", now "resnet50"`,
	}
	if got := Changes("train", was, now); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Changes("train", was, was); got != nil {
		t.Errorf("%q of the same", got)
	}
}
