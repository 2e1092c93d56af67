package train

import (
	"context"
	"image"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/safetensors"
	"wsss/data"
	"wsss/models"
)

// segmenterJobs are small trainings of each kind of network.
var segmenterJobs = map[string]func(t *testing.T) Job{
	"deeplab-v1":               deeplabJob("deeplab-v1"),
	"deeplab-v2":               deeplabJob("deeplab-v2"),
	"deeplab-v3plus":           deeplabJob("deeplab-v3plus"),
	"deeplab-v3plus-multigrid": deeplabJob("deeplab-v3plus-multigrid"),
	"mask2former":              func(t *testing.T) Job { return mask2formerJob(t, t.TempDir()) },
	"vit-linear":               func(t *testing.T) Job { return frozenJob(t, true) },
	"vit-mask": func(t *testing.T) Job {
		job := frozenJob(t, false)
		job.Config.Arch, job.Config.Frozen = "vit-mask", false
		return job
	},
}

func deeplabJob(arch string) func(t *testing.T) Job {
	return func(t *testing.T) Job {
		job := tinyJob(t, t.TempDir())
		job.Net = nil
		c := &job.Config
		c.Arch, c.Backbone, c.Width, c.OutputStride, c.MSC, c.BatchNorm = arch, "resnet18", 0.0625, 16, false, "train"
		return job
	}
}

// relabelled is squares whose classes and labels are changed.
type relabelled struct {
	squares
	names []string
	label func(id string, v uint8) uint8
}

func (r relabelled) Classes() data.Classes { return data.Classes{Names: r.names} }
func (r relabelled) Load(id string, want data.Want) (*data.Sample, error) {
	s, err := r.squares.Load(id, want)
	for i, v := range s.Truth.Pix {
		s.Truth.Pix[i] = r.label(id, v)
	}
	return s, err
}

// TestSegmentersEdges: every network learns one class beside background, from
// images of which some show it and some do not or are not labelled at all, and labels
// images smaller than a patch, a window or the stride.
func TestSegmentersEdges(t *testing.T) {
	for name, newJob := range segmenterJobs {
		t.Run(name, func(t *testing.T) {
			job := newJob(t)
			job.Dataset = relabelled{squares{8}, []string{"background", "thing"}, func(id string, v uint8) uint8 {
				switch id {
				case "train_01", "train_02", "val_01":
					return 0 // empty
				case "train_03":
					return data.Ignore
				}
				return min(v, 1)
			}}
			job.Config.Iterations, job.Config.ValEvery = 4, 4
			res, err := Run(context.Background(), job)
			if err != nil {
				t.Fatal(err)
			}
			if !(res.Loss > 0) || math.IsInf(res.Loss, 0) || !(res.ValMIoU > 0) {
				t.Errorf("loss %g, mIoU %g", res.Loss, res.ValMIoU)
			}
			p, err := LoadPredictor(job.Backend, job.OutDir, PredictOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for _, size := range []image.Point{{1, 1}, {3, 2}, {5, 40}} {
				m, err := p.Predict(context.Background(), image.NewNRGBA(image.Rectangle{Max: size}))
				if err != nil || m.Size() != size {
					t.Errorf("image of %v: %v", size, err)
				}
			}
		})
	}
}

// TestSegmentersRefuse: a list of background alone, and weights of another backbone,
// are told by every network.
func TestSegmentersRefuse(t *testing.T) {
	others := filepath.Join(t.TempDir(), "other.safetensors")
	values := map[string]*tensors.Tensor{"features.0.weight": tensors.FromFlatDataAndDimensions(make([]float32, 3*3*3*8), 8, 3, 3, 3)}
	if err := safetensors.WriteFile(others, values, nil); err != nil {
		t.Fatal(err)
	}
	for name, newJob := range segmenterJobs {
		t.Run(name, func(t *testing.T) {
			for want, change := range map[string]func(*Job){
				"1 classes: a segmentation network has 2 to 255, background included": func(j *Job) {
					j.Dataset = relabelled{squares{8}, []string{"background"}, func(string, uint8) uint8 { return 0 }}
				},
				others: func(j *Job) { j.Config.Init = others },
			} {
				job := newJob(t)
				change(&job)
				if _, err := Run(context.Background(), job); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
		})
	}
	for _, arch := range models.Architectures() {
		if segmenterJobs[arch] == nil {
			t.Errorf("train.network.arch = %q is not among the networks of these tests", arch)
		}
	}
}
