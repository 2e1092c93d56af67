package train

import (
	"context"
	"path/filepath"
	"testing"

	"wsss/checkpoints/files"
	"wsss/checkpoints/store/storetest"
	"wsss/data"
	"wsss/data/scenes"
	"wsss/data/shards"
)

// inFiles is a dataset whose images are read in the order of tar files, one file
// at a time.
type inFiles struct {
	data.Dataset
	of *shards.Dataset
}

func (d inFiles) Part(id string) (string, int64, error) { return d.of.Part(id) }
func (inFiles) Together() int64                         { return 1 }

// TestTrainingFromTarFiles: read file by file, from a folder, from tar files of a
// folder and of a bucket, and stopped and taken up, a training has the same losses,
// gradients and validations.
func TestTrainingFromTarFiles(t *testing.T) {
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize = 12, 2, 40, 48
	folder, packed := filepath.Join(t.TempDir(), "scenes"), t.TempDir()
	if err := scenes.Write(t.Context(), folder, cfg, nil); err != nil {
		t.Fatal(err)
	}
	plain, err := scenes.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	tars, err := shards.Pack(t.Context(), shards.PackOptions{Dataset: plain, Splits: []string{"train", "val"}, Out: packed, Size: 9000})
	if err != nil || tars < 4 {
		t.Fatal(tars, err)
	}
	local, err := shards.Open(packed, shards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.Serve(t)
	found, err := filepath.Glob(filepath.Join(packed, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		raw, err := files.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s.Put("p/"+filepath.Base(path), raw)
	}
	root, err := files.Mount("data.root", s.Address("p"), true)
	if err != nil {
		t.Fatal(err)
	}
	remote, err := shards.Open(root, shards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context, ds data.Dataset, dir string, progress func(int, int)) error {
		job := killJob(t, dir)
		job.Dataset, job.Net, job.Progress = ds, tinyNet{plain.Classes().Len()}, progress
		_, err := Run(ctx, job)
		return err
	}
	want, all := t.TempDir(), t.TempDir()
	if err := run(t.Context(), inFiles{plain, local}, want, nil); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), plain, all, nil); err != nil {
		t.Fatal(err)
	}
	a, err1 := files.ReadFile(filepath.Join(want, LogFile))
	b, err2 := files.ReadFile(filepath.Join(all, LogFile))
	if err1 != nil || err2 != nil || string(a) == string(b) {
		t.Errorf("file by file is the order of all images: %v %v", err1, err2)
	}
	for name, ds := range map[string]*shards.Dataset{"folder": local, "bucket": remote} {
		dir := t.TempDir()
		ctx, stop := context.WithCancel(t.Context())
		if err := run(ctx, inFiles{ds, local}, dir, func(done, _ int) {
			if done == 7 {
				stop()
			}
		}); err == nil {
			t.Errorf("%s: not stopped", name)
		}
		if err := run(t.Context(), inFiles{ds, local}, dir, nil); err != nil {
			t.Fatal(err)
		}
		sameFiles(t, want, dir, LogFile)
	}
	// Where all files fit together the order is that of the folder.
	whole := t.TempDir()
	if err := run(t.Context(), local, whole, nil); err != nil {
		t.Fatal(err)
	}
	sameFiles(t, all, whole, LogFile)
}
