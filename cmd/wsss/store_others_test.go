package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints/store/storetest"
)

// TestOtherTrainingsIntoObjectStorage: the classifier behind CAM, IRN and a
// fine-tuned CLIP, killed before a checkpoint is there and begun again, end in a bucket with
// the bytes of a folder; gen, and one training after the other, read them from there.
func TestOtherTrainingsIntoObjectStorage(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Serve(t)
	command := func(name, out string, keys ...string) []string {
		args := []string{name, "-quiet", "-backend", "go", "-config", "/dev/null"}
		for _, k := range append([]string{"out=" + out, "data.kind=scenes", "data.root=" + filepath.Join(dir, "scenes"), "data.train_split=train", "data.val_split=val",
			"data.options={train=12,val=6,min_size=48,max_size=56,classes=3}"}, keys...) {
			args = append(args, "-set", k)
		}
		return args
	}
	folder, bucket := filepath.Join(dir, "out"), s.Address("out")
	run := func(args []string) {
		t.Helper()
		if text, err := wsssCommand(t, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, text)
		}
	}
	// killed ends the command when it puts a file up, before it is there.
	killed := func(args []string, file string) {
		t.Helper()
		cmd := wsssCommand(t, args...)
		text := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = text, text
		started := make(chan struct{})
		s.Failing(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, file) {
				return false
			}
			<-started
			cmd.Process.Kill()
			panic(http.ErrAbortHandler)
		})
		defer s.Failing(nil)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		close(started)
		if cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatalf("%v: exit code %d before it was killed\n%s", args, cmd.ProcessState.ExitCode(), text)
		}
		if s.Get(strings.TrimPrefix(file, "/"+s.Bucket+"/")) != nil {
			t.Errorf("%s is there", file)
		}
	}
	same := func(names ...string) {
		t.Helper()
		for _, name := range names {
			want, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Get("out/" + name); !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes in the bucket, %d in the folder, or others", name, len(got), len(want))
			}
		}
	}
	classifier := []string{"classifier.epochs=2", "classifier.batch=4", "classifier.network.backbone=resnet18", "classifier.network.width=0.0625",
		"classifier.network.batch_norm=train", "classifier.network.cut_after=0", "classifier.augment.long=[32,48]", "classifier.augment.crop=48",
		"classifier.optimizer.name=adamw", "classifier.optimizer.lr=3e-3", "classifier.checkpoint.every=2"}
	run(command("train-classifier", folder, classifier...))
	killed(command("train-classifier", bucket, classifier...), "/out/classifier/step-00000004.safetensors")
	run(command("train-classifier", bucket, classifier...))
	same("classifier/classifier.safetensors", "classifier/classifier.json", "classifier/log.jsonl")

	cam := func(out string) []string {
		options := `gen.options={classifier="` + with(out, "classifier/classifier.safetensors") + `",scales=[1.0],threshold=0.4}`
		return command("gen", out, "gen.method=cam", "gen.weak=tags", options)
	}
	run(cam(folder))
	run(cam(bucket))
	same("gen/train_000001.png", "gen/train_000007.png")

	irn := func(out string) []string {
		return command("train-irn", out, "irn.labels="+with(out, "gen"), "irn.epochs=2", "irn.batch=4", "irn.radius=4", "irn.network.backbone=resnet18",
			"irn.network.width=0.0625", "irn.network.head=0.25", "irn.network.init="+with(out, "classifier/classifier.safetensors"),
			"irn.augment.crop=48", "irn.checkpoint.every=2")
	}
	run(irn(folder))
	killed(irn(bucket), "/out/irn/step-00000004.safetensors")
	run(irn(bucket))
	same("irn/irn.safetensors", "irn/log.jsonl")

	clip := []string{"finetune_clip.network.model=tiny-clip", "finetune_clip.epochs=2", "finetune_clip.batch=4", "finetune_clip.optimizer.lr=1e-4",
		"finetune_clip.checkpoint.every=2"}
	run(append(command("finetune-clip", folder, clip...), "-label", "train"))
	killed(command("finetune-clip", bucket, clip...), "/out/finetune/step-00000004.safetensors")
	run(append(command("finetune-clip", bucket, clip...), "-label", "train"))
	same("finetune/classifier.onnx", "finetune/classifier.json", "finetune/log.jsonl", "finetune/tags-train.csv")
	vit := func(out string) []string {
		return command("gen", out, "gen.method=vit-cam", "gen.weak=tags", `gen.options={classifier="`+with(out, "finetune/classifier.onnx")+`"}`)
	}
	run(vit(folder))
	run(vit(bucket))
	same("gen/train_000001.png", "gen/train_000007.png")
	for _, key := range s.Keys("") {
		if strings.Contains(key, ".tmp-") {
			t.Errorf("left behind: %s", key)
		}
	}
}

// with is a file below a folder or an address.
func with(dir, name string) string {
	bare, options, ok := strings.Cut(dir, "?")
	if !ok {
		return filepath.Join(dir, name)
	}
	return bare + "/" + name + "?" + options
}
