package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"wsss/checkpoints/files"
	"wsss/data/scenes"
)

// corrupt is how many images are cut short: one in a thousand.
func (c *campaign) corrupt() int { return (c.images + 499) / 1000 }

// photosMade is the file that says which photos the server has.
const photosMade = "photos.txt"

// makePhotos generates the images, with boxes in one file and one image in a
// thousand cut short, and puts them where the server has them, unless they are
// there from an earlier call.
func (c *campaign) makePhotos(ctx context.Context) error {
	made := filepath.Join(c.dir, photosMade)
	about := fmt.Sprintf("%d images, lights: %d, packed: %v\n", c.images, c.lights, c.packed)
	if have, err := os.ReadFile(made); err == nil && string(have) == about {
		fmt.Printf("photos: those of an earlier call, %s", about)
		return nil
	}
	if err := errors.Join(os.RemoveAll(made), os.RemoveAll(c.root)); err != nil {
		return err
	}
	raw, photos := filepath.Join(c.dir, "scenes"), filepath.Join(c.dir, "photos")
	defer os.RemoveAll(raw)
	defer os.RemoveAll(photos)
	start := time.Now()
	lap := func(what string) {
		fmt.Printf("%s: %.0f s\n", what, time.Since(start).Seconds())
		start = time.Now()
	}
	cfg := scenes.DefaultConfig()
	cfg.Train, cfg.Val, cfg.MinSize, cfg.MaxSize = max((c.images+c.lights-1)/c.lights, 2)-1, 1, 96, 96
	if err := scenes.Write(ctx, raw, cfg, nil); err != nil {
		return err
	}
	lap("scenes made")
	if err := c.tool(ctx, "data", "weaken", "-kind", "folder", "-root", raw, "-kinds", "boxes", "-split", "all", "-out", photos); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(raw, "JPEGImages"), filepath.Join(photos, "images")); err != nil {
		return err
	}
	lap("boxes drawn")
	if c.lights > 1 {
		if err := addLights(ctx, photos, c.images); err != nil {
			return err
		}
		lap("other lights made")
	}
	if err := cutShort(filepath.Join(photos, "images")); err != nil {
		return err
	}
	to := filepath.Join(c.root, "photos", "in")
	if !c.packed {
		if err := errors.Join(files.MkdirAll(filepath.Dir(to)), os.Rename(photos, to)); err != nil {
			return err
		}
	} else if err := c.tool(ctx, "data", "pack", "-quiet", "-kind", "folder", "-root", photos, "-split", "all", "-size", "16", "-out", to); err != nil {
		return err
	}
	lap("put where the server has them")
	return os.WriteFile(made, []byte(about), 0o644)
}

func (c *campaign) tool(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, c.wsss, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", args[:2], err, out)
	}
	return nil
}

// cutShort damages one image of a thousand.
func cutShort(dir string) error {
	photos, err := os.ReadDir(dir)
	for i := 500; i < len(photos) && err == nil; i += 1000 {
		err = os.Truncate(filepath.Join(dir, photos[i].Name()), 700)
	}
	return err
}
