package segmenters

import (
	"slices"
	"strings"
	"testing"
)

// TestParse: a wrong flag is told before anything is labelled.
func TestParse(t *testing.T) {
	for _, c := range []struct{ seeds, only, want, says string }{
		{"2", "", strings.Join(names(), ","), ""},
		{"1..3", "vit-mask,deeplab", "deeplab,vit-mask", ""},
		{"1..3", "deeplab,unet", "", `-only deeplab,unet: "unet" is unknown: allowed are deeplab,mask2former,vit-linear,vit-mask`},
		{"3..1", "", "", "-seeds 3..1: allowed is a..b"},
	} {
		b := bench{}
		err := b.parse(c.seeds, c.only)
		if c.says != "" {
			if err == nil || err.Error() != c.says {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		var got []string
		for _, s := range b.rows {
			got = append(got, s.name)
		}
		if err != nil || !slices.Equal(got, strings.Split(c.want, ",")) {
			t.Errorf("%+v: %v (%v)", c, got, err)
		}
	}
}
