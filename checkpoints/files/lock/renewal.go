package lock

import (
	"errors"
	"sync"
	"time"
)

// renewal keeps a lease until it is given back or another's.
type renewal struct {
	stop chan struct{}
	done sync.WaitGroup
	gone chan struct{} // closed when it is another's
}

// begin has a lease written again every renewEvery, until still says that it is
// another's. A store that cannot be asked says nothing of that.
func (r *renewal) begin(still func() error, again func()) {
	r.stop, r.gone = make(chan struct{}), make(chan struct{})
	r.done.Go(func() {
		tick := time.NewTicker(renewEvery)
		defer tick.Stop()
		for {
			select {
			case <-r.stop:
				return
			case <-tick.C:
			}
			if errors.Is(still(), ErrLost) {
				close(r.gone)
				return
			}
			again()
		}
	})
}

func (r *renewal) lost() <-chan struct{} { return r.gone }

// end returns when the lease is not written any more.
func (r *renewal) end() {
	close(r.stop)
	r.done.Wait()
}
