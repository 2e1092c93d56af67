package gen

import (
	"testing"
	"time"

	"wsss/data/stages"
)

func TestTimes(t *testing.T) {
	sum := Times{Decode: time.Second, Fuse: time.Second}
	var one Times
	one.split(8*time.Second, stages.Times{stages.Embed: 6 * time.Second})
	addCounts(&sum, one)
	if sum.Embed != 6*time.Second || sum.Prompt != 2*time.Second || sum.Total() != 10*time.Second {
		t.Errorf("%+v", sum)
	}
	if want := "decode 10 %, embed 60 %, prompt 20 %, fuse 10 %"; sum.String() != want {
		t.Errorf("%s, want %s", sum, want)
	}
	if back := TimesOf(sum.Seconds()); back != sum {
		t.Errorf("%+v became %+v", sum, back)
	}
	one.split(time.Second, stages.Times{stages.Embed: 3 * time.Second}) // several goroutines of one method
	if one.Prompt != 0 {
		t.Errorf("%+v", one)
	}
}
