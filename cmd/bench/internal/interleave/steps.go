package interleave

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rounds gives every engine its turn, round after round. label begins the lines
// that tell on stderr whose turn it is.
func Rounds(label string, engines []string, rounds int, script string, args []string) (map[string]*Result, error) {
	results := map[string]*Result{}
	for round := range rounds {
		for _, e := range engines {
			fmt.Fprintf(os.Stderr, "%sround %d/%d: %s\n", label, round+1, rounds, e)
			if results[e] == nil {
				results[e] = &Result{}
			}
			if err := results[e].Run(e, script, args); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// Steps is a command that times steps of training on backends and in PyTorch.
type Steps struct {
	Name   string // of the command, for errors
	Script string // in Python, for the engines that are PyTorch
	Digits int    // of the seconds in the table

	Batch, Steps             int
	rounds                   int
	engines, worker, profile string
}

// AddFlags adds the flags that all such commands have, -batch among them.
func (s *Steps) AddFlags(batch int) {
	flag.IntVar(&s.Batch, "batch", batch, "images per step")
	flag.IntVar(&s.Steps, "steps", 2, "timed steps per round, after one that warms up")
	flag.IntVar(&s.rounds, "rounds", 2, "turns of every engine")
	flag.StringVar(&s.engines, "engines", "torch,onnx,go", "engines to run, in turn")
	flag.StringVar(&s.worker, "worker", "", "internal: time this backend in this process")
	flag.StringVar(&s.profile, "cpuprofile", "", "internal: where the worker writes a CPU profile of its timed steps")
}

// Args are the flags as another process takes them.
func (s *Steps) Args() []string {
	return []string{"-batch", strconv.Itoa(s.Batch), "-steps", strconv.Itoa(s.Steps)}
}

// Job is what differs between such commands.
type Job struct {
	Title   string   // of the table
	Args    []string // for the workers and the script, beside Steps.Args
	Prepare func() error
	Step    func(engine string) (step func() error, err error) // builds what a worker times
	Done    func() error                                       // clears away what Step made; may be nil
}

// Main does a worker's part, or runs the engines in turns and prints the table.
// It ends the process on an error.
func (s *Steps) Main(j Job) {
	err := s.main(j)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", s.Name, err)
		os.Exit(1)
	}
}

func (s *Steps) main(j Job) error {
	if s.worker != "" {
		step, err := j.Step(s.worker)
		if err != nil {
			return err
		}
		err = Work(s.Steps, s.profile, step)
		if j.Done != nil {
			err = errors.Join(err, j.Done())
		}
		return err
	}
	if j.Prepare != nil {
		if err := j.Prepare(); err != nil {
			return err
		}
	}
	engines := Present(strings.Split(s.engines, ","))
	results, err := Rounds("", engines, s.rounds, s.Script, append(s.Args(), j.Args...))
	if err != nil {
		return err
	}
	fmt.Printf("%s, batch %d, %d CPUs, %s, %s\n\n", j.Title, s.Batch, runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	s.print(engines, results)
	return nil
}

// print writes the table, with the ratios to the first engine that is PyTorch.
func (s *Steps) print(engines []string, results map[string]*Result) {
	fmt.Println("| engine | s/image (median) | fastest | CPU s/image | peak GiB | speed ÷ PyTorch | by CPU time | memory ÷ PyTorch |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	var torch *Result
	if i := slices.IndexFunc(engines, isTorch); i >= 0 {
		torch = results[engines[i]]
	}
	images := float64(s.Batch)
	for _, e := range engines {
		r := results[e]
		speed, byCPU, memory := "", "", ""
		if torch != nil {
			speed = fmt.Sprintf("%.2f", Median(torch.Wall)/Median(r.Wall))
			byCPU = fmt.Sprintf("%.2f", Median(torch.CPU)/Median(r.CPU))
			memory = fmt.Sprintf("%.2f", r.Peak/torch.Peak)
		}
		fmt.Printf("| %s | %.*f | %.*f | %.*f | %.1f | %s | %s | %s |\n",
			e, s.Digits, Median(r.Wall)/images, s.Digits, slices.Min(r.Wall)/images, s.Digits, Median(r.CPU)/images, r.Peak, speed, byCPU, memory)
	}
}
