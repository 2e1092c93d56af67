package train

import (
	"slices"
	"strings"
	"testing"

	"wsss/checkpoints"
	"wsss/configs"
)

// TestEarly: until a class is learnt the options against wrong labels change
// nothing; then they act, and a training that is interrupted before and after ends
// with the bytes of one that is not.
func TestEarly(t *testing.T) {
	for name, c := range map[string]struct {
		job    func(t testing.TB, dir string) Job
		change func(*configs.Train)
	}{
		"pixels":      {tinyJob, func(t *configs.Train) { t.Iterations = 24 }},
		"accumulated": {tinyJob, func(t *configs.Train) { t.Iterations, t.Accumulate, t.EarlyEvery = 16, 2, 2 }},
		"masks":       {mask2formerJob, func(t *configs.Train) { t.Iterations, t.EarlyEvery = 20, 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(cut []int, change func(*configs.Train)) (dir string, log []Record) {
				job := c.job(t, t.TempDir())
				job.Config.ValEvery, job.ValSplit = 0, ""
				c.change(&job.Config)
				change(&job.Config)
				if err := job.Config.Validate(); err != nil {
					t.Fatal(err)
				}
				_, log = interrupted(t, job, cut)
				return job.OutDir, log
			}
			noisy := func(t *configs.Train) { t.Bootstrap, t.LossClip, t.Correct, t.Early = 0.5, 0.05, 0.6, 0.5 }
			_, plain := run(nil, func(t *configs.Train) { t.EarlyEvery = 0 })
			whole, log := run(nil, noisy)
			learnt := slices.IndexFunc(log, func(r Record) bool { return len(r.Learned) > 0 })
			if learnt < 0 || learnt == len(log)-1 {
				t.Fatalf("no class is learnt in time: %+v", log[len(log)-1])
			}
			for i := range log {
				if same := log[i].Loss == plain[i].Loss; same != (i <= learnt) && i <= learnt+1 {
					t.Errorf("update %d: loss %g, plain %g; %v is learnt after %d", i+1, log[i].Loss, plain[i].Loss, log[learnt].Learned, learnt+1)
				}
			}
			if n := len(log[learnt].Agreement); n != 3 {
				t.Errorf("agreement on %d classes", n)
			}
			last := log[len(log)-1].Step
			cut, _ := run([]int{1, learnt + 1, learnt + 2}, noisy)
			sameFiles(t, whole, cut, checkpoints.FileName(last), LogFile)
		})
	}
}

func TestEarlyRefused(t *testing.T) {
	for want, change := range map[string]func(*configs.Train){
		"train.noise.early = 0.9: allowed is 0 where train.noise.warmup": func(t *configs.Train) { t.Early, t.NoiseWarmup, t.Bootstrap = 0.9, 0.2, 0.1 },
		"train.noise.early = 0.9: allowed is 0 unless one of":            func(t *configs.Train) { t.Early = 0.9 },
		"train.noise.early = 1: allowed is a number in [0, 1)":           func(t *configs.Train) { t.Early, t.Correct = 1, 0.8 },
		"train.noise.correct = 0.4: allowed is a probability":            func(t *configs.Train) { t.Correct = 0.4 },
	} {
		c := tinyConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
