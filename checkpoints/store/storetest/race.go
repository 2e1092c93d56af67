package storetest

import (
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// Rounds is how often tests of races try: 40 times, 200 in the long form.
func Rounds() int {
	if os.Getenv("WSSS_VERIFY") != "" {
		return 200
	}
	return 40
}

// Race calls a function for each of so many rounds, eight at a time, while requests
// are late by up to a millisecond and overtake each other.
func (s *Server) Race(rounds int, try func(round int)) {
	s.Late = func() { time.Sleep(rand.N(time.Millisecond)) }
	next := make(chan int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for round := range next {
				try(round)
			}
		})
	}
	for round := range rounds {
		next <- round
	}
	close(next)
	all.Wait()
}
