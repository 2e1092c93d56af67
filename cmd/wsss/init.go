package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wsss/configs"
	"wsss/data"
	"wsss/data/files"
	"wsss/data/folder"
	"wsss/models/backend"
	"wsss/models/manifest"
)

func init() {
	register(command{name: "init", args: "FOLDER", short: "a config for a folder of images and what labels it has", run: runInit})
}

const initIntro = `
wsss init looks at a folder of images and writes a config for it: what kind of
dataset it is, which labels it has, a method that turns them into masks with the
models that are on this machine, and a network of a size that it can train. What
was chosen stands in the file, with the alternatives.

  wsss init photos                          writes photos.toml
  wsss init -weak points -out my.toml photos
  wsss init /data/VOCdevkit/VOC2012

docs/folder.md tells what a folder of one's own should look like.`

func runInit(_ context.Context, args []string) error {
	f := newFlags("init", initIntro)
	out := f.String("out", "", "the `file` to write; default is the folder's name with .toml")
	kind := f.String("kind", "", "dataset `kind`: folder, voc, coco; default is what the folder looks like")
	weak := f.String("weak", "", "weak `labels` to use: none, tags, points, scribbles, boxes; default is what most images have")
	if err := f.parse(args, 1); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return usagef("init: name the folder of the images, as in wsss init photos")
	}
	root := filepath.Clean(f.Arg(0))
	if info, err := os.Stat(root); err != nil {
		return usageError{err}
	} else if !info.IsDir() {
		return usagef("%s is a file: name the folder of the images", root)
	}
	path := cmp.Or(*out, filepath.Base(root)+".toml")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return usagef("%s exists already: name another file with -out, or remove it", path)
	}
	s, err := newStarter(root, cmp.Or(*kind, kindOf(root)), data.WeakKind(*weak))
	if err != nil {
		return err
	}
	if err := s.write(path); err != nil {
		return err
	}
	s.report(os.Stdout, path)
	return nil
}

// kindOf guesses the kind of a dataset by the folders that the published ones
// unpack to.
func kindOf(root string) string {
	has := func(pattern string) bool {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		return err == nil && len(found) > 0
	}
	switch {
	case has("JPEGImages") && (has("ImageSets/Segmentation/*.txt") || has("*.txt") && !has("classes.txt")):
		return "voc"
	case has("annotations/instances_*.json"):
		return "coco"
	}
	return "folder"
}

// starter is what a first config is made of.
type starter struct {
	Root, Kind, Name string
	Train, Val       string
	Options          string // of [data.options], TOML
	Images, Looked   int    // of the training split; so many were looked at
	Have             map[data.WeakKind]int
	Weak             data.WeakKind
	Truth            bool // the validation split has masks
	Methods          []string
	Models           []string // to be fetched first
	GPU              bool
}

// mostLooked bounds the images that are looked at for labels.
const mostLooked = 500

func newStarter(root, kind string, weak data.WeakKind) (*starter, error) {
	if weak != "" && !slices.Contains(data.WeakKinds, weak) {
		return nil, usagef("-weak %q: allowed are %v", weak, data.WeakKinds)
	}
	s := &starter{Root: root, Kind: kind, Name: filepath.Base(root), GPU: backend.HasGPU()}
	ds, err := s.open()
	if err != nil {
		return nil, err
	}
	if err := s.look(ds); err != nil {
		return nil, err
	}
	s.Weak = cmp.Or(weak, s.best())
	if s.Weak != data.WeakNone && s.Have[s.Weak] == 0 {
		return nil, fmt.Errorf("%s: none of the %d images of %s that were looked at has %s; docs/folder.md and docs/datasets.md tell where they belong", root, s.Looked, s.Train, s.Weak)
	}
	return s, s.choose()
}

// open opens the dataset and finds its splits. A folder without lists of its
// own is divided.
func (s *starter) open() (data.Dataset, error) {
	extra := map[string]any{}
	if file := filepath.Join(s.Root, "classes.txt"); s.Kind == "voc" && exists(file) {
		classes, err := folder.ReadClasses(file)
		if err != nil {
			return nil, err
		}
		extra["classes"] = classes.Names[1:]
		s.Options = fmt.Sprintf("classes = [%s]    # of classes.txt, not VOC's own\n", quoted(classes.Names[1:]))
	}
	ds, err := data.Open(s.Kind, data.Options{Root: s.Root, Seed: 1, Extra: extra})
	if err != nil {
		return nil, err
	}
	pick := func(names ...string) string {
		for _, n := range names {
			if slices.Contains(ds.Splits(), n) {
				return n
			}
		}
		return ""
	}
	s.Train, s.Val = pick("train_aug", "train2014", "train2017", "train"), pick("val", "val2014", "val2017")
	if s.Kind == "folder" && (s.Train == "" || s.Val == "") {
		s.Train, s.Val, extra["val_fraction"] = "train", "val", 0.2
		s.Options += "val_fraction = 0.2    # drawn by the seed; or lists of your own: splits/train.txt, splits/val.txt\n"
		return data.Open(s.Kind, data.Options{Root: s.Root, Seed: 1, Extra: extra})
	}
	if s.Train == "" {
		return nil, fmt.Errorf("%s: no split for training among %v: write a config by hand, with data.train_split", s.Root, ds.Splits())
	}
	s.Val = cmp.Or(s.Val, s.Train)
	return ds, nil
}

// quoted lists strings as TOML does.
func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(q, ", ")
}

// look counts the labels of images spread over the training split.
func (s *starter) look(ds data.Dataset) error {
	ids, err := ds.IDs(s.Train)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return fmt.Errorf("%s: split %s has no images", s.Root, s.Train)
	}
	s.Images, s.Looked, s.Have = len(ids), min(len(ids), mostLooked), map[data.WeakKind]int{}
	for i := range s.Looked {
		sample, err := ds.Load(ids[i*len(ids)/s.Looked], data.WantWeak)
		if err != nil {
			return err
		}
		w := sample.Weak
		for kind, n := range map[data.WeakKind]int{data.WeakTags: len(w.Tags), data.WeakPoints: len(w.Points), data.WeakScribbles: len(w.Scribbles), data.WeakBoxes: len(w.Boxes)} {
			if n > 0 {
				s.Have[kind]++
			}
		}
	}
	val, err := ds.IDs(s.Val)
	if err != nil || len(val) == 0 {
		return err
	}
	if _, err = ds.Load(val[0], data.WantTruth); err != nil && !errors.Is(err, data.ErrNoTruth) {
		return err
	}
	s.Truth = err == nil
	return nil
}

// best is the form of labels that most images have; of two, the one that
// says more.
func (s *starter) best() data.WeakKind {
	best := data.WeakNone
	for _, kind := range data.WeakKinds {
		if s.Have[kind] > 0 && s.Have[kind] >= s.Have[best] {
			best = kind
		}
	}
	return best
}

// choose finds methods for the labels, the first of which can run at once or
// after fetching Models.
func (s *starter) choose() error {
	store, err := manifest.Open("")
	if err != nil {
		return err
	}
	here := func(name string) bool {
		m, err := manifest.Find(name)
		return err == nil && !slices.ContainsFunc(store.Status(m), func(st manifest.Status) bool { return st.State == manifest.Absent })
	}
	sam := "mobile-sam"
	for _, name := range []string{"sam-vit-b", "sam-vit-l", "sam-vit-h", "sam-vit-h-meta"} {
		if here(name) && (s.Weak != data.WeakBoxes || name == "sam-vit-h-meta") { // the others' decoders take points only
			sam = name
		}
	}
	prompted := methodLines("sam", "sam = \""+sam+"\"", "score")
	classic := methodLines("grabcut", "", "smaller-first")
	grounded := methodLines("grounded-sam", "sam = \""+sam+"\"\ngdino = \"gdino-tiny\"", "class-index")
	need := []string{sam}
	switch s.Weak {
	case data.WeakTags, data.WeakNone:
		s.Methods, need = []string{grounded}, []string{sam, "gdino-tiny"}
	default:
		s.Methods = []string{prompted, classic}
		if !here(sam) {
			s.Methods, need = []string{classic, prompted + "\n# after: wsss models pull " + sam}, nil
		}
	}
	for _, name := range append(need, s.Backbone()) {
		if !here(name) {
			s.Models = append(s.Models, name)
		}
	}
	return nil
}

// Backbone is the network that the machine can train.
func (s *starter) Backbone() string {
	if s.GPU {
		return "resnet101"
	}
	return "resnet18"
}

// write writes the config, and reads it again as a run would.
func (s *starter) write(path string) error {
	if err := files.WriteAtomic(path, func(w io.Writer) error { return starterText.Execute(w, s) }); err != nil {
		return err
	}
	_, err := configs.Load(path, nil)
	return err
}

func (s *starter) report(w io.Writer, path string) {
	fmt.Fprintf(w, "%s: kind %s, %d images to train on (split %s)\n", s.Root, s.Kind, s.Images, s.Train)
	for _, kind := range data.WeakKinds[1:] {
		fmt.Fprintf(w, "  %-10s of %d of %d images\n", kind, s.Have[kind], s.Looked)
	}
	if !s.Truth {
		fmt.Fprintf(w, "  no masks for split %s: nothing will be scored; the report shows the labels by their own signs of quality\n", s.Val)
	}
	fmt.Fprintf(w, "wrote %s: labels from %s. Next:\n\n  wsss data validate -config %s\n", path, s.Weak, path)
	if len(s.Models) > 0 {
		fmt.Fprintf(w, "  wsss models pull %s\n", strings.Join(s.Models, " "))
	}
	fmt.Fprintf(w, "  wsss run -config %s -dry-run\n  wsss run -config %s\n", path, path)
}
