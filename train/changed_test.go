package train

import (
	"context"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wsss/checkpoints/files"
	"wsss/data"
	"wsss/train/lineage"
)

// onDisk are the squares as files: photos, true masks and a class table that a
// test may change.
type onDisk struct {
	squares
	dir   string
	train []string
	names []string
}

func newOnDisk(t *testing.T) *onDisk {
	t.Helper()
	d := &onDisk{squares: squares{8}, dir: t.TempDir(), names: squares{}.Classes().Names}
	d.train, _ = d.squares.IDs("train")
	val, _ := d.squares.IDs("val")
	for _, id := range append(slices.Clone(d.train), val...) {
		s, err := d.squares.Load(id, data.WantAll)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(d.ImagePath(id))
		if err := errors.Join(err, png.Encode(f, s.Image), f.Close(), data.WriteLabelMap(d.MaskPath(id), s.Truth)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *onDisk) Classes() data.Classes        { return data.Classes{Names: d.names} }
func (d *onDisk) ImagePath(id string) string   { return filepath.Join(d.dir, id+".png") }
func (d *onDisk) MaskPath(id string) string    { return filepath.Join(d.dir, "masks", id+".png") }
func (d *onDisk) edit(t *testing.T, id string) { spot(t, d.MaskPath(id)) }
func (d *onDisk) IDs(split string) ([]string, error) {
	if split == "train" {
		return slices.Clone(d.train), nil
	}
	return d.squares.IDs(split)
}

func (d *onDisk) Load(id string, want data.Want) (*data.Sample, error) {
	s := &data.Sample{ID: id}
	var err error
	if want&data.WantImage != 0 {
		s.Image, err = data.ReadImage(d.ImagePath(id))
	}
	if err == nil && want&data.WantTruth != 0 {
		s.Truth, err = data.ReadLabelMap(d.MaskPath(id))
	}
	return s, err
}

// spot changes one pixel of a label map.
func spot(t *testing.T, path string) {
	t.Helper()
	m, err := data.ReadLabelMap(path)
	if err != nil {
		t.Fatal(err)
	}
	m.Pix[0] = 1 - m.Pix[0]
	if err := data.WriteLabelMap(path, m); err != nil {
		t.Fatal(err)
	}
}

// repaint changes a photo.
func (d *onDisk) repaint(t *testing.T, id string) {
	t.Helper()
	img, err := data.ReadImage(d.ImagePath(id))
	if err != nil {
		t.Fatal(err)
	}
	img.Pix[0]++
	f, err := os.Create(d.ImagePath(id))
	if err := errors.Join(err, png.Encode(f, img), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// What a network learnt and has changed since makes it learn again, with a line
// that says what; an untouched training, and one whose folder was copied, stays.
func TestChangedDataIsLearntAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		truth  bool // on true masks instead of a folder of labels
		change func(t *testing.T, d *onDisk, job *Job)
		want   string // in the log; "" = the training stays
	}{
		{"nothing", false, func(*testing.T, *onDisk, *Job) {}, ""},
		{"a label edited", false, func(t *testing.T, _ *onDisk, job *Job) { spot(t, filepath.Join(job.LabelsDir, "train_03.png")) }, "1 of 8 labels changed"},
		{"a photo replaced", false, func(t *testing.T, d *onDisk, _ *Job) { d.repaint(t, "train_01") }, "1 photo replaced"},
		{"an image deleted", false, func(_ *testing.T, d *onDisk, _ *Job) { d.train = d.train[1:] }, "1 image is gone"},
		{"a class renamed", false, func(_ *testing.T, d *onDisk, _ *Job) { d.names = []string{"background", "red", "green"} }, "class table"},
		{"a true mask edited that is not learnt", false, func(t *testing.T, d *onDisk, _ *Job) { d.edit(t, "train_01") }, ""},
		{"labels copied elsewhere", false, func(t *testing.T, _ *onDisk, job *Job) {
			to := t.TempDir()
			if err := os.CopyFS(to, os.DirFS(job.LabelsDir)); err != nil {
				t.Fatal(err)
			}
			job.LabelsDir = to
		}, ""},
		{"a true mask edited", true, func(t *testing.T, d *onDisk, _ *Job) { d.edit(t, "train_01") }, "1 of 8 labels changed"},
		{"a photo replaced, true masks", true, func(t *testing.T, d *onDisk, _ *Job) { d.repaint(t, "train_01") }, "1 photo replaced"},
		{"a photo of validation replaced", true, func(t *testing.T, d *onDisk, _ *Job) { d.repaint(t, "val_01") }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newOnDisk(t)
			job := tinyJob(t, t.TempDir())
			job.Dataset, job.Config.Iterations = d, 2
			job.Hashes = files.OpenHashes(filepath.Join(d.dir, files.HashesName))
			if !tt.truth {
				job.LabelsDir = t.TempDir()
				if err := os.CopyFS(job.LabelsDir, os.DirFS(filepath.Join(d.dir, "masks"))); err != nil {
					t.Fatal(err)
				}
			}
			var lines []string
			job.Log = func(line string) { lines = append(lines, line) }
			if _, err := Run(context.Background(), job); err != nil {
				t.Fatal(err)
			}
			tt.change(t, d, &job)
			lines = nil
			res, err := Run(context.Background(), job)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(lines, "\n")
			if res.Skipped != (tt.want == "") || !strings.Contains(text, tt.want) || tt.want != "" && !strings.Contains(text, "trained again") {
				t.Errorf("skipped %v, said %q; want %q", res.Skipped, text, tt.want)
			}
			lines = nil
			if again, err := Run(context.Background(), job); err != nil || !again.Skipped || len(lines) > 0 {
				t.Errorf("a third run: %+v, %v, said %q", again, err, lines)
			}
		})
	}
}

// Another folder of labels is another training: it is not replaced unasked.
func TestOtherFolderOfLabels(t *testing.T) {
	d := newOnDisk(t)
	job := tinyJob(t, t.TempDir())
	job.Dataset, job.Config.Iterations = d, 2
	job.LabelsDir = filepath.Join(d.dir, "masks")
	if _, err := Run(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.CopyFS(other, os.DirFS(job.LabelsDir)); err != nil {
		t.Fatal(err)
	}
	spot(t, filepath.Join(other, "train_00.png"))
	for _, dir := range []string{other, ""} {
		job.LabelsDir = dir
		if _, err := Run(context.Background(), job); !errors.Is(err, ErrOtherRun) {
			t.Errorf("labels %q: error %v, want ErrOtherRun", dir, err)
		}
	}
	job.Restart = true
	if res, err := Run(context.Background(), job); err != nil || res.Skipped {
		t.Errorf("restarted: %+v, %v", res, err)
	}
}

// A training of a version that noted no data is taken for unchanged, once.
func TestOldTrainingIsTakenUp(t *testing.T) {
	d := newOnDisk(t)
	job := tinyJob(t, t.TempDir())
	job.Dataset, job.Config.Iterations = d, 2
	r, err := newRun(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	r.loop.Meta.DataHash = ""
	if err := errors.Join(r.start(), r.loop.Run(context.Background())); err != nil {
		t.Fatal(err)
	}
	if _, err := r.finish(); err != nil {
		t.Fatal(err)
	}
	r.close()
	if err := os.Remove(filepath.Join(job.OutDir, lineage.File)); err != nil {
		t.Fatal(err)
	}
	var lines []string
	job.Log = func(line string) { lines = append(lines, line) }
	for i, want := range []string{"earlier version", ""} {
		lines = nil
		res, err := Run(context.Background(), job)
		if err != nil || !res.Skipped || (want == "") != (len(lines) == 0) || !strings.Contains(strings.Join(lines, " "), want) {
			t.Errorf("call %d: %+v, %v, said %q", i, res, err, lines)
		}
	}
	d.edit(t, "train_02")
	if res, err := Run(context.Background(), job); err != nil || res.Skipped {
		t.Errorf("a change after that: %+v, %v", res, err)
	}
}

// A training that is killed after its labels changed, and begun again, ends as
// an undisturbed one on the new labels.
func TestChangedDataAndInterrupted(t *testing.T) {
	d := newOnDisk(t)
	run := func(dir string, stops ...int) {
		job := tinyJob(t, dir)
		job.Dataset, job.Config.Iterations = d, 6
		for _, at := range append(stops, 0) {
			ctx, cancel := context.WithCancel(context.Background())
			job.Progress = func(done, _ int) {
				if done == at {
					cancel()
				}
			}
			if _, err := Run(ctx, job); err != nil && at == 0 {
				t.Fatal(err)
			}
			cancel()
		}
	}
	cut, whole := t.TempDir(), t.TempDir()
	run(cut, 3)
	d.edit(t, "train_04")
	run(cut, 2, 4)
	run(whole)
	for _, name := range []string{"step-00000006.safetensors", lineage.File} {
		a, err1 := os.ReadFile(filepath.Join(cut, name))
		b, err2 := os.ReadFile(filepath.Join(whole, name))
		if errors.Join(err1, err2) != nil || string(a) != string(b) {
			t.Errorf("%s differs from the undisturbed training's (%v, %v)", name, err1, err2)
		}
	}
}
