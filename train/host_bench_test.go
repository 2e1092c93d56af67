package train

import (
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph" //nolint:staticcheck // graph code reads as formulas
	"github.com/gomlx/gomlx/ml/model"

	"wsss/configs"
	"wsss/models"
	"wsss/models/backend/backendtest"
	"wsss/models/layers"
	"wsss/train/loop"
)

// BenchmarkHostWork is what the host does for an image of VOC's size before a
// network that runs elsewhere gets it: on canvases, at one scale and at five
// with their mirror images. It is of one core.
func BenchmarkHostWork(b *testing.B) {
	net, err := NewSegmenter(configs.Default().Train, 21)
	if err != nil {
		b.Fatal(err)
	}
	e := backendtest.Open(b, "go")
	img := noisy(image.Pt(500, 375))
	for name, opts := range map[string]PredictOptions{"one scale": {Scales: []float64{1}}, "five scales and flip": {Scales: []float64{0.5, 0.75, 1, 1.25, 1.5}, Flip: true}} {
		b.Run(name, func(b *testing.B) {
			p, err := NewPredictor(e, net, model.NewStore(), "torch", PredictOptions{Scales: opts.Scales, Flip: opts.Flip, Bucket: 1, Shapes: 1})
			if err != nil {
				b.Fatal(err)
			}
			p.on = net.(models.CanvasSegmenter)
			for b.Loop() {
				p.input(img).free()
			}
		})
	}
}

// BenchmarkBetweenUpdates is how long no update is under way between two of them,
// the median: log, TensorBoard's events and curves, or, with the next one begun
// ahead, the change from one to the other.
func BenchmarkBetweenUpdates(b *testing.B) {
	for _, ahead := range []bool{false, true} {
		b.Run(fmt.Sprint("ahead ", ahead), func(b *testing.B) {
			job := tinyJob(b, b.TempDir())
			job.Config.Iterations, job.Config.TensorBoard, job.Config.ValEvery, job.Config.CheckpointEvery = 500, true, 0, 0
			r, err := newRun(b.Context(), job)
			if err != nil {
				b.Fatal(err)
			}
			defer r.close()
			if r.ctx = b.Context(); r.start() != nil {
				b.Fatal("it does not start")
			}
			w := &watched{Task: r}
			r.loop.Task, r.loop.Ahead = w, ahead
			if err := r.loop.Run(b.Context()); err != nil {
				b.Fatal(err)
			}
			slices.Sort(w.gaps)
			b.ReportMetric(float64(w.gaps[len(w.gaps)/2].Nanoseconds())/1e3, "µs/gap")
		})
	}
}

// watched notes the time between updates.
type watched struct {
	loop.Task
	ended time.Time
	gaps  []time.Duration
}

func (w *watched) Update(step int) (loop.Update, error) {
	if !w.ended.IsZero() {
		w.gaps = append(w.gaps, time.Since(w.ended))
	}
	defer func() { w.ended = time.Now() }()
	return w.Task.Update(step)
}

// manyNet is tinyNet with further variables, as many as a ResNet-101 has, of four
// numbers each.
type manyNet struct{ tinyNet }

func (n manyNet) Logits(scope *model.Scope, x *Node, training bool) []*Node {
	maps := n.tinyNet.Logits(scope, x, training)
	var sum *Node
	for i := range 330 {
		v := ReduceAllSum(layers.Net{}.Parameter(scope, x.Graph(), fmt.Sprint("more.", i), "weight", func(*rand.Rand) float64 { return 0 }, 4))
		if sum == nil {
			sum = v
		} else {
			sum = Add(sum, v)
		}
	}
	maps[0] = Add(maps[0], sum)
	return maps
}

// BenchmarkVariables is what an update of many small variables takes on XLA beside
// that of few: the walk over them on the host, which no device computes meanwhile.
func BenchmarkVariables(b *testing.B) {
	for name, net := range map[string]models.Segmenter{"few": tinyNet{3}, "as ResNet-101": manyNet{tinyNet{3}}} {
		b.Run(name, func(b *testing.B) {
			job := tinyJob(b, b.TempDir())
			job.Backend, job.Net = backendtest.XLA(b, 1), net
			job.Config.Iterations, job.Config.ValEvery, job.Config.CheckpointEvery = 300, 0, 0
			var last time.Time
			var each []time.Duration
			job.Updated = func(Record) {
				if !last.IsZero() {
					each = append(each, time.Since(last))
				}
				last = time.Now()
			}
			if _, err := Run(b.Context(), job); err != nil {
				b.Fatal(err)
			}
			slices.Sort(each)
			b.ReportMetric(each[len(each)/2].Seconds()*1e3, "ms/update")
			b.ReportMetric(each[len(each)/20].Seconds()*1e3, "fastest-ms/update")
		})
	}
}
