// Command bench measures wsss: speed and memory beside peers in the same run,
// quality of labels, and what it survives. Each measurement is a package below.
//
//	go run ./cmd/bench deeplab -h
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"wsss/cmd/bench/clip"
	"wsss/cmd/bench/cluster"
	"wsss/cmd/bench/deeplab"
	"wsss/cmd/bench/eval"
	"wsss/cmd/bench/foundation"
	"wsss/cmd/bench/gen"
	"wsss/cmd/bench/host"
	"wsss/cmd/bench/mask2former"
	"wsss/cmd/bench/noise"
	"wsss/cmd/bench/real"
	"wsss/cmd/bench/retrieve"
	"wsss/cmd/bench/segmenters"
	"wsss/cmd/bench/torture"
)

// measurements by name. Each reads its flags from os.Args, whose first word is
// the name.
var measurements = map[string]func(){
	"clip":        clip.Main,        // steps of CLIP's fine-tuning
	"cluster":     cluster.Main,     // a job through a real S3 server, with kills
	"deeplab":     deeplab.Main,     // steps of a network's training
	"eval":        eval.Main,        // scoring of label maps and networks
	"foundation":  foundation.Main,  // foundation models beside ONNX Runtime
	"gen":         gen.Main,         // quality and speed of pseudo-labels
	"host":        host.Main,        // what the CPU does for a photo in gen
	"mask2former": mask2former.Main, // steps and labels of Mask2Former beside transformers
	"noise":       noise.Main,       // how labels are wrong
	"real":        real.Main,        // unpacks published networks for tests
	"retrieve":    retrieve.Main,    // stages of labels by retrieval, and what many photos cost
	"segmenters":  segmenters.Main,  // segmenters side by side, from labels to mIoU
	"torture":     torture.Main,     // kills, full disks, hostile files, repeats
}

func main() {
	names := slices.Sorted(maps.Keys(measurements))
	if len(os.Args) < 2 || measurements[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "bench: name a measurement: %s; `bench NAME -h` shows its flags\n", strings.Join(names, ", "))
		os.Exit(2)
	}
	os.Args = os.Args[1:]
	measurements[os.Args[0]]()
}
