package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// victim is a kind of file that wsss reads, and the commands that read it.
type victim struct {
	name     string
	base     string // the folder, below the lab's, that is copied
	file     string // in it
	commands [][]string
	limit    int64 // bytes that docs/reliability.md grants reading it
}

const (
	gigabyte   = 1 << 30
	quickLimit = 2 * time.Minute // for one command on a busy machine
)

// validate reads everything of a folder.
var validate = []string{"data", "validate", "-kind", "folder", "-root", ".", "-quiet"}

// victims are the formats. Photos and masks may take 2 GB while they are
// decoded; nothing else in the corpus comes near the 1 GB of a model's structure.
func victims() []victim {
	list := []victim{
		{"TOML config", "corpus/run", "torture.toml", [][]string{{"run", "-dry-run", "-config", "torture.toml"}}, gigabyte},
		{"checkpoint", "corpus/run", "net.safetensors", [][]string{{"models", "inspect", "net.safetensors"}, {"export", "-checkpoint", "net.safetensors", "-out", "net.onnx"}, {"predict", "-quiet", "-checkpoint", "net.safetensors", "scenes/JPEGImages/val_000001.jpg"}}, gigabyte},
		{"pickle", "corpus/models", "net.pth", [][]string{{"models", "inspect", "net.pth"}}, gigabyte},
		{"ONNX model", "corpus/models", "net.onnx", [][]string{{"models", "inspect", "net.onnx"}}, gigabyte},
		{"metrics log", "corpus/run", "out/train/pseudo/log.jsonl", [][]string{{"report", "-config", "torture.toml", "-quiet"}}, gigabyte},
		{"record of pseudo-labels", "corpus/run", "out/gen/train_000001.json", [][]string{{"gen", "-config", "torture.toml", "-quiet"}, {"report", "-config", "torture.toml", "-quiet"}}, gigabyte},
		{"manifest of pseudo-labels", "corpus/run", "out/gen/run.json", [][]string{{"report", "-config", "torture.toml", "-quiet"}}, gigabyte},
		{"result", "corpus/run", "out/results/pseudo-labels.json", [][]string{{"report", "-config", "torture.toml", "-quiet"}}, gigabyte},
		{"record of training", "corpus/run", "out/train/pseudo/run.json", [][]string{{"report", "-config", "torture.toml", "-quiet"}}, gigabyte},
	}
	for _, name := range []string{"a.jpg", "b.png", "c.png", "d.bmp", "e.tif"} {
		list = append(list, victim{"photo " + filepath.Ext(name)[1:], "corpus/photos", name, [][]string{validate}, 2 * gigabyte})
	}
	list = append(list, victim{"mask", "corpus/photos", "masks/a.png", [][]string{validate}, 2 * gigabyte})
	for format, file := range map[string]string{
		"csv": "boxes.csv", "json": "labels.json", "coco": "coco.json", "cvat": "cvat.xml", "labelstudio": "labelstudio.json",
		"labelme": "a.json", "voc": "a.xml", "yolo": "yolo/labels/train/a.txt", "yolo-names": "yolo/data.yaml",
	} {
		kind, _, _ := strings.Cut(format, "-")
		list = append(list, victim{"labels of " + format, "corpus/" + kind, file, [][]string{validate}, gigabyte})
	}
	return list
}

// hostile damages every format in every way that it knows, one file at a time,
// and lets wsss read it: an error or not, but no crash, no hang, no control
// character on the terminal and no more memory than twice what is granted.
func hostile(ctx context.Context, o options, r *result) error {
	if err := o.makeCorpus(ctx); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(o.seed, 3))
	end := time.Now().Add(o.time)
	var worst tally
	for round := 0; round == 0 || time.Now().Before(end) && round < 50; round++ {
		for _, v := range victims() {
			if err := o.damage(ctx, v, round, rng, r, &worst); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			if round > 0 && time.Now().After(end) {
				break
			}
		}
		o.logf("hostile files: %d", worst.count)
		if o.brief() {
			break
		}
	}
	r.add("%d files of %d formats by %d faults; %d refused, %d read", worst.count, len(victims()), len(faults)+len(inPlace), worst.refused, worst.count-worst.refused)
	r.add("most memory %.2f GB (%s), %.0f %% of what is granted at most; longest %.1f s (%s)", float64(worst.memory)/1e9, worst.memoryOf, 100*worst.share, worst.took.Seconds(), worst.tookBy)
	return nil
}

// tally is the worst so far.
type tally struct {
	count, refused   int
	memory           int64
	share            float64
	took             time.Duration
	memoryOf, tookBy string
}

// damage tries the faults on one format: all at first, time permitting, later
// the random ones.
func (o options) damage(ctx context.Context, v victim, round int, rng *rand.Rand, r *result, worst *tally) error {
	dir := filepath.Join(o.dir, "victim")
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(o.dir, filepath.FromSlash(v.base)))); err != nil {
		return err
	}
	path := filepath.Join(dir, filepath.FromSlash(v.file))
	whole, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	try := func(fault string) {
		for _, command := range v.commands {
			if ctx.Err() != nil {
				return
			}
			if err := o.suffer(ctx, dir, command, v, fault, worst); err != nil {
				r.failf("%s, %s: wsss %s: %v", v.name, fault, strings.Join(command, " "), err)
				o.keep(path, v.name+" "+fault)
			}
		}
		worst.count++
	}
	// Each format has its part of the time for what is tried once, in an order of
	// chance: what one campaign leaves out another tries.
	end := time.Now().Add(o.time / time.Duration(len(victims())))
	for i, at := range rng.Perm(len(faults)) {
		f := faults[at]
		if round > 0 && !f.random || o.brief() && rng.IntN(40) > 0 || i >= 8 && !o.brief() && time.Now().After(end) {
			continue
		}
		if err := os.WriteFile(path, f.do(whole, rng), 0o644); err != nil {
			return err
		}
		try(f.name)
	}
	if round == 0 && !o.brief() {
		for i, at := range rng.Perm(len(inPlace)) {
			f := inPlace[at]
			if i >= 3 && time.Now().After(end) {
				break
			}
			if f.name == pipe && v.name == "TOML config" {
				continue // a config may come from another program, for which wsss waits
			}
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			if err := f.do(path); errors.Is(err, errors.ErrUnsupported) {
				continue
			} else if err != nil {
				return err
			}
			try(f.name)
			os.RemoveAll(path)
		}
	}
	return ctx.Err()
}

// suffer runs a command on a damaged file.
func (o options) suffer(ctx context.Context, dir string, command []string, v victim, fault string, worst *tally) error {
	limited, cancel := context.WithTimeout(ctx, quickLimit)
	defer cancel()
	e, err := o.run(limited, dir, command...)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("no end in %v", quickLimit)
	}
	if e.code != 0 {
		worst.refused++
	}
	if e.memory > worst.memory {
		worst.memory, worst.memoryOf = e.memory, v.name+", "+fault
	}
	worst.share = max(worst.share, float64(e.memory)/float64(v.limit))
	if e.took > worst.took {
		worst.took, worst.tookBy = e.took, v.name+", "+fault
	}
	switch {
	case e.crashed() != nil:
		return e.crashed()
	case e.code > 3:
		return fmt.Errorf("exit %d: %s", e.code, lastLines(e.text, 3))
	case e.code != 0 && strings.TrimSpace(e.text) == "":
		return fmt.Errorf("exit %d without a word", e.code)
	case e.memory > 2*v.limit:
		return fmt.Errorf("%.1f GB of memory, %.1f are granted", float64(e.memory)/1e9, float64(v.limit)/1e9)
	case strings.ContainsAny(e.text, "\x00\x07\x08\x1b\x7f"):
		return fmt.Errorf("control characters reach the terminal: %.200q", e.text)
	case len(e.text) > 1<<17:
		return fmt.Errorf("%d bytes of messages", len(e.text))
	}
	return nil
}

// keep copies a file that broke something to where it outlives the campaign.
func (o options) keep(path, name string) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > 64<<20 {
		return
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return
	}
	dir := filepath.Join(os.TempDir(), "wsss-torture-broke")
	os.MkdirAll(dir, 0o755)
	kept := filepath.Join(dir, strings.NewReplacer(" ", "-", "/", "-").Replace(name)+filepath.Ext(path))
	if os.WriteFile(kept, raw, 0o644) == nil {
		o.logf("hostile files: kept as %s", kept)
	}
}
