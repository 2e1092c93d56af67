package torture

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// makeCorpus makes the sound files that are then damaged: photos of every
// type, labels of every format, models.
func (o options) makeCorpus(ctx context.Context) error {
	dir := filepath.Join(o.dir, "corpus")
	photos := filepath.Join(dir, "photos")
	if err := makePhotos(photos); err != nil {
		return err
	}
	for _, format := range []string{"csv", "json", "coco", "cvat", "labelstudio", "labelme", "voc", "yolo"} {
		to := filepath.Join(dir, format)
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		e, err := o.run(ctx, photos, "data", "convert", "-kind", "folder", "-root", ".", "-set", "data.options.masks=masks", "-to", format, "-out", to, "-quiet")
		if err == nil && e.code != 0 {
			err = fmt.Errorf("labels of %s: %s", format, lastLines(e.text, 5))
		}
		if err != nil {
			return err
		}
		if format == "yolo" {
			continue // has the photos
		}
		for _, name := range []string{"a.jpg", "b.png", "c.png", "d.bmp", "e.tif"} {
			if err := copyFile(filepath.Join(photos, name), filepath.Join(to, name)); err != nil {
				return err
			}
		}
		// labelme and VOC write a folder of files; beside the photos is where tools have them.
		for _, inner := range []string{"labelme", "voc/Annotations"} {
			found, _ := filepath.Glob(filepath.Join(to, inner, "*"))
			for _, path := range found {
				if err := os.Rename(path, filepath.Join(to, filepath.Base(path))); err != nil {
					return err
				}
			}
		}
	}
	run, err := o.calm(ctx, jobNamed("run"), "go")
	if err != nil {
		return err
	}
	own := filepath.Join(dir, "run")
	if err := os.CopyFS(own, os.DirFS(run)); err != nil {
		return err
	}
	last, _ := filepath.Glob(filepath.Join(run, outName, "train/pseudo/step-*.safetensors"))
	if len(last) == 0 {
		return fmt.Errorf("no checkpoint in %s", run)
	}
	if err := copyFile(last[len(last)-1], filepath.Join(own, "net.safetensors")); err != nil {
		return err
	}
	tuned, err := o.calm(ctx, jobNamed("finetune-clip"), "go")
	if err != nil {
		return err
	}
	models := filepath.Join(dir, "models")
	if err := os.MkdirAll(models, 0o755); err != nil {
		return err
	}
	return firstError(
		copyFile(filepath.Join(tuned, outName, "finetune/classifier.onnx"), filepath.Join(models, "net.onnx")),
		copyFile(filepath.Join(o.repo, "models/weights/pth/testdata/zip.pth"), filepath.Join(models, "net.pth")),
	)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// makePhotos makes a folder of photos of every type, with masks.
func makePhotos(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "masks"), 0o755); err != nil {
		return err
	}
	photo := image.NewRGBA(image.Rect(0, 0, 64, 48))
	mask := image.NewPaletted(photo.Rect, color.Palette{color.Black, color.RGBA{128, 0, 0, 255}, color.RGBA{0, 128, 0, 255}})
	deep := image.NewNRGBA64(photo.Rect)
	for y := range 48 {
		for x := range 64 {
			photo.Set(x, y, color.RGBA{uint8(4 * x), uint8(5 * y), uint8(x * y), 255})
			deep.Set(x, y, color.NRGBA64{uint16(1000 * x), uint16(1000 * y), 7, 65535})
			if x > 10 && x < 30 && y > 10 && y < 30 {
				mask.SetColorIndex(x, y, uint8(1+(x/20)))
			}
		}
	}
	write := func(name string, encode func(w io.Writer) error) error {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		return firstError(encode(f), f.Close())
	}
	err := firstError(
		write("a.jpg", func(w io.Writer) error { return jpeg.Encode(w, photo, nil) }),
		write("b.png", func(w io.Writer) error { return png.Encode(w, photo) }),
		write("c.png", func(w io.Writer) error { return png.Encode(w, deep) }),
		write("d.bmp", func(w io.Writer) error { return bmp.Encode(w, photo) }),
		write("e.tif", func(w io.Writer) error { return tiff.Encode(w, photo, nil) }),
		os.WriteFile(filepath.Join(dir, "classes.txt"), []byte("background\ncat\ndog\n"), 0o644),
	)
	for _, id := range strings.Fields("a b c d e") {
		err = firstError(err, write("masks/"+id+".png", func(w io.Writer) error { return png.Encode(w, mask) }))
	}
	return err
}

func copyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o644)
}
