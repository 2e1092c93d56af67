package pipeline_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/eval"
	"wsss/models/backend"
	"wsss/train"
)

// small is a config for a few small generated pictures: GrabCut from boxes, and
// a few updates of a narrow network.
func small() configs.Config {
	dir, err := os.MkdirTemp("", "wsss-example")
	if err != nil {
		log.Fatal(err)
	}
	cfg, err := configs.Load("../../configs/demo.toml", []string{
		"out=" + filepath.Join(dir, "run"), "data.root=" + filepath.Join(dir, "scenes"), "backend=go", "compare=[]", "eval.zero_shot=[]",
		"data.options.train=6", "data.options.val=2", "data.options.min_size=48", "data.options.max_size=64",
		"gen.method=grabcut", "gen.options={}", "gen.fuse.rule=smaller-first",
		"train.bound=false", "train.network.init=", "train.network.width=0.125", "train.augment.crop=33", "train.batch=2", "train.iterations=2",
	})
	if err != nil {
		log.Fatal(err)
	}
	return cfg
}

func clean(cfg configs.Config) { os.RemoveAll(filepath.Dir(cfg.Out)) }

// The whole run of a config, as `wsss run` does it.
func Example() {
	cfg := small()
	defer clean(cfg)
	run, err := pipeline.Open(cfg, pipeline.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	rows, err := run.All(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range rows {
		fmt.Printf("%s: %d images of %s\n", r.Name, r.Images, r.Split)
	}
	fmt.Println("report:", files.Exists(run.Path("report.html")))
	// Output:
	// pseudo-labels: 6 images of train
	// trained on pseudo-labels: 2 images of val
	// report: true
}

// Pseudo-labels alone: a folder of label PNGs with a description beside each.
func ExampleRun_Gen() {
	cfg := small()
	defer clean(cfg)
	run, err := pipeline.Open(cfg, pipeline.Options{Log: func(line string) { log.Print(line) }})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	if err := run.Gen(context.Background(), pipeline.GenOptions{}); err != nil {
		log.Fatal(err)
	}
	labels, _ := filepath.Glob(run.Path("gen", "*.png"))
	fmt.Println(len(labels), "label maps")
	// Output: 6 label maps
}

// A network from the true masks, or from any folder of label PNGs with
// cfg.Train.Labels.
func ExampleRun_TrainAll() {
	cfg := small()
	defer clean(cfg)
	cfg.Train.Labels = "truth"
	run, err := pipeline.Open(cfg, pipeline.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	if err := run.TrainAll(context.Background(), run.Networks()); err != nil {
		log.Fatal(err)
	}
	steps, _ := filepath.Glob(run.Path("train", "*", "step-*.safetensors"))
	fmt.Println(len(steps), "checkpoint:", filepath.Base(steps[0]))
	// Output: 1 checkpoint: step-00000002.safetensors
}

// A trained network labels pictures; a folder of checkpoints stands for its
// newest one.
func ExampleRun_TrainAll_predict() {
	cfg := small()
	defer clean(cfg)
	cfg.Train.Labels = "truth"
	ctx := context.Background()
	run, err := pipeline.Open(cfg, pipeline.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	if err := run.TrainAll(ctx, run.Networks()); err != nil {
		log.Fatal(err)
	}

	b, err := backend.Open("go")
	if err != nil {
		log.Fatal(err)
	}
	defer b.Finalize()
	net, err := train.LoadPredictor(b, run.Path("train", run.Networks()[0]), train.PredictOptions{Scales: []float64{1}})
	if err != nil {
		log.Fatal(err)
	}
	defer net.Close()
	ids, _ := run.Dataset.IDs("val")
	s, err := run.Dataset.Load(ids[0], data.WantImage)
	if err != nil {
		log.Fatal(err)
	}
	label, err := net.Predict(ctx, s.Image)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("as large as the photo:", label.Size() == s.Image.Rect.Size())
	// Output: as large as the photo: true
}

// Scores of a folder of label maps, whoever made them.
func ExampleRun_Gen_score() {
	cfg := small()
	defer clean(cfg)
	ctx := context.Background()
	run, err := pipeline.Open(cfg, pipeline.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	if err := run.Gen(ctx, pipeline.GenOptions{}); err != nil {
		log.Fatal(err)
	}
	result, err := eval.Folder(ctx, run.Dataset, "train", run.Path("gen"), eval.Options{Name: "GrabCut"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Name, "scored on", result.Images, "images; better than chance:", result.MIoU > 0.5)
	// Output: GrabCut scored on 6 images; better than chance: true
}
