package train

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/checkpoints"
	"wsss/configs"
)

// frozenJob trains a linear layer on a small transformer that learns nothing.
func frozenJob(t *testing.T, cache bool) Job {
	j := tinyJob(t, filepath.Join(t.TempDir(), "net"))
	j.Net = nil
	c := &j.Config
	c.Arch, c.Backbone, c.Width, c.Frozen, c.MSC, c.OutputStride = "vit-linear", "dinov2-s14-reg", 1./6, true, false, 16
	c.Crop, c.CropAt, c.Flip, c.LR, c.HeadMult, c.Iterations, c.CacheFeatures = 42, "center", true, 0.2, 1, 6, cache
	c.Blur = 0
	return j
}

// cached lists the files of features below a training's parent folder.
func cached(t *testing.T, j Job) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(filepath.Dir(j.OutDir), featureFolder), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestCachedFeatures: a head learns from cached features what it learns from
// images, but for half precision; what is there is not computed again, what is
// damaged is, and an interrupted training ends with the same bytes.
func TestCachedFeatures(t *testing.T) {
	whole, plain, cut := frozenJob(t, true), frozenJob(t, false), frozenJob(t, true)
	a, err := Run(context.Background(), whole)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Run(context.Background(), plain)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(a.Loss-b.Loss) > 2e-3*b.Loss {
		t.Errorf("loss %g from cached features, %g from images", a.Loss, b.Loss)
	}
	if n := len(cached(t, whole)); n != 16 { // eight images and their mirror images
		t.Errorf("%d files of features", n)
	}
	for _, at := range []int{2, 99} {
		ctx, cancel := context.WithCancel(context.Background())
		cut.Progress = func(done, _ int) {
			if done == at {
				cancel()
			}
		}
		if _, err := Run(ctx, cut); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
		if at == 2 { // one file is cut short
			if err := os.Truncate(cached(t, cut)[3], 7); err != nil {
				t.Fatal(err)
			}
			cut.Log = func(line string) {
				if strings.HasPrefix(line, "features") && !strings.Contains(line, "1 computed, 15 were there") {
					t.Error(line)
				}
			}
		}
	}
	sameFiles(t, whole.OutDir, cut.OutDir, checkpoints.FileName(6), LogFile)
}

// TestFrozenAtRandom: a frozen backbone without initial weights is trained, and told.
func TestFrozenAtRandom(t *testing.T) {
	for _, frozen := range []bool{true, false} {
		j := frozenJob(t, false)
		j.Config.Frozen, j.Config.Iterations, j.ValSplit = frozen, 1, ""
		told := false
		j.Log = func(line string) { told = told || strings.Contains(line, "keeps a backbone of random numbers") }
		if _, err := Run(context.Background(), j); err != nil || told != frozen {
			t.Errorf("frozen %v: told %v, %v", frozen, told, err)
		}
	}
}

func TestCacheRefused(t *testing.T) {
	for _, c := range []struct {
		change func(*configs.Train)
		want   string
	}{
		{func(c *configs.Train) { c.Frozen = false }, "set train.network.frozen"},
		{func(c *configs.Train) { c.CropAt = "random" }, `train.augment.crop_at = "center"`},
		{func(c *configs.Train) { c.Crop = 43 }, "a multiple of the patch, 14, such as 56"},
		{func(c *configs.Train) { c.CacheGB = 1e-6 }, "train.compute.cache_gb = 1e-06 allows no more"},
	} {
		j := frozenJob(t, true)
		c.change(&j.Config)
		if _, err := Run(context.Background(), j); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
