package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"wsss/checkpoints"
	"wsss/configs"
	"wsss/data"
)

// masked is squares of which some images have no true mask, and some of the
// validation cannot be read.
type masked struct {
	squares
	has    func(id string) bool
	broken func(id string) bool // when its image is read
}

func (d masked) Load(id string, want data.Want) (*data.Sample, error) {
	if want&data.WantTruth != 0 && !d.has(id) {
		return nil, fmt.Errorf("%s: %w", id, data.ErrNoTruth)
	}
	if want&data.WantImage != 0 && d.broken != nil && d.broken(id) {
		return nil, errors.New(id + ": broken")
	}
	return d.squares.Load(id, want)
}

// TestSomeTrueMasks: a training learns from, and is validated on, the images
// that have a true mask; with none it is not validated, which is said.
func TestSomeTrueMasks(t *testing.T) {
	tests := []struct {
		name          string
		has           func(id string) bool
		images, valid int
		notes         int
		err           bool
	}{
		{"some", func(id string) bool { return id != "val_01" && id != "train_00" && id != "train_07" }, 6, 2, 0, false},
		{"none to validate", func(id string) bool { return strings.HasPrefix(id, "train") }, 8, 0, 1, false},
		{"none to train on", func(id string) bool { return strings.HasPrefix(id, "val") }, 0, 0, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			job := tinyJob(t, dir)
			job.Dataset, job.Config.Iterations = masked{squares: squares{8}, has: tt.has}, 20
			notes := 0
			job.Log = func(line string) {
				if strings.Contains(line, "true mask") {
					notes++
				}
			}
			res, err := Run(context.Background(), job)
			if tt.err {
				if !errors.Is(err, data.ErrNoTruth) {
					t.Errorf("error %v, want that there is no true mask", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if res.Best == "" || res.Checkpoint != filepath.Join(dir, checkpoints.FileName(20)) || notes != tt.notes {
				t.Errorf("result %+v, %d notes", res, notes)
			}
			c, err := checkpoints.Latest(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Meta.Images != tt.images {
				t.Errorf("trained on %d images, want %d", c.Meta.Images, tt.images)
			}
			log, err := ReadLog(filepath.Join(dir, LogFile))
			if err != nil {
				t.Fatal(err)
			}
			validations := 0
			for _, rec := range log {
				if rec.ValMIoU != nil {
					validations++
					if rec.Images != tt.valid {
						t.Errorf("validated on %d images, want %d", rec.Images, tt.valid)
					}
				}
			}
			if want := map[bool]int{true: 2}[tt.valid > 0]; validations != want {
				t.Errorf("%d validations, want %d", validations, want)
			}
		})
	}
}

func TestValidationIDs(t *testing.T) {
	all := []string{"a_0", "b_1", "c_2", "d_3", "e_4", "f_5"}
	tests := []struct {
		without string
		n       int
		want    []string
	}{
		{"", 0, all},
		{"", 3, []string{"a_0", "c_2", "e_4"}},
		{"b_1 d_3", 3, []string{"a_0", "c_2", "e_4"}},
		{"a_0 b_1", 2, []string{"c_2", "e_4"}},
		{"a_0 b_1 c_2 d_3 e_4 f_5", 2, nil},
	}
	for _, tt := range tests {
		ds := masked{has: func(id string) bool { return !strings.Contains(tt.without, id) }}
		got, err := ValidationIDs(context.Background(), ds, all, tt.n)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("without %q, %d: %v, %v, want %v", tt.without, tt.n, got, err, tt.want)
		}
	}
}

// TestValidationFails: the state before a validation that fails is kept, and
// the repeated command validates it first and ends with the same bytes.
func TestValidationFails(t *testing.T) {
	whole := t.TempDir()
	job := tinyJob(t, whole)
	job.Config.CheckpointEvery = 15 // not the steps of validation
	if _, err := Run(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{10, 30} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			cut := job
			cut.OutDir = t.TempDir()
			var step atomic.Int64 // the loaders read it
			cut.Progress = func(done, _ int) { step.Store(int64(done)) }
			cut.Dataset = masked{squares{8}, func(string) bool { return true }, func(id string) bool { return int(step.Load()) == at && id == "val_02" }}
			if _, err := Run(context.Background(), cut); err == nil || !strings.Contains(err.Error(), "val_02: broken") {
				t.Fatalf("error %v, want that val_02 is broken", err)
			}
			if _, err := os.Stat(filepath.Join(cut.OutDir, checkpoints.FileName(at))); err != nil {
				t.Error(err)
			}
			cut.Dataset = job.Dataset
			res, err := Run(context.Background(), cut)
			if err != nil {
				t.Fatal(err)
			}
			if res.Skipped || res.From != at {
				t.Errorf("result %+v: want it to go on from step %d", res, at)
			}
			sameFiles(t, whole, cut.OutDir, LogFile, "miou.svg", checkpoints.FileName(30), checkpoints.FileName(res.BestStep))
			if again, err := Run(context.Background(), cut); err != nil || !again.Skipped {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}

func TestCheckBatch(t *testing.T) {
	tests := []struct {
		arch, norm                 string
		batch, devices, accumulate int
		ok                         bool
	}{
		{"deeplab-v3plus", "train", 1, 0, 1, false},
		{"deeplab-v3plus", "head", 1, 1, 16, false},
		{"deeplab-v3plus-multigrid", "head", 1, 1, 1, false},
		{"deeplab-v3plus", "train", 4, 4, 1, false},
		{"deeplab-v3plus", "train", 8, 4, 1, true},
		{"deeplab-v3plus", "train", 2, 0, 1, true},
		{"deeplab-v3plus", "frozen", 1, 0, 1, true},
		{"deeplab-v2", "train", 1, 0, 1, true},
	}
	for _, tt := range tests {
		c := configs.Train{TrainNetwork: configs.TrainNetwork{Arch: tt.arch, BatchNorm: tt.norm}, Batch: tt.batch, Accumulate: tt.accumulate, TrainCompute: configs.TrainCompute{Devices: tt.devices}}
		if err := CheckBatch(c); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// TestSmallerBatch: no advice leads to a batch that is refused.
func TestSmallerBatch(t *testing.T) {
	for _, arch := range []string{"deeplab-v2", "deeplab-v3plus"} {
		for batch := 1; batch <= 12; batch++ {
			for _, devices := range []int{0, 1, 2, 3} {
				c := configs.Train{TrainNetwork: configs.TrainNetwork{Arch: arch, BatchNorm: "train"}, Batch: batch, TrainCompute: configs.TrainCompute{Devices: devices}}
				if batch%max(devices, 1) != 0 || CheckBatch(c) != nil {
					continue
				}
				b := smallerBatch(c)
				if c.Batch = b; b >= batch || b > 0 && (b%max(devices, 1) != 0 || CheckBatch(c) != nil) {
					t.Errorf("%s, batch %d on %d devices: advised %d", arch, batch, devices, b)
				}
			}
		}
	}
}
