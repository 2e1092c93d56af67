package choose

import (
	"slices"
	"strings"
	"testing"

	"wsss/data"
	"wsss/gen/gentest"
)

// TestOfDataset: a photo of two splits is there once; a dataset without photos is refused.
func TestOfDataset(t *testing.T) {
	ds := gentest.NewSplit(data.Classes{})
	if _, err := OfDataset(ds, []string{"train", "val"}); err == nil || !strings.Contains(err.Error(), "no photos in the splits train, val") {
		t.Errorf("without photos: %v", err)
	}
	for _, id := range []string{"b", "a"} {
		ds.Add(&data.Sample{ID: id})
	}
	photos, err := OfDataset(ds, []string{"train", "val"})
	if err != nil || !slices.Equal(photos.IDs, []string{"a", "b"}) {
		t.Errorf("%v, %v", photos.IDs, err)
	}
}
