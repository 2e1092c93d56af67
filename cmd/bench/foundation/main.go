// Package foundation times foundation models of the real size (random weights):
// SAM's ViT-B encoder at 1024×1024, its decoder, CLIP's ViT-B/16 on eight
// images, Grounding-DINO Swin-T at 800×800. Engines are backends of wsss on the
// imported file, ONNX Runtime on the file as it is (ort), and PyTorch on the
// network that the file was exported from (torch). Each runs in a process of
// its own, in turns.
//
//	go run ./cmd/bench foundation [-models sam-encoder,sam-decoder,clip,gdino] [-engines ort,torch,onnx,go] [-runs 3] [-rounds 2] [-dir DIR]
//
// Also sam-h (ViT-H, some 8 GiB) on a GPU, and tiny-sam and tiny-clip to try the
// program out. On a GPU the engines are xla:cuda, torch-cuda (float32 with TF32),
// torch-cuda-bf16 (autocast) and torch-cuda-compile (autocast, compiled); on a CPU also torch-channels-last and torch-compile.
//
// Files are exported once, by Python ($PYTHON) with PyTorch and onnx, into -dir.
package foundation

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"wsss/cmd/bench/internal/interleave"
)

// network is one row of measurements.
type network struct {
	title  string
	script string // in models/onnximport/testdata: makes file.onnx and file.json
	file   string
	items  float64 // images or prompts per run
	unit   string
}

var networks = map[string]network{
	"sam-encoder": {"SAM ViT-B encoder, 1024×1024", "gen_exports.py", "sam_vit_b_full", 1, "images"},
	"sam-decoder": {"SAM decoder, five points, 375×500", "gen_full.py", "sam_decoder", 1, "prompts"},
	"clip":        {"CLIP ViT-B/16, batch 8", "gen_exports.py", "clip_vit_b16_full", 8, "images"},
	"sam-h":       {"SAM ViT-H encoder, 1024×1024", "gen_exports.py", "sam_vit_h_full", 1, "images"},
	"gdino":       {"Grounding-DINO Swin-T, 800×800, 900 queries", "gen_full.py", "gdino", 1, "images"},
	// Small ones, to see that everything runs.
	"tiny-sam":  {"tiny SAM encoder, 40×40", "gen_exports.py", "sam_encoder", 1, "images"},
	"tiny-clip": {"tiny CLIP, batch 2", "gen_exports.py", "clip_image", 2, "images"},
}

const generators = "models/onnximport/testdata"

// Main is the command.
func Main() {
	models := flag.String("models", "sam-encoder,sam-decoder,clip,gdino", "networks to run")
	engines := flag.String("engines", "ort,torch,onnx,go", "engines to run, in turn")
	runs := flag.Int("runs", 3, "timed runs per round, after one that warms up")
	rounds := flag.Int("rounds", 2, "turns of every engine")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "wsss-bench-foundation"), "folder of the exported files, a gigabyte")
	worker := flag.String("worker", "", "internal: time this engine in this process")
	profile := flag.String("cpuprofile", "", "internal: where the worker writes a CPU profile of its timed runs")
	flag.Parse()
	var err error
	if *worker != "" {
		err = work(*worker, flag.Arg(0), *runs, *profile)
	} else {
		err = measure(strings.Split(*models, ","), interleave.Present(strings.Split(*engines, ",")), *dir, *runs, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench foundation:", err)
		os.Exit(1)
	}
}

func measure(models, engines []string, dir string, runs, rounds int) error {
	for _, name := range models {
		n, ok := networks[name]
		if !ok {
			return fmt.Errorf("no network %q: allowed are %s", name, strings.Join(slices.Sorted(maps.Keys(networks)), ", "))
		}
		if err := n.export(dir); err != nil {
			return err
		}
		args := []string{"-runs", strconv.Itoa(runs), filepath.Join(dir, n.file)}
		results, err := interleave.Rounds(name+", ", engines, rounds, "cmd/bench/foundation/run.py", args)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		n.print(engines, results)
	}
	return nil
}

// export makes the files if they are not there.
func (n network) export(dir string) error {
	for _, ending := range []string{".onnx", ".json"} {
		if _, err := os.Stat(filepath.Join(dir, n.file+ending)); err == nil {
			continue
		}
		fmt.Fprintln(os.Stderr, "exporting", n.file)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		out, err := exec.Command(interleave.Python(), "-W", "ignore", filepath.Join(generators, n.script), dir, n.file).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", n.script, err, out)
		}
	}
	return nil
}

// print writes the table, with the ratios to ONNX Runtime and to PyTorch.
func (n network) print(engines []string, results map[string]*interleave.Result) {
	fmt.Printf("\n%s: %d CPUs, %s, %s\n\n", n.title, runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format(time.DateOnly))
	fmt.Printf("| engine | s/run (median) | fastest | %s/s | CPU s/run | peak GiB | speed ÷ ONNX Runtime | ÷ PyTorch |\n", n.unit)
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, e := range engines {
		r := results[e]
		mid := interleave.Median(r.Wall)
		ratio := func(peer string) string {
			if i := slices.IndexFunc(engines, func(e string) bool { return strings.HasPrefix(e, peer) }); i >= 0 {
				p := results[engines[i]]
				return fmt.Sprintf("%.2f", interleave.Median(p.Wall)/mid)
			}
			return ""
		}
		fmt.Printf("| %s | %.3f | %.3f | %.2f | %.2f | %.2f | %s | %s |\n",
			e, mid, slices.Min(r.Wall), n.items/mid, interleave.Median(r.CPU), r.Peak, ratio("ort"), ratio("torch"))
	}
}
