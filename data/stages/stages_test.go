package stages

import (
	"context"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	var c Clock
	ctx := With(context.Background(), &c)
	for range 2 {
		stop := Start(ctx, Embed)
		time.Sleep(2 * time.Millisecond)
		stop()
	}
	Start(ctx, Tag)()
	Start(context.Background(), Detect)() // nobody's clock
	got := c.Times()
	if got[Embed] < 4*time.Millisecond || got[Tag] > got[Embed] || got[Detect] != 0 {
		t.Errorf("%v", got)
	}
}
