package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"wsss/cmd/pipeline"
	"wsss/data"
	"wsss/data/names"
	"wsss/data/words"
	"wsss/eval"
	"wsss/eval/export"
	"wsss/eval/refine"
	"wsss/models"
	"wsss/models/backend"
	"wsss/models/crf"
	"wsss/models/tiles"
)

func init() {
	register(command{name: "predict", short: "label your own images with a trained network, or by a method without training", run: runPredict})
}

func predictIntro() string {
	return `
wsss predict labels images with a trained network, or without training by a
method of wsss gen. Images are files, folders (searched to the bottom), globs,
or - for a list of paths on standard input.

  wsss predict -checkpoint runs/demo/train/pseudo -out labels photos/
  ls *.jpg | wsss predict -checkpoint net.safetensors -out labels -format png,overlay -
  wsss predict -method grounded-sam -classes "cat,dog" photos/
  wsss predict -method sam -labels boxes.json -out masks photos/
  wsss predict -method grabcut -weak points -format coco photos/

A checkpoint is a file, or a folder of checkpoints, whose last one is used.
A method works from nothing but the names of classes, or from boxes, points,
scribbles or tags: of a file or folder that -labels names, in any format of
docs/folder.md, else of the one folder that holds photos and labels. Photos
that it has no labels of are left out. wsss gen -h lists the methods,
docs/models.md their options (-set gen.options.KEY=VALUE).
Images that cannot be read are left out and listed at the end; the exit code is
then 1.

-format coco holds every region to the pixel. Polygons are thinned out by
-tolerance 1 and leave out specks below -min-area 10; -tolerance 0 -min-area 0
keeps them exact. -format yolo has the photos beside the labels, a fifth of them
in val, so that yolo train starts on yolo/data.yaml.

Formats:
` + formatHelp()
}

func formatHelp() string {
	var b strings.Builder
	for _, name := range export.Formats() {
		fmt.Fprintf(&b, "  %-10s %s\n", name, export.Describe(name))
	}
	return b.String()
}

func runPredict(ctx context.Context, args []string) error {
	f := newFlags("predict", predictIntro())
	checkpoint := f.String("checkpoint", "", "trained network: a `file`, or a folder of checkpoints")
	var m withMethod
	f.StringVar(&m.method, "method", "", "`name` of a method that labels without training, instead of -checkpoint")
	f.StringVar(&m.classes, "classes", "", "the `names` of the classes for -method, separated by commas, without background; default is what the labels name")
	f.StringVar(&m.labels, "labels", "", "`file` or folder of the labels that -method works from; default is the folder of the photos")
	f.StringVar(&m.weak, "weak", "", "the `form` of them: none, tags, points, scribbles, boxes; default is none where the method takes that and there is no -labels, else what says most")
	f.Var(&m.set, "set", "with -method: one `key=value` of its config; may be repeated (-set gen.options.sam=sam-vit-h-meta, -set gen.fuse.min_area=50)")
	out := f.String("out", "predictions", "`folder` to write to")
	formats := f.String("format", "png", "comma-separated `formats`")
	scales := f.String("scales", "1", "test-time `scales`, comma-separated; their scores are averaged")
	flip := f.Bool("flip", false, "also average with the mirrored image")
	tile := f.Int("tile", 0, "label photos of more than some 3 megapixels (with 21 classes) in overlapping tiles of so many `pixels` a side; 0 = 640, fewer with more than 21 classes")
	maxSide := f.Int("max-side", 0, "first shrink photos whose long side has more `pixels` to this size, and enlarge the labels")
	bucket := f.Int("bucket", 0, "photos share compiled networks: their sides go to about multiples of so many `pixels`; 1 = own size, exact; 0 = by engine: 1 on go and xla, 32 on onnx")
	outlines := f.outlines()
	m.outlines = outlines
	crf := f.Bool("crf", false, "refine with a dense CRF")
	f.StringVar(&f.backend, "backend", "", "`engine`: go, onnx[:cuda|:migraphx|:library], xla:cuda, xla:cpu, xla:plug-in")
	f.BoolVar(&f.quiet, "quiet", false, "no progress bar")
	if err := f.parse(args, 1<<30); err != nil {
		return err
	}
	if (*checkpoint == "") == (m.method == "") || *out == "" || f.NArg() == 0 {
		return pipeline.Usagef("predict: -checkpoint or -method, -out and at least one image, folder or - are needed; see `wsss predict -h`")
	}
	if err := oneWay(f, m.method != ""); err != nil {
		return err
	}
	p := &pipeline.Run{Options: f.options()}
	p.Config.Backend = f.backend
	if m.method != "" {
		return m.run(ctx, p, f.Args(), *out, *formats)
	}
	if err := namedExist([]string{*checkpoint}, ""); err != nil {
		return err
	}
	images, err := listImages(f.Args())
	if err != nil {
		return err
	}
	if err := keepPhotos(images, *out, *formats); err != nil {
		return err
	}
	if p.Config.Eval.Scales, err = parseScales(*scales); err != nil {
		return err
	}
	p.Config.Eval.Flip = *flip
	if p.Config.Eval.Bucket = *bucket; *bucket < 0 || *bucket > 512 {
		return pipeline.Usagef("predict: -bucket %d: allowed are 0..512 pixels: 1 for every photo's own size, 0 for what suits the engine", *bucket)
	}
	if *maxSide < 0 {
		return pipeline.Usagef("predict: -max-side %d: allowed is a number of pixels, or 0", *maxSide)
	}
	if *tile != 0 && (*tile < 64 || *tile > 8192) {
		return pipeline.Usagef("predict: -tile %d: allowed are 64..8192 pixels, or 0", *tile)
	}
	how := large{maxSide: *maxSide, tile: *tile}
	return predictFiles(ctx, p, *checkpoint, *crf, how, images, *out, strings.Split(*formats, ","), outlines)
}

// oneWay refuses flags of the other way to label.
func oneWay(f *flags, byMethod bool) (err error) {
	other, way := methodOnly, "-method"
	if byMethod {
		other, way = networkOnly, "-checkpoint"
	}
	f.Visit(func(g *flag.Flag) {
		if slices.Contains(other, g.Name) {
			err = pipeline.Usagef("predict: -%s goes with %s only; see `wsss predict -h`", g.Name, way)
		}
	})
	return err
}

// input is one image to label: where it is, and the id its outputs get.
type input struct{ path, id string }

// listImages expands arguments to image files, in order; ids are the paths
// below the folder that was named, without extension.
func listImages(args []string) ([]input, error) {
	var list []input
	seen := map[string]string{}
	var unread []string
	add := func(path, id string) error {
		id = strings.TrimSuffix(filepath.ToSlash(id), filepath.Ext(id))
		if other, dup := seen[id]; dup {
			return pipeline.Usagef("predict: %s and %s would both be written as %s: rename one, or label them into two folders", other, path, id)
		}
		seen[id] = path
		list = append(list, input{path, id})
		return nil
	}
	for _, arg := range args {
		if err := expand(arg, add, func(path string) { unread = append(unread, path) }); err != nil {
			return nil, err
		}
	}
	if len(unread) > 0 {
		fmt.Fprintf(stderr, "left out, as only %s are read: %d pictures such as %s\n", names.Formats, len(unread), unread[0])
	}
	if len(list) == 0 {
		return nil, pipeline.Usagef("predict: no image in %s: looked for %s", strings.Join(args, " "), strings.Join(names.Extensions, ", "))
	}
	return list, nil
}

// keepPhotos refuses a folder where a label map or an overlay would replace the
// photo that it is of.
func keepPhotos(images []input, out, formats string) error {
	written := picturesOf(strings.Split(formats, ","))
	for _, in := range images {
		photo, err := os.Stat(in.path)
		if err != nil {
			continue // reading it tells
		}
		for _, name := range written {
			if there, err := os.Stat(filepath.Join(out, name(in.id))); err == nil && os.SameFile(photo, there) {
				return pipeline.Usagef("-out %s: the labels of %s would replace it: choose another folder", out, in.path)
			}
		}
	}
	return nil
}

// picturesOf name the files below the folder that the formats make of an image,
// those that are one picture each.
func picturesOf(formats []string) []func(id string) string {
	var names []func(id string) string
	for _, format := range formats {
		switch strings.TrimSpace(format) {
		case "png":
			names = append(names, func(id string) string { return id + ".png" })
		case "overlay":
			names = append(names, func(id string) string { return filepath.Join("overlay", id+".jpg") })
		}
	}
	return names
}

// expand calls add for every image that one argument stands for, and unread for
// pictures of other types in folders.
func expand(arg string, add func(path, id string) error, unread func(path string)) error {
	if arg == "-" {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			if line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff")); line != "" {
				if err := add(line, filepath.Base(line)); err != nil {
					return err
				}
			}
		}
		return lines.Err()
	}
	info, err := os.Stat(arg)
	if err != nil {
		matches, globErr := filepath.Glob(arg)
		if globErr != nil || len(matches) == 0 {
			return err
		}
		slices.Sort(matches)
		for _, m := range matches {
			if !names.IsImage(m) {
				continue
			}
			if err := add(m, filepath.Base(m)); err != nil {
				return err
			}
		}
		return nil
	}
	if !info.IsDir() {
		return add(arg, filepath.Base(arg))
	}
	return filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
		if err == nil && names.IsUnread(path) {
			unread(path)
		}
		if err != nil || !d.Type().IsRegular() && d.Type() != fs.ModeSymlink || !names.IsImage(path) {
			return err
		}
		rel, err := filepath.Rel(arg, path)
		if err != nil {
			return err
		}
		return add(path, rel)
	})
}

func parseScales(text string) ([]float64, error) {
	var scales []float64
	for _, part := range strings.Split(text, ",") {
		var s float64
		if _, err := fmt.Sscanf(strings.TrimSpace(part), "%g", &s); err != nil || s < 0.05 || s > 10 {
			return nil, pipeline.Usagef("predict: -scales %s: allowed are numbers in [0.05, 10], such as 0.75,1,1.25", text)
		}
		scales = append(scales, s)
	}
	return scales, nil
}

// predictFiles labels images one after the other; the next ones are decoded
// and the last ones written while the network runs. Images that cannot be read
// or labelled are left out, and listed in the error at the end.
func predictFiles(ctx context.Context, p *pipeline.Run, checkpoint string, withCRF bool, how large, images []input, out string, formats []string, outlines *outlines) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	pipeline.NoteStale(ctx, checkpoint, p.Options)
	net, err := p.LoadNetwork(checkpoint)
	if err != nil {
		return err
	}
	defer net.Close()
	l := labelling{predictor: net, images: images, outlines: outlines, maxSide: how.maxSide, slots: make(chan struct{}, 1+runtime.GOMAXPROCS(0)), refining: make(chan struct{}, eval.Refiners())}
	l.cut = how.cut(len(net.Meta.Model.Classes), withCRF)
	if withCRF {
		l.predictor = &refine.CRF{Net: net, Classes: len(net.Meta.Model.Classes), Params: crf.DeepLab()}
		l.slots = make(chan struct{}, 2+eval.Refiners()) // else many images' scores would wait
	}
	l.predictor = tiles.Wrap(l.predictor, l.cut)
	if backend.KindOf(p.Backend) == backend.XLA {
		l.images = byShape(net, images, how.maxSide)
	}
	sum, err := pipeline.CheckpointHash(checkpoint)
	if err != nil {
		return err
	}
	about := []any{sum, p.Backend.Name(), p.Config.Eval.Scales, p.Config.Eval.Flip, p.Config.Eval.Bucket, withCRF, how.maxSide, how.tile}
	return labelFiles(ctx, p, "predict", &l, data.Classes{Names: net.Meta.Model.Classes}, out, formats, about)
}

// labelFiles labels the images and writes them in the formats. A stopped call
// that was about the same goes on where it stopped.
func labelFiles(ctx context.Context, p *pipeline.Run, title string, l *labelling, classes data.Classes, out string, formats []string, about any) (err error) {
	all := l.images
	about = []any{about, classes.Names, l.outlines.tolerance, l.outlines.minArea}
	if err := l.goOn(out, formats, about); err != nil {
		return err
	}
	complete := false
	defer func() { l.done.close(complete && err == nil) }()
	if l.before > 0 {
		p.Say("going on: %s labelled before", words.Plural(l.before, "image"))
	}
	if l.writers, err = openWriters(formats, out, classes, all, l.outlines); err != nil {
		return err
	}
	defer func() {
		for _, w := range l.writers {
			err = errors.Join(err, w.Close())
		}
	}()
	if err := p.Step(ctx, title, func(progress func(done, total int)) error { return l.run(ctx, progress) }); err != nil {
		return err
	}
	complete = true
	if l.shrunk > 0 {
		p.Say("photos labelled at a smaller size, their labels enlarged: %d", l.shrunk)
	}
	if l.tiled > 0 {
		p.Say("large photos labelled in tiles of %d pixels: %d; -max-side 1500 would show the network the whole of them, but smaller", l.cut.Side, l.tiled)
	}
	if len(l.unlabelled) > 0 {
		p.Alert("left out: %d of %d images, which have no %s, such as %s", len(l.unlabelled), len(l.images), l.weak, slices.Min(l.unlabelled))
	}
	if n := len(all) - len(l.failed) - len(l.unlabelled); n > 0 {
		fmt.Fprintf(stdout, "labels of %s in %s (%s)\n", words.Plural(n, "image"), out, strings.Join(formats, ", "))
	}
	return l.left()
}

// byShape orders images so that those follow each other that the network sees
// at one shape, and XLA compiles once for.
func byShape(net models.Shaper, images []input, maxSide int) []input {
	type sized struct {
		input
		shape image.Point
	}
	all := make([]sized, len(images))
	for i, in := range images {
		all[i].input = in
		if size, err := data.ImageSize(in.path); err == nil { // else reading it says what is wrong
			all[i].shape = net.Shape(smaller(size, maxSide))
		}
	}
	slices.SortStableFunc(all, func(a, b sized) int {
		return cmp.Or(cmp.Compare(a.shape.X, b.shape.X), cmp.Compare(a.shape.Y, b.shape.Y))
	})
	out, shapes := make([]input, len(all)), make([]image.Point, len(all))
	for i, in := range all {
		out[i], shapes[i] = in.input, in.shape
	}
	if f, ok := net.(models.Foreseer); ok {
		f.Foresee(shapes)
	}
	return out
}

// openWriters opens the formats; exports that name the photo name it as it is
// called on disk, and YOLO has it beside its labels.
func openWriters(formats []string, out string, classes data.Classes, images []input, outlines *outlines) ([]export.Writer, error) {
	paths := make(map[string]string, len(images))
	for _, in := range images {
		paths[in.id] = in.path
	}
	var writers []export.Writer
	for _, format := range formats {
		format = strings.TrimSpace(format)
		opts := outlines.options(format)
		opts.FileName = func(id string) string { return id + filepath.Ext(paths[id]) }
		opts.Photo = func(id string) string { return paths[id] }
		w, err := export.OpenWith(format, out, classes, opts)
		if err != nil {
			return nil, pipeline.UsageError{Err: err}
		}
		writers = append(writers, w)
	}
	return writers, nil
}
