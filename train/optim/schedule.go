package optim

import (
	"math"

	"wsss/configs"
	"wsss/models"
)

// Schedule is the poly learning-rate schedule with one rate per group
// (docs/sources.md §8.1, §8.2), or a cosine, behind a linear warm-up.
type Schedule struct {
	base   [NumGroups]float64
	cosine bool
	warmUp int // updates
	total  int
	power  float64
	every  int
	floor  float64
	decay  float64 // of the moving average of the weights; 0 = none
}

// NumGroups counts models.Group's values; rates are indexed by group.
const NumGroups = int(models.GroupHeadBias) + 1

// NewSchedule takes the learning-rate keys of a [train] table; an epoch has
// perEpoch updates.
func NewSchedule(t configs.Train, perEpoch int) Schedule {
	s := Schedule{cosine: t.Schedule == configs.ScheduleCosine, warmUp: t.WarmUp.Updates(perEpoch), total: t.Iterations, power: t.PolyPower, every: max(t.LREvery, 1), floor: t.LRMin, decay: t.EMA}
	s.base[models.GroupBackbone] = t.LR
	s.base[models.GroupHead] = t.LR * t.HeadMult
	s.base[models.GroupHeadBias] = t.LR * t.BiasMult
	return s
}

// Rate is the learning rate of a group in update step, counted from 0:
// base · (1 − s/T)^power, where s is step rounded down to a multiple of
// LREvery, or base · (1 + cos πs/T)/2, and never below the floor. In the warm-up
// it is multiplied by (step+1) over the warm-up's length. Frozen variables have
// rate 0.
func (s Schedule) Rate(g models.Group, step int) float64 {
	if g == models.GroupFrozen {
		return 0
	}
	done := float64(step/s.every*s.every) / float64(s.total)
	factor := math.Pow(max(1-done, 0), s.power)
	if s.cosine {
		factor = (1 + math.Cos(math.Pi*min(done, 1))) / 2
	}
	return max(s.base[g]*factor, s.floor) * min(float64(step+1)/float64(max(s.warmUp, 1)), 1)
}

// Indices in what Schedule.Scalars returns; the learning rates come first.
const (
	InNumber = NumGroups - 1 + iota
	inAverage
	NumScalars
)

// Scalars lists the inputs of an update's graph: the learning rates by group,
// the number of the update counted from 1, and the step of the moving average.
func (s Schedule) Scalars(step int) []any {
	var in []any
	for g := models.GroupBackbone; int(g) < NumGroups; g++ {
		in = append(in, float32(s.Rate(g, step)))
	}
	// Early on the average must not remember the random start.
	move := 1 - min(s.decay, float64(1+step)/float64(10+step))
	return append(in, float32(step+1), float32(move))
}
