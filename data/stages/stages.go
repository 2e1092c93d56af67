// Package stages tells where the time of one image went. What runs a method
// puts a Clock into the context; models and methods that hold no clock of
// their own say which stage they are in. Without a clock nothing is measured.
package stages

import (
	"context"
	"sync"
	"time"
)

// Name is a stage of making masks.
type Name int

// The stages that are told apart; the rest of a method's time is its prompts,
// or its cuts, or whatever makes the masks.
const (
	Tag    Name = iota // naming classes: taggers, and namers of masks
	Detect             // boxes from text
	Embed              // image networks that masks come from: SAM's encoder, a classifier
	names
)

// Times holds what each stage took.
type Times [names]time.Duration

// Clock adds up the stages of one piece of work. It is safe for concurrent
// use.
type Clock struct {
	mu    sync.Mutex
	times Times
}

type key struct{}

// With returns a context that carries the clock.
func With(ctx context.Context, c *Clock) context.Context { return context.WithValue(ctx, key{}, c) }

// Start begins a stage; the function it returns ends it:
//
//	defer stages.Start(ctx, stages.Embed)()
func Start(ctx context.Context, n Name) (stop func()) {
	c, ok := ctx.Value(key{}).(*Clock)
	if !ok {
		return func() {}
	}
	start := time.Now()
	return func() {
		took := time.Since(start)
		c.mu.Lock()
		c.times[n] += took
		c.mu.Unlock()
	}
}

// Times is what the stages took so far.
func (c *Clock) Times() Times {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.times
}
