package segmenters

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"

	"wsss/cmd/bench/internal/interleave"
)

// row is what a segmenter came to; costs and scores are by nets, then by seed.
type row struct {
	segmenter
	before *usage // of the training on other scenes
	costs  [len(nets)][]usage
	scores [len(nets)][]float64
}

// newCommand is a child that is told to stop when ctx ends.
func newCommand(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr, cmd.Stdout = os.Stderr, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience
	return cmd
}

// scored is the mIoU that a training ended with.
func scored(path string) (float64, error) {
	var run struct {
		Result *struct {
			ValMIoU float64 `json:"val_miou"`
		} `json:"result"`
	}
	if err := readJSON(path, &run); err != nil {
		return 0, err
	}
	if run.Result == nil {
		return 0, fmt.Errorf("%s: the training has not ended", path)
	}
	return run.Result.ValMIoU, nil
}

func readJSON(path string, v any) error {
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// printTable writes mean ± sample standard deviation of mIoU in percent, the
// median of CPU seconds, and the highest peak of memory.
func printTable(rows []row) {
	fmt.Println("| network | mIoU, pseudo-labels | mIoU, true masks | CPU s, pseudo-labels | CPU s, true masks | peak GiB | CPU s before, on other scenes |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, r := range rows {
		var cpu [len(nets)][]float64
		peak := 0.0
		for i, costs := range r.costs {
			for _, c := range costs {
				cpu[i], peak = append(cpu[i], c.CPU), max(peak, c.Peak)
			}
		}
		before := ""
		if r.before != nil {
			before = fmt.Sprintf("%.0f", r.before.CPU)
		}
		fmt.Printf("| %s | %s | %s | %.0f | %.0f | %.2f | %s |\n", r.title, meanSD(r.scores[0]), meanSD(r.scores[1]),
			interleave.Median(cpu[0]), interleave.Median(cpu[1]), peak, before)
	}
}

func meanSD(v []float64) string {
	mean, sq := 0.0, 0.0
	for _, x := range v {
		mean += 100 * x / float64(len(v))
	}
	for _, x := range v {
		sq += (100*x - mean) * (100*x - mean)
	}
	if len(v) < 2 {
		return fmt.Sprintf("%.1f", mean)
	}
	return fmt.Sprintf("%.1f ± %.1f", mean, math.Sqrt(sq/float64(len(v)-1)))
}
