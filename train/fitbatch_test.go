package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/models/backend/backendtest"
)

// TestFitFromBelow: the largest batch within the limit is found without trying one
// far beyond it.
func TestFitFromBelow(t *testing.T) {
	sizes := []int{1, 2, 3, 4, 6, 8, 12, 24}
	for _, c := range []struct {
		name    string
		limit   int64
		each    func(batch int) int64
		want    int
		tried   []int
		failure string
	}{
		{"all fit", 1000, func(n int) int64 { return 10 * int64(n) }, 24, []int{1, 2, 4, 8, 24}, ""},
		{"some fit", 160, func(n int) int64 { return 10 * int64(n) }, 6, []int{1, 2, 4, 6}, ""},
		{"one fits", 111, func(n int) int64 { return 10 * int64(n) }, 1, []int{1}, ""},
		{"none fits", 105, func(n int) int64 { return 10 * int64(n) }, 0, []int{1}, "0.00 GB of 0.00 GB"},
		{"grows faster", 160, func(n int) int64 { return 3 * int64(n*n) }, 4, []int{1, 2, 4}, ""},
		{"grows suddenly", 160, func(n int) int64 { return map[bool]int64{true: 100, false: 5}[n > 2] }, 2, []int{1, 2, 4}, ""},
	} {
		var tried []int
		got, how, err := fitFromBelow(sizes, 100, c.limit, func(batch int) (int64, error) {
			tried = append(tried, batch)
			return 100 + c.each(batch), nil
		})
		if got != c.want || !slices.Equal(tried, c.tried) || (err != nil) != (c.failure != "") || err != nil && !strings.Contains(err.Error(), c.failure) {
			t.Errorf("%s: batch %d (%s, %v), tried %v; want %d, %v", c.name, got, how, err, tried, c.want, c.tried)
		}
	}
	other := errors.New("something else")
	if _, _, err := fitFromBelow(sizes, 0, 9, func(int) (int64, error) { return 0, other }); !errors.Is(err, other) {
		t.Errorf("error %v", err)
	}
}

// TestFitFromAbove: a device that says when its memory runs out is asked few times.
func TestFitFromAbove(t *testing.T) {
	sizes := []int{1, 2, 3, 4, 6, 8, 12, 24}
	for most, want := range map[int]int{24: 24, 23: 12, 7: 6, 5: 4, 1: 1, 0: 0} {
		tries := 0
		got, _, err := fitFromAbove(sizes, func(batch int) error {
			if tries++; batch > most {
				return fmt.Errorf("RESOURCE_EXHAUSTED: Out of memory while trying to allocate %d bytes", batch)
			}
			return nil
		})
		if got != want || (err != nil) != (want == 0) || tries > 4 {
			t.Errorf("room for %d: batch %d after %d tries (%v), want %d", most, got, tries, err, want)
		}
	}
}

// TestFitBatch: on every engine the images of an update are computed together where
// memory allows it, a training that goes on keeps what was chosen, though less is
// free, and with too little memory it says what to change.
func TestFitBatch(t *testing.T) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skipf("the system does not tell how much memory the process takes: %v", err)
	}
	backendtest.Each(t, backendtest.Quick(t), func(t *testing.T, b compute.Backend) {
		var line string
		job := func(change func(*configs.Train)) Job {
			j := tinyJob(t, t.TempDir())
			j.Backend, j.ValSplit, j.Config.Iterations, j.Config.Batch, j.Config.Accumulate = b, "", 4, 2, 3
			j.Log = func(s string) {
				if strings.HasPrefix(s, "train.compute.fit_batch") {
					line = s
				}
			}
			change(&j.Config)
			return j
		}
		whole := job(func(t *configs.Train) { t.FitBatch, t.MemoryGB = true, 64 })
		if _, err := Run(context.Background(), whole); err != nil {
			t.Fatal(err)
		}
		if want := "train.compute.fit_batch: 6 of the 6 images of an update at a time (batch = 6, accumulate = 1; "; !strings.HasPrefix(line, want) {
			t.Errorf("line %q, want %s", line, want)
		}
		c, err := checkpoints.Latest(whole.OutDir, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if m := c.Meta.Model.Train; m.Batch != 6 || m.Accumulate != 1 {
			t.Errorf("the checkpoint holds batch %d, accumulate %d", m.Batch, m.Accumulate)
		}
		log, err := ReadLog(whole.OutDir + "/" + LogFile)
		if err != nil || log[0].Batch != 6 || log[0].Accumulate != 1 || log[1].Batch != 0 {
			t.Errorf("log %+v (%v)", log[:2], err)
		}
		plain := job(func(t *configs.Train) { t.Batch, t.Accumulate = 6, 1 })
		if _, err := Run(context.Background(), plain); err != nil {
			t.Fatal(err)
		}
		other, err := ReadLog(plain.OutDir + "/" + LogFile)
		if err != nil || other[3].Loss != log[3].Loss {
			t.Errorf("last loss %g, of the batch without a choice %g (%v)", log[3].Loss, other[3].Loss, err)
		}

		cut := job(func(t *configs.Train) { t.FitBatch, t.MemoryGB = true, 64 })
		ctx, cancel := context.WithCancel(context.Background())
		cut.Progress = func(int, int) { cancel() }
		if _, err := Run(ctx, cut); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cut.Progress, cut.Config.MemoryGB = nil, 0.001
		if _, err := Run(context.Background(), cut); err != nil {
			t.Fatalf("going on with less memory: %v", err)
		}
		little := job(func(t *configs.Train) { t.FitBatch, t.MemoryGB = true, 0.001 })
		if _, err := Run(context.Background(), little); err == nil || !strings.Contains(err.Error(), "not enough memory for a training step of 1 image of 33×33 pixels: try train.compute.recompute = 4") || !strings.Contains(err.Error(), "GB of 0.00 GB (train.compute.memory_gb = 0.001)") {
			t.Errorf("with a megabyte: %v", err)
		}
	})
}

func TestBatchSizes(t *testing.T) {
	r := run{}
	for _, c := range []struct {
		arch                       string
		batch, accumulate, devices int
		want                       []int
	}{
		{"deeplab-v2", 6, 2, 0, []int{1, 2, 3, 4, 6, 12}},
		{"deeplab-v2", 6, 2, 2, []int{2, 4, 6, 12}},
		{"deeplab-v3plus", 3, 2, 0, []int{2, 3, 6}},
		{"deeplab-v3plus", 1, 1, 0, nil},
	} {
		r.Config = tinyConfig()
		r.Config.Arch, r.Config.Batch, r.Config.Accumulate, r.Config.Devices, r.Config.BatchNorm, r.Config.FitBatch = c.arch, c.batch, c.accumulate, c.devices, "train", true
		if got := r.batchSizes(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
