package train

import "fmt"

// monitor notices early that a training has gone wrong: the smoothed loss has
// risen to a multiple of its lowest.
type monitor struct {
	limit        float64 // the multiple; 0 = never
	smooth, best float64
	seen         int
}

// Of the smoothed loss: the weight of a new value, and the updates before it
// counts.
const (
	monitorWeight = 0.02
	monitorWarmUp = 50
)

// add takes the loss of one update.
func (m *monitor) add(loss float64) error {
	if m.seen++; m.seen == 1 {
		m.smooth, m.best = loss, loss
	}
	m.smooth += monitorWeight * (loss - m.smooth)
	m.best = min(m.best, m.smooth)
	if m.limit == 0 || m.seen <= monitorWarmUp || m.smooth <= m.limit*m.best {
		return nil
	}
	return fmt.Errorf("the loss rises: smoothed %.4g, its lowest was %.4g, and train.checkpoint.diverge = %g allows no more: lower train.optimizer.lr, or look at the labels", m.smooth, m.best, m.limit)
}

// replay takes the losses of earlier calls.
func (m *monitor) replay(log []Record) {
	for _, r := range log {
		if len(r.LR) > 0 {
			_ = m.add(r.Loss) // would have stopped the run
		}
	}
}
